/**
 * The 495 prompts of LIQE through ViT-B/32's text tower: as one tree here, padded to 77 tokens each in PyTorch. Same
 * random weights, same machine, one run; features and gradients are compared, time and memory set side by side.
 *
 *     npm run build && node bench/textTower.mjs [--python PYTHON] [--runs 3]
 *
 * PYTHON has torch and safetensors. Each measurement is a process of its own, so that its peak memory is its own.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { PUBLISHED_LABELS } from "../dist/model/prompts/labels.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { promptGrid, PUBLISHED_TEMPLATE } from "../dist/model/prompts/promptGrid.js";
import { promptTree } from "../dist/model/text/promptTree.js";
import { tokenize } from "../dist/model/text/tokenizer.js";
import { readSafetensors } from "../dist/model/weights/safetensors.js";
import { seededRandom } from "../dist/base/random.js";
import { largestDifference, measure, median, saveTensors, table } from "./measure.mjs";

/** Prompts encoded at once by the padded form; the fastest is kept. */
const CHUNKS = { forward: [33, 99, 165, 495], gradients: [11, 33, 99] };

const { values: options } = parseArgs({
  options: { python: { type: "string", default: "python3" }, runs: { type: "string", default: "3" } },
});
const runs = Number(options.runs);
const architecture = PRESETS["vit-b-32"];
const { text, embedding } = architecture;
const prompts = promptGrid(PUBLISHED_TEMPLATE, PUBLISHED_LABELS).prompts.map((p) => tokenize(p, text.contextLength));

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  await writeInputs();
  const rows = [];
  for (const pass of ["forward", "gradients"]) rows.push(...(await compare(pass)));
  console.log(table(["pass", "form", "seconds", "spread", "peak memory"], rows));
  printWork();
} finally {
  await rm(folder, { recursive: true });
}

/** Alternates the two, run by run, so that both see the same machine. */
async function compare(pass) {
  const chunk = await bestChunk(pass);
  const results = { tree: [], padded: [] };
  for (let run = 0; run < runs; run++) {
    results.tree.push(await tree(pass));
    results.padded.push(await padded(pass, chunk));
  }
  const worst = largestDifference(await values(`${pass}-tree`), await values(`${pass}-padded`), pass === "gradients");
  const ratio = median(results.padded.map((r) => r.seconds)) / median(results.tree.map((r) => r.seconds));
  console.log(`${pass}: the tree is ${ratio.toFixed(1)} times faster; largest difference ${worst.toExponential(1)}`);
  return [
    [pass, "one tree", ...summary(results.tree)],
    [pass, `padded, ${chunk} prompts at once`, ...summary(results.padded)],
  ];
}

async function bestChunk(pass) {
  const tried = [];
  for (const chunk of CHUNKS[pass]) {
    const { seconds } = await padded(pass, chunk);
    console.log(`${pass}, padded, ${chunk} prompts at once: ${seconds.toFixed(1)} s`);
    tried.push({ chunk, seconds });
  }
  return tried.sort((a, b) => a.seconds - b.seconds)[0].chunk;
}

function tree(pass) {
  return measure(process.execPath, [new URL("textTowerTree.mjs", import.meta.url).pathname, folder, pass]);
}

function padded(pass, chunk) {
  const script = new URL("text_tower_padded.py", import.meta.url).pathname;
  return measure(options.python, [script, folder, pass, String(chunk)]);
}

function summary(results) {
  const seconds = results.map((result) => result.seconds);
  const peak = Math.max(...results.map((result) => result.peakBytes));
  return [
    `${median(seconds).toFixed(2)} s`,
    `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`,
    `${(peak / 1e9).toFixed(2)} GB`,
  ];
}

/** Weights of the text tower, the prompts, and what the features are multiplied with to make a scalar. */
async function writeInputs() {
  const weights = new Map([...initialParameters(architecture, 1)].filter(([name]) => !name.startsWith("visual.")));
  await saveTensors(path.join(folder, "weights.safetensors"), weights);
  await writeFile(path.join(folder, "prompts.json"), JSON.stringify({ prompts, heads: text.heads }));
  const random = seededRandom(1, "bench", "cotangent");
  const cotangent = Float32Array.from({ length: prompts.length * embedding }, () => random.normal());
  const shape = [prompts.length, embedding];
  await saveTensors(path.join(folder, "cotangent.safetensors"), new Map([["cotangent", { shape, values: cotangent }]]));
}

function values(name) {
  return readSafetensors(path.join(folder, `${name}.safetensors`));
}

/** How much of the gain is less arithmetic, and how much is the price of the tree's odd shapes. */
function printWork() {
  const { trunk, groups, groupSize, nodes } = promptTree(prompts);
  const rows = trunk + groups * groupSize;
  const forRows = (n, seen) => text.layers * (2 * 12 * text.width ** 2 * n + 4 * text.width * n * seen);
  const paddedWork = forRows(prompts.length * text.contextLength, text.contextLength);
  const treeWork = forRows(rows, trunk + groupSize);
  console.log(
    `${nodes} nodes in ${rows} rows against ${prompts.length * text.contextLength} padded positions: ` +
      `${(treeWork / 1e12).toFixed(3)} against ${(paddedWork / 1e12).toFixed(2)} TFLOP forward, ` +
      `${(paddedWork / treeWork).toFixed(1)} times less`,
  );
}
