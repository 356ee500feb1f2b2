/** How TensorFlow.js stores weights: entries that say name, shape and type, and their bytes in shards. */
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { writeDurable } from "../../base/files.js";
import type * as tf from "../../engine/tf.js";
import { openExport } from "../../inference/loadWeights.js";
import type { TfjsManifest } from "../../inference/manifest.js";
import { openSource } from "../../inference/source.js";
import {
  MODEL_FILE,
  ROW_SCALE,
  STORED_BYTES,
  storedAs,
  type StoredAs,
  type WeightSpecs,
} from "../../inference/weightSpecs.js";
import type { NamedArray } from "../../model/parameters/parameters.js";
import { sizeOf } from "../../model/parameters/shapes.js";
import { toFloat16 } from "../../model/weights/dtypes.js";

/** As TensorFlow.js' own converter cuts them: small enough for browsers to keep in their caches. */
export const SHARD_BYTES = 4 * 2 ** 20;

/** Levels on either side of zero, so that zero itself is exact. */
const STEPS = 127;

/** One entry of the weights manifest and what it stores. */
export interface StoredWeight {
  readonly entry: tf.io.WeightsManifestEntry;
  readonly bytes: () => Uint8Array;
}

/** A weight as one entry, or as two: with uint8, a matrix and the scale of its rows. */
export function storeWeight(name: string, array: NamedArray, as: StoredAs): StoredWeight[] {
  const { shape, values } = array;
  const entry = { name, shape: [...shape], dtype: "float32" as const };
  if (as === "float32") return [{ entry, bytes: () => bytesOf(values) }];
  if (as === "float16") {
    return [{ entry: { ...entry, quantization: { dtype: as } }, bytes: () => bytesOf(toFloat16(name, values)) }];
  }
  const scales = rowScales(array);
  const scale: StoredWeight = {
    entry: { name: name + ROW_SCALE, shape: [scales.length], dtype: "float32" },
    bytes: () => bytesOf(scales),
  };
  const quantization = { dtype: as, scale: 1 / STEPS, min: -1 };
  return [{ entry: { ...entry, quantization }, bytes: () => quantized(array, scales) }, scale];
}

/** The largest magnitude of each row; 1 for a row of zeros. */
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

/**
 * Writes weights one after the other into shards of 4 MiB; one weight and one shard are in memory at a time.
 *
 * @returns what model.json says of them
 */
export async function writeShards(folder: string, weights: readonly StoredWeight[]): Promise<WeightSpecs> {
  const total = weights.reduce((sum, { entry }) => sum + byteLength(entry), 0);
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

function byteLength(entry: tf.io.WeightsManifestEntry): number {
  return sizeOf(entry.shape) * STORED_BYTES[storedAs(entry) ?? "float32"];
}

function bytesOf({ buffer, byteOffset, byteLength: length }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** What `liqe weights inspect` tells about weights for TensorFlow.js. */
export interface TfjsReport extends Pick<TfjsManifest, "dtype" | "package" | "model" | "prompts" | "score"> {
  readonly file: string;
  readonly format: "TensorFlow.js";
  readonly shards: number;
  /** Of all shards. */
  readonly bytes: number;
  /** How many numbers its tensors hold. */
  readonly parameters: number;
  readonly dtypes: Readonly<Record<string, number>>;
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
}

/** The export's folder, where this is one with a model.json, or the model.json of one; else null. */
export async function tfjsFolder(file: string): Promise<string | null> {
  const folder = path.basename(file) === MODEL_FILE ? path.dirname(file) : file;
  const found = await stat(path.join(folder, MODEL_FILE)).catch(() => null);
  return found?.isFile() === true ? folder : null;
}

/**
 * Reads an export through: that every file has the size and SHA-256 that the manifest says is part of what is told.
 *
 * @throws {CheckpointError} where `Liqe.load` would refuse it too
 */
export async function inspectTfjs(folder: string): Promise<TfjsReport> {
  const inFolder = (name: string) => path.join(folder, name);
  const { read } = openSource((name) => readFile(inFolder(name)));
  const { manifest, specs, shards } = await openExport({ where: inFolder, read });
  const sizes = (await shards()).map(({ byteLength }) => byteLength);
  const tensors = specs.weights.map((entry) => ({
    ...{ name: entry.name, dtype: storedAs(entry) ?? entry.dtype, shape: entry.shape },
  }));
  const count = (dtype: string) => tensors.filter((tensor) => tensor.dtype === dtype).length;
  const { dtype, package: writer, model, prompts, score } = manifest;
  return {
    ...{ file: folder, format: "TensorFlow.js", dtype, package: writer, model, prompts, score },
    ...{ shards: sizes.length, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) },
    parameters: tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    dtypes: Object.fromEntries([...new Set(tensors.map((tensor) => tensor.dtype))].map((name) => [name, count(name)])),
    tensors,
  };
}
