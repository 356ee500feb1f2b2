/** What the benchmarks share: a measured process, a run's steps, medians, differences, a Markdown table. */
import { execFile } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { startEngine } from "../dist/engine/engine.js";
import { requirePrecision } from "../dist/engine/precision.js";
import { writeSafetensors } from "../dist/model/weights/safetensors.js";

const run = promisify(execFile);

/** Runs a program whose last line is JSON: { seconds, peakBytes }. */
export async function measure(program, args) {
  const { stdout } = await run(program, args, { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1));
}

/** Whether `engine.precision: bfloat16` is taken here; says why where it is refused, and its rows are left out. */
export async function halvesProducts(threads) {
  const engine = await startEngine("native", { threads });
  return requirePrecision("bfloat16", engine).then(
    () => true,
    (error) => {
      console.error(`no rows of ours in bfloat16: ${error.message}`);
      return false;
    },
  );
}

/** Writes a safetensors file, over one that is there. */
export async function saveTensors(file, tensors) {
  const handle = await open(file, "w");
  try {
    await writeSafetensors(handle, tensors);
  } finally {
    await handle.close();
  }
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Over all tensors of `want`: the largest |got − want|, of each tensor's largest entry where `isRelative`. */
export function largestDifference(got, want, isRelative) {
  let worst = 0;
  for (const [name, { values }] of want) {
    const found = got.get(name)?.values;
    if (found?.length !== values.length) throw new Error(`${name}: ${found?.length} values, not ${values.length}`);
    let difference = 0;
    let largest = 0;
    values.forEach((value, i) => {
      difference = Math.max(difference, Math.abs(found[i] - value));
      largest = Math.max(largest, Math.abs(value));
    });
    worst = Math.max(worst, isRelative ? difference / largest : difference);
  }
  return worst;
}

/** @param rows  strings, as many in each as `head` has */
export function table(head, rows) {
  const widths = head.map((name, col) => Math.max(name.length, ...rows.map((row) => row[col].length)));
  const line = (cells) => `| ${cells.map((cell, col) => cell.padEnd(widths[col])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** Steps that a run has logged so far, as its metrics.jsonl has them; none before the first one. */
export async function stepLines(run) {
  const text = await readFile(path.join(run, "split-1", "metrics.jsonl"), "utf8").catch(() => "");
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line)).filter(({ kind }) => kind === "step"); // prettier-ignore
}
