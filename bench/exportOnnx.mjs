/**
 * What ONNX exports cost to load and to score with, beside this package's own engine: one image of 15 crops, each
 * measured in turn in one process, the median of several rounds.
 *
 *     npm run build && node bench/exportOnnx.mjs WEIGHTS EXPORT/onnx... [--rounds N]
 *
 * WEIGHTS is what was exported. Threads are each engine's own choice.
 */
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import * as ort from "onnxruntime-node";
import { evaluationCrops } from "../dist/model/preprocess/crops.js";
import { startEngine } from "../dist/engine/engine.js";
import { goldenImage } from "../dist/export/golden/goldenImages.js";
import { LiqeModel } from "../dist/model/liqe.js";
import { promptGrid } from "../dist/model/prompts/promptGrid.js";
import { ModelScorer } from "../dist/model/scorer.js";
import { loadParameters } from "../dist/model/weights/loadParameters.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" } },
});
const [weights, ...folders] = positionals;
const rounds = Number(values.rounds);
const CROPS = 15;
const image = goldenImage(7); // of 36 windows

const { description } = await startEngine("auto");
console.log(
  `${description}; onnxruntime ${JSON.parse(await readFile("node_modules/onnxruntime-node/package.json")).version}`,
);
const jobs = [];
for (const folder of folders) {
  const { dtype } = JSON.parse(await readFile(path.join(folder, "manifest.json"), "utf8"));
  const file = path.join(folder, "model-image.onnx");
  const started = performance.now();
  const session = await ort.InferenceSession.create(file);
  const loaded = performance.now() - started;
  const fed = { image: new ort.Tensor("uint8", image.pixels, [image.rows, image.cols, 3]) };
  const score = () => session.run(fed);
  jobs.push({ name: `onnx ${dtype}`, megabytes: statSync(file).size / 1e6, loaded, score, times: [] });
}
const started = performance.now();
const { parameters } = await loadParameters(weights);
const scorer = new ModelScorer(new LiqeModel(parameters, promptGrid()));
const loaded = performance.now() - started;
scorer.logits(evaluationCrops(image, 1)); // encodes the prompts
const own = () => Promise.resolve(scorer.logits(evaluationCrops(image, CROPS)));
jobs.push({ name: "liqe-train", megabytes: statSync(weights).size / 1e6, loaded, score: own, times: [] });

for (const { score } of jobs) await score(); // the first is slower
for (let round = 0; round < rounds; round++) {
  for (const job of jobs) {
    const begun = performance.now();
    await job.score();
    job.times.push(performance.now() - begun);
  }
}
for (const { name, megabytes, loaded: ms, times } of jobs) {
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
  console.log(
    `${name.padEnd(12)} ${megabytes.toFixed(1).padStart(7)} MB, loaded in ${(ms / 1000).toFixed(2)} s, ` +
      `${CROPS} crops in ${(median / 1000).toFixed(2)} s (${times.map((time) => (time / 1000).toFixed(2)).join(", ")})`,
  );
}
