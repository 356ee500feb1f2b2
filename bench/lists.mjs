/**
 * Lists of a million lines: paths on `liqe predict -`, a published list and a CSV in `liqe data check --lists-only`, the
 * lists at the start of `liqe train`, and the search for near copies among a million hashes. A quarter of the lines
 * beside all of them shows how time grows.
 *
 *     npm run build && node bench/lists.mjs [--lines 1000000] [--tasks paths,published,csv,start,near]
 *
 * Each measurement is a process of its own.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { measure, table } from "./measure.mjs";

const { values: options } = parseArgs({
  options: {
    lines: { type: "string", default: "1000000" },
    tasks: { type: "string", default: "paths,published,csv,start,near" },
  },
});
const lines = Number(options.lines);
const program = new URL("listsRun.mjs", import.meta.url).pathname;
const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-lists-"));
const rows = [];
try {
  for (const task of options.tasks.split(",")) {
    for (const count of [lines / 4, lines]) {
      const { what, seconds, peakBytes } = await measure(process.execPath, [program, task, String(count), folder]);
      rows.push([what, count.toLocaleString("en"), seconds.toFixed(1), (peakBytes / 1e9).toFixed(2)]);
    }
  }
} finally {
  await rm(folder, { recursive: true });
}
console.log(table(["what", "lines", "processor s", "peak GB"], rows));
