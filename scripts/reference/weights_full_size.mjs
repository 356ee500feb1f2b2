/**
 * Features of a full-size CLIP from each weight format against PyTorch's, as weights_full_size.py wrote them.
 *
 *     npm run build && node scripts/reference/weights_full_size.mjs FOLDER
 */
import { performance } from "node:perf_hooks";
import { startEngine } from "../../dist/engine/engine.js";
import { LiqeModel } from "../../dist/model/liqe.js";
import { PUBLISHED_LABELS } from "../../dist/model/prompts/labels.js";
import { promptGrid, PUBLISHED_TEMPLATE } from "../../dist/model/prompts/promptGrid.js";
import { loadParameters } from "../../dist/model/weights/loadParameters.js";
import { readSafetensors } from "../../dist/model/weights/safetensors.js";

const FILES = ["hf-f32.safetensors", "openai-bf16.safetensors", "openai-f16.pt", "openai-f16-jit.pt"];

const [folder = "."] = process.argv.slice(2);
const { description } = await startEngine("auto");
const expected = await readSafetensors(`${folder}/expected.safetensors`);
const pixels = Uint8Array.from(expected.get("pixels").values);
console.log(description);
for (const file of FILES) {
  const started = performance.now();
  const { parameters } = await loadParameters(`${folder}/${file}`, { preset: "vit-b-32" });
  const seconds = (performance.now() - started) / 1000;
  const model = new LiqeModel(parameters, promptGrid(PUBLISHED_TEMPLATE, PUBLISHED_LABELS));
  const images = expected.get("image_features").shape[0];
  const image = furthest(model.encodeImages(model.patches(pixels), images), "image_features");
  const folded = furthest(model.imageFeatures(pixels), "image_features");
  const text = furthest(model.encodePrompts(), "text_features");
  const peak = process.resourceUsage().maxRSS / 1024;
  console.log(
    `${file.padEnd(26)} read in ${seconds.toFixed(1)} s; largest difference: ` +
      `image ${image.toExponential(1)}, for scoring ${folded.toExponential(1)}, text ${text.toExponential(1)}; ${peak.toFixed(0)} MiB at most so far`,
  );
  model.dispose();
}

/** The largest difference between any two numbers. */
function furthest(features, name) {
  const values = features.dataSync();
  return expected.get(name).values.reduce((worst, want, i) => Math.max(worst, Math.abs(values[i] - want)), 0);
}
