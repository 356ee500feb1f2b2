/**
 * Resident memory and time of training steps of ViT-B/32 with all parameters trained: real steps, on random weights
 * and random pixels, every activation kept, or towers recomputed, or crops cut. Gradients of the last two are compared
 * with the first's.
 *
 *     npm run build && node bench/memory.mjs [--images 12,48] [--preset vit-b-32] [--steps 2] [--gradients]
 *
 * Each measurement is a process of its own, so that its peak memory is its own. The first step is slower than those
 * after it; the last one's time is shown.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { readSafetensors } from "../dist/model/weights/safetensors.js";
import { largestDifference, measure, table } from "./measure.mjs";

const CROPS = 3;
/** Crops of one piece, where they are cut. */
const PIECE = 12;

const { values: options } = parseArgs({
  options: {
    images: { type: "string", default: "12,48" },
    preset: { type: "string", default: "vit-b-32" },
    steps: { type: "string", default: "2" },
    gradients: { type: "boolean", default: false },
  },
});

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  const rows = [];
  for (const images of options.images.split(",").map(Number)) {
    for (const form of forms(images * CROPS)) rows.push(await row(images, form));
    if (options.gradients) await compare(images);
  }
  const head = ["step", "at once", "recomputed", "seconds", "peak resident"];
  console.log(table(head, rows));
} finally {
  await rm(folder, { recursive: true });
}

function forms(crops) {
  return [
    { microBatch: crops, recompute: "never" },
    { microBatch: crops, recompute: "text" },
    { microBatch: crops, recompute: "always" },
    { microBatch: PIECE, recompute: "text" },
  ];
}

async function row(images, form) {
  const { seconds, tensors, peakBytes } = await step({ images, ...form, steps: Number(options.steps) });
  if (new Set(tensors).size > 1) throw new Error(`tensors grew from step to step: ${tensors.join(", ")}`);
  const recomputed = { never: "nothing", text: "prompts", always: "both towers" }[form.recompute];
  const size = `${images} x ${CROPS} crops`;
  const cells = [
    size,
    String(form.microBatch),
    recomputed,
    seconds.at(-1).toFixed(1),
    `${(peakBytes / 1e9).toFixed(2)} GB`,
  ];
  console.error(cells.join("  "));
  return cells;
}

/** Against the gradients with everything kept: of each tensor's largest entry, and of the norm of all. */
async function compare(images) {
  const [plain, ...others] = forms(images * CROPS);
  const want = await gradients(images, plain);
  for (const form of others) {
    const got = await gradients(images, form);
    const worst = largestDifference(got.tensors, want.tensors, true);
    const norm = Math.abs(got.norm / want.norm - 1);
    console.log(
      `${images} x ${CROPS}, ${form.microBatch} at once, recomputed: ${form.recompute}: gradients differ by at most ` +
        `${worst.toExponential(1)} of a tensor's largest entry, their norm by ${norm.toExponential(1)}`,
    );
  }
}

async function gradients(images, form) {
  const file = path.join(folder, "gradients.safetensors");
  const { norm } = await step({ images, ...form, gradients: file });
  const tensors = await readSafetensors(file);
  for (const [name, { values }] of tensors) {
    // Of the keys' biases the gradient is rounding alone: softmax does not see what all keys share
    if (name.endsWith("in_proj_bias")) values.fill(0, values.length / 3, (2 * values.length) / 3);
  }
  return { norm, tensors };
}

function step(settings) {
  const program = new URL("stepRun.mjs", import.meta.url).pathname;
  return measure(process.execPath, [program, JSON.stringify({ preset: options.preset, crops: CROPS, ...settings })]);
}
