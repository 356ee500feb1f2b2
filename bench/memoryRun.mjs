/**
 * Whether a long run's memory grows: resident memory and tensors at step 100 and at the end of a run of smoke.yaml, as
 * its own metrics have them.
 *
 *     npm run build && node bench/memoryRun.mjs [--root examples] [--steps 1000] [--epochs 2]
 *
 * The root has the quickstart's database, `clive-sample`.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs, promisify } from "node:util";
import { table } from "./measure.mjs";

/** Caches are full and every kernel has run. */
const SETTLED = 100;

const { values: options } = parseArgs({
  options: {
    root: { type: "string", default: "examples" },
    steps: { type: "string", default: "1000" },
    epochs: { type: "string", default: "2" }, // each ends with a validation and checkpoints
  },
});
const epochs = Number(options.epochs);
const stepsPerEpoch = Number(options.steps) / epochs;
const program = new URL("../bin/liqe.js", import.meta.url).pathname;

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  const settings = { "data.root": options.root, "train.epochs": epochs, "train.stepsPerEpoch": stepsPerEpoch };
  const set = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const args = [program, "train", "--config", "smoke.yaml", ...set, "--engine", "native", "--out", folder];
  await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 });
  const lines = await readFile(path.join(folder, "split-1", "metrics.jsonl"), "utf8");
  const steps = lines
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => kind === "step");
  report(steps);
} finally {
  await rm(folder, { recursive: true });
}

function report(steps) {
  const [settled, last] = [steps[SETTLED - 1], steps.at(-1)];
  const most = Math.max(...steps.slice(SETTLED).map(({ memory }) => memory.residentMB));
  const shown = [1, 10, SETTLED, 200, 500, steps.length].filter((step) => step <= steps.length);
  const row = (step) => {
    const { memory, time } = steps[step - 1];
    return [step, memory.residentMB, memory.tensors, time.seconds.toFixed(2)].map(String);
  };
  console.log(table(["step", "resident MB", "tensors", "seconds"], shown.map(row)));
  const growth = last.memory.residentMB / settled.memory.residentMB - 1;
  console.log(`from step ${SETTLED} to ${steps.length}: ${(100 * growth).toFixed(1)} %; at most ${most} MB in between`);
  console.log(JSON.stringify({ settled: settled.memory, last: last.memory, most }));
}
