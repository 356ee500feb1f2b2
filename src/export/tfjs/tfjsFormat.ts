import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeDurable } from "../../base/files.js";
import * as tf from "../../engine/tf.js";
import { Liqe } from "../../inference/liqe.js";
import { exportedShapes, MODEL_FILE, PROMPT_FEATURES, type StoredAs } from "../../inference/weightSpecs.js";
import type { ExportFormat, ExportSource, ReadBack } from "../exportFormat.js";
import type { ExportDtype } from "../exportManifest.js";
import { scoreOfLogits } from "../golden/goldenScores.js";
import { type StoredWeight, storeWeight, writeShards } from "./tfjsWeights.js";

const STORED_AS: Readonly<Partial<Record<ExportDtype, StoredAs>>> = { f32: "float32", f16: "float16", uint8: "uint8" };

/** Small, and what all windows or prompts go by: they stay float32 whatever the matrices are stored as. */
const ALWAYS_FLOAT32: readonly string[] = ["visual.positional_embedding", PROMPT_FEATURES];

/**
 * TensorFlow.js's weights manifest and shards, for `liqe-train/inference`: the image tower, and in place of the text
 * tower what it makes of the prompts.
 */
export const tfjsFormat: ExportFormat = {
  name: "tfjs",
  dtypes: ["f32", "f16", "uint8"],
  examples: [
    {
      title: "Browsers",
      language: "js",
      code: `
import "@tensorflow/tfjs-backend-webgl";
import { Liqe } from "liqe-train/inference";

const liqe = await Liqe.load("https://example.org/this-folder/");
const { quality, scene, distortion } = await liqe.score(await createImageBitmap(file));`,
    },
    {
      title: "Node",
      language: "js",
      code: `
import "@tensorflow/tfjs-backend-wasm"; // or @tensorflow/tfjs-node
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { Liqe } from "liqe-train/inference";

const liqe = await Liqe.load((name) => readFile(\`this-folder/\${name}\`));
const { data, info } = await sharp("photo.jpg").removeAlpha().raw().toBuffer({ resolveWithObject: true });
console.log(await liqe.score({ width: info.width, height: info.height, data }));`,
    },
  ],
  check: () => Promise.resolve(),
  write: async (folder, source, dtype) => {
    const specs = await writeShards(folder, storedWeights(source, STORED_AS[dtype] ?? "float32"));
    const model = { format: "liqe", generatedBy: `liqe-train ${source.packageVersion}`, weightsManifest: [specs] };
    await writeDurable(path.join(folder, MODEL_FILE), (handle) => handle.writeFile(`${JSON.stringify(model)}\n`));
  },
  open: readBackWithLiqe,
};

function storedWeights({ architecture, grid, weights, promptFeatures }: ExportSource, as: StoredAs): StoredWeight[] {
  const shapes = exportedShapes(architecture, grid.axes);
  return [...shapes].flatMap(([name, shape]) => {
    const values = name === PROMPT_FEATURES ? promptFeatures : weights.get(name)?.values;
    if (values === undefined) throw new Error(`internal: tfjsFormat: the weights have no ${name}`);
    const isSmall = shape.length < 2 || ALWAYS_FLOAT32.includes(name);
    return storeWeight(name, { shape, values }, isSmall ? "float32" : as);
  });
}

async function readBackWithLiqe(folder: string): Promise<ReadBack> {
  const liqe = await Liqe.load((name) => readFile(path.join(folder, name)));
  const { axes } = liqe.manifest.prompts;
  return {
    runtime: `TensorFlow.js ${tf.version_core} (${tf.getBackend()})`,
    score: async ({ rows, cols, pixels }) => {
      const score = await liqe.score({ width: cols, height: rows, data: pixels });
      const probabilities = axes.map(({ axis, labels }) => [
        axis,
        labels.map((label) => score.probabilities[axis]?.[label] ?? NaN),
      ]);
      return {
        quality: score.quality,
        cropQualities: score.crops.map(({ quality }) => quality),
        joint: scoreOfLogits(score.logits, axes).joint,
        probabilities: Object.fromEntries(probabilities) as ReturnType<typeof scoreOfLogits>["probabilities"], // as made above
      };
    },
    close: () => {
      liqe.dispose();
      return Promise.resolve();
    },
  };
}
