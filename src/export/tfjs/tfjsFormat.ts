import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeDurable } from "../../base/files.js";
import * as tf from "../../engine/tf.js";
import { Liqe } from "../../inference/liqe.js";
import type { ExportDtype } from "../../inference/manifest.js";
import { exportedShapes, MODEL_FILE, ROW_SCALE, type storedAs, type WeightSpecs } from "../../inference/weightSpecs.js";
import { PROMPT_FEATURES } from "../../model/parameters/learnedPrompts.js";
import { isVision, type NamedArray } from "../../model/parameters/parameters.js";
import { RESNET_POSITIONS, SIGLIP_PROBE, VIT_POSITIONS } from "../../model/parameters/shapes.js";
import { throughFloat16, toFloat16 } from "../../model/weights/dtypes.js";
import type { ExportFormat, ExportSource, ReadBack, Storage } from "../exportFormat.js";
import { scoreOfLogits } from "../golden/goldenScores.js";
import { dequantizedRows, LARGEST_INT8, quantizeRows } from "../precision/quantizeRows.js";

type StoredAs = NonNullable<ReturnType<typeof storedAs>>;
const STORED_AS: Readonly<Partial<Record<ExportDtype, StoredAs>>> = { f32: "float32", f16: "float16", uint8: "uint8" };

/** Small tensors that all windows depend on: float32 whatever the type of the matrices. */
const ALWAYS_FLOAT32: readonly string[] = [VIT_POSITIONS, RESNET_POSITIONS, SIGLIP_PROBE];

/** Weights for `liqe-train/inference`: the prompts' features stand in place of the text encoder. */
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
  rounded: (name, array, dtype) => {
    if (!isRounded(name, array.shape)) return null;
    if (dtype === "f16") return throughFloat16(name, array.values);
    return dtype === "uint8" ? dequantizedRows(quantizeRows(array.values, array.shape[0] ?? 1)) : null;
  },
  write: async (folder, source, storage) => {
    const specs = await writeShards(folder, storedWeights(source, storage));
    const model = { format: "liqe", generatedBy: `liqe-train ${source.packageVersion}`, weightsManifest: [specs] };
    await writeDurable(path.join(folder, MODEL_FILE), (handle) => handle.writeFile(`${JSON.stringify(model)}\n`));
  },
  open: readBackWithLiqe,
};

/** True for the tensors that smaller types are about: matrices of the image tower. */
function isRounded(name: string, shape: readonly number[]): boolean {
  return isVision(name) && shape.length >= 2 && !ALWAYS_FLOAT32.includes(name);
}

function storedWeights(
  { architecture, grid, weights, promptFeatures }: ExportSource,
  { dtype, exact }: Storage,
): StoredWeight[] {
  const as = STORED_AS[dtype] ?? "float32";
  const shapes = exportedShapes(architecture, grid.axes);
  return [...shapes].flatMap(([name, shape]) => {
    const values = name === PROMPT_FEATURES ? promptFeatures : weights.get(name)?.values;
    if (values === undefined) throw new Error(`internal: tfjsFormat: the weights have no ${name}`);
    return storeWeight(name, { shape, values }, isRounded(name, shape) && !exact.has(name) ? as : "float32");
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

/** Size of a shard, as TensorFlow.js's own converter cuts them: small enough for browsers' caches. */
export const SHARD_BYTES = 4 * 2 ** 20;

interface StoredWeight {
  readonly entry: tf.io.WeightsManifestEntry;
  readonly byteLength: number;
  readonly bytes: () => Uint8Array;
}

/** A weight as one entry; with uint8 as two, the matrix and the scale of its rows. */
export function storeWeight(name: string, array: NamedArray, as: StoredAs): StoredWeight[] {
  const { shape, values } = array;
  const entry = { name, shape: [...shape], dtype: "float32" as const };
  if (as === "float32") return [{ entry, byteLength: values.byteLength, bytes: () => bytesOf(values) }];
  if (as === "float16") {
    const half = { ...entry, quantization: { dtype: as } };
    return [{ entry: half, byteLength: 2 * values.length, bytes: () => bytesOf(toFloat16(name, values)) }];
  }
  const { scales, quantized } = quantizeRows(values, shape[0] ?? 1);
  const reaches = scales.map((scale) => LARGEST_INT8 * scale); // what stands for 1
  const quantization = { dtype: as, scale: 1 / LARGEST_INT8, min: -1 };
  const bytes = () => Uint8Array.from(quantized, (integer) => integer + LARGEST_INT8); // so that zero itself is exact
  return [
    { entry: { ...entry, quantization }, byteLength: values.length, bytes },
    ...storeWeight(name + ROW_SCALE, { shape: [reaches.length], values: reaches }, "float32"),
  ];
}

/** Writes weights into shards of 4 MiB, one in memory at a time. @returns the shards' paths and the weights' entries */
export async function writeShards(folder: string, weights: readonly StoredWeight[]): Promise<WeightSpecs> {
  const total = weights.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const count = Math.ceil(total / SHARD_BYTES);
  const paths = Array.from({ length: count }, (_, i) => `group1-shard${i + 1}of${count}.bin`);
  const shard = new Uint8Array(SHARD_BYTES);
  let filled = 0;
  let next = 0;
  const flush = async () => {
    const name = paths[next++] ?? "";
    await writeDurable(path.join(folder, name), (handle) => handle.writeFile(shard.subarray(0, filled)));
    filled = 0;
  };
  for (const { bytes } of weights) {
    const all = bytes();
    for (let at = 0; at < all.length;) {
      const piece = all.subarray(at, at + SHARD_BYTES - filled);
      shard.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled === SHARD_BYTES) await flush();
    }
  }
  if (filled > 0) await flush();
  return { paths, weights: weights.map(({ entry }) => entry) };
}

function bytesOf({ buffer, byteOffset, byteLength: length }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}
