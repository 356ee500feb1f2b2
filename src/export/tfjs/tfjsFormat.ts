import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeDurable } from "../../base/files.js";
import * as tf from "../../engine/tf.js";
import { Liqe } from "../../inference/liqe.js";
import type { ExportDtype } from "../../inference/manifest.js";
import {
  exportedShapes,
  MODEL_FILE,
  PROMPT_FEATURES,
  ROW_SCALE,
  type storedAs,
  type WeightSpecs,
} from "../../inference/weightSpecs.js";
import type { NamedArray } from "../../model/parameters/parameters.js";
import { toFloat16 } from "../../model/weights/dtypes.js";
import type { ExportFormat, ExportSource, ReadBack } from "../exportFormat.js";
import { scoreOfLogits } from "../golden/goldenScores.js";

type StoredAs = NonNullable<ReturnType<typeof storedAs>>;
const STORED_AS: Readonly<Partial<Record<ExportDtype, StoredAs>>> = { f32: "float32", f16: "float16", uint8: "uint8" };

/** Small tensors that all windows or prompts depend on: float32 whatever the type of the matrices. */
const ALWAYS_FLOAT32: readonly string[] = ["visual.positional_embedding", PROMPT_FEATURES];

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

/** Size of a shard, as TensorFlow.js's own converter cuts them: small enough for browsers' caches. */
export const SHARD_BYTES = 4 * 2 ** 20;

/** Number of levels on either side of zero, so that zero itself is exact. */
const STEPS = 127;

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
  const scales = rowScales(array);
  const quantization = { dtype: as, scale: 1 / STEPS, min: -1 };
  return [
    { entry: { ...entry, quantization }, byteLength: values.length, bytes: () => quantized(array, scales) },
    ...storeWeight(name + ROW_SCALE, { shape: [scales.length], values: scales }, "float32"),
  ];
}

/** Largest magnitude of each row; 1 for a row of zeros. */
function rowScales({ shape, values }: NamedArray): Float32Array {
  const rows = shape[0] ?? 1;
  const width = values.length / rows;
  return Float32Array.from({ length: rows }, (_, row) => {
    const largest = values.subarray(row * width, (row + 1) * width).reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    return largest === 0 ? 1 : largest;
  });
}

function quantized({ values }: NamedArray, scales: Float32Array): Uint8Array {
  const width = values.length / scales.length;
  return Uint8Array.from(values, (x, i) => Math.round((x / (scales[Math.floor(i / width)] ?? NaN) + 1) * STEPS));
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
