/**
 * Forward passes of full-size image encoders with random weights, each in a process of its own: seconds of the evaluation
 * windows of one image, and the process's highest resident memory (weights, of which the text tower's are a part, included).
 *
 *     npm run build && node bench/encoders.mjs [--encoders vit-b-32,rn50,vit-h-14] [--crops 15] [--runs 3]
 */
import { execFileSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { imageFlops } from "../dist/model/flops.js";
import { startEngine } from "../dist/engine/engine.js";
import { LiqeModel } from "../dist/model/liqe.js";
import { promptGrid } from "../dist/model/prompts/promptGrid.js";
import { median, table } from "./measure.mjs";

const { values: options } = parseArgs({
  options: {
    encoders: { type: "string", default: "vit-b-32,rn50,vit-h-14" },
    crops: { type: "string", default: "15" },
    runs: { type: "string", default: "3" },
    child: { type: "string" },
  },
});

/** LAION's ViT-H/14, which has no preset. */
const H14 = {
  vision: { width: 1280, layers: 32, heads: 16, activation: "gelu", imageSize: 224, patchSize: 14, stem: "patch" },
  text: { width: 1024, layers: 24, heads: 16, activation: "gelu", contextLength: 77, vocabulary: 49_408 },
  embedding: 1024,
};
const architectureOf = (name) => (name === "vit-h-14" ? H14 : PRESETS[name]);

if (options.child === undefined) {
  const rows = options.encoders.split(",").map((name) => {
    const output = execFileSync(process.execPath, [import.meta.filename, "--child", name, ...process.argv.slice(2)]);
    const { seconds, peakBytes } = JSON.parse(output);
    const flops = Number(options.crops) * imageFlops(architectureOf(name));
    return [name, seconds.toFixed(2), (flops / 1e9).toFixed(0), (peakBytes / 1e9).toFixed(1)];
  });
  console.log(table(["encoder", `s for ${options.crops} crops`, "GFLOP", "peak GB"], rows));
} else {
  const architecture = architectureOf(options.child);
  await startEngine("auto");
  const model = new LiqeModel(initialParameters(architecture, 1), promptGrid("a photo with {quality} quality"), {
    architecture,
  });
  const pixels = new Uint8Array(Number(options.crops) * model.cropSize).map((_, i) => (i * 7919) % 251);
  const seconds = [];
  for (let run = 0; run <= Number(options.runs); run++) {
    const start = performance.now();
    const features = model.imageFeatures(pixels);
    await features.data();
    features.dispose();
    seconds.push((performance.now() - start) / 1000);
  }
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ seconds: median(seconds.slice(1)), peakBytes }));
}
