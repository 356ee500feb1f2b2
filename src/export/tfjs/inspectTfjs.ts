import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { openExport, openSource } from "../../inference/loadWeights.js";
import type { TfjsManifest } from "../../inference/manifest.js";
import { MODEL_FILE, storedAs } from "../../inference/weightSpecs.js";
import { sizeOf } from "../../model/parameters/shapes.js";

/** Report of `liqe weights inspect` on weights for TensorFlow.js. */
export interface TfjsReport extends Pick<TfjsManifest, "dtype" | "package" | "model" | "prompts" | "score"> {
  readonly file: string;
  readonly format: "TensorFlow.js";
  readonly shards: number;
  /** Size of all shards. */
  readonly bytes: number;
  /** Count of numbers in its tensors. */
  readonly parameters: number;
  readonly dtypes: Readonly<Record<string, number>>;
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
}

/** Folder of an export, given that folder or the model.json in it; null for anything else. */
export async function tfjsFolder(file: string): Promise<string | null> {
  const folder = path.basename(file) === MODEL_FILE ? path.dirname(file) : file;
  const found = await stat(path.join(folder, MODEL_FILE)).catch(() => null);
  return found?.isFile() === true ? folder : null;
}

/** Reads an export and checks its files. @throws {CheckpointError} where `Liqe.load` would refuse it */
export async function inspectTfjs(folder: string): Promise<TfjsReport> {
  const inFolder = (name: string) => path.join(folder, name);
  const { read } = openSource((name) => readFile(inFolder(name)));
  const { manifest, specs, shards } = await openExport({ where: inFolder, read });
  const sizes = (await shards()).map(({ byteLength }) => byteLength);
  const tensors = specs.weights.map((entry) => {
    return { name: entry.name, dtype: storedAs(entry) ?? entry.dtype, shape: entry.shape };
  });
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
