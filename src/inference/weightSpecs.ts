import { CheckpointError } from "../base/errors.js";
import type * as tf from "../engine/tf.js";
import type { Architecture } from "../model/architecture/architecture.js";
import { differencesFrom, someOf } from "../model/architecture/inferArchitecture.js";
import { PROMPT_FEATURES } from "../model/parameters/learnedPrompts.js";
import { isVision } from "../model/parameters/parameters.js";
import { parameterShapes, type Shapes, sizeOf } from "../model/parameters/shapes.js";
import type { TaskAxis } from "../model/prompts/promptGrid.js";
import { isRecord, type TfjsManifest } from "./manifest.js";

/** TensorFlow.js's own description of weights: the files, and the tensors in them. */
export const MODEL_FILE = "model.json";

/**
 * Suffix of a uint8 matrix's scales, [rows], float32: the largest magnitude of each row, whose numbers are stored in
 * [-1, 1], in 255 steps. TensorFlow.js itself has one scale for a whole tensor, which a few large weights would spoil.
 */
export const ROW_SCALE = ".row_scale";

/** Bytes of a number, by its stored type. */
const STORED_BYTES = { float32: 4, float16: 2, uint8: 1 } as const;
type StoredAs = keyof typeof STORED_BYTES;

/** Contents of an export's model.json: its shards in a row hold the tensors in a row. */
export interface WeightSpecs {
  readonly paths: readonly string[];
  readonly weights: readonly tf.io.WeightsManifestEntry[];
}

/** Shapes of an export's tensors: the image encoder's under OpenAI's names, and the prompts' features. */
export function exportedShapes(architecture: Architecture, axes: readonly TaskAxis[]): Shapes {
  const prompts = axes.reduce((product, { labels }) => product * labels.length, 1);
  const vision = [...parameterShapes(architecture)].filter(([name]) => isVision(name));
  return new Map([...vision, [PROMPT_FEATURES, [prompts, architecture.embedding]]]);
}

/**
 * Reads model.json and checks it against the manifest: names, shapes, files and their sizes.
 * @param where  the file or address, for messages
 * @throws {CheckpointError} naming what does not fit
 */
export function readWeightSpecs(where: string, json: unknown, manifest: TfjsManifest): WeightSpecs {
  const groups = isRecord(json) ? json["weightsManifest"] : undefined;
  const group: unknown = Array.isArray(groups) && groups.length === 1 ? groups[0] : undefined;
  if (!isRecord(group) || !Array.isArray(group["paths"]) || !Array.isArray(group["weights"])) {
    throw new CheckpointError(`${where}: has no weightsManifest with one group of paths and weights`);
  }
  const problems = [
    ...group["paths"].filter((path) => fileOf(manifest, path) === undefined).map((path) => `${show(path)} is no file`),
    ...group["weights"].filter((entry) => storedAs(entry) === null).map((entry) => `${show(entry)} is no weight`),
  ];
  if (problems.length > 0) refuse(where, problems);
  const specs = group as unknown as WeightSpecs; // each entry was checked
  const needed = new Map([...exportedShapes(manifest.model.architecture, manifest.prompts.axes), ...rowScales(specs)]);
  const different = [...shapeProblems(specs, needed), ...sizeProblems(specs, manifest)];
  if (different.length > 0) refuse(where, different);
  return specs;
}

/** Stored type of a weight; null where the entry is not one that is read here. */
export function storedAs(entry: unknown): StoredAs | null {
  if (!isRecord(entry) || typeof entry["name"] !== "string" || entry["dtype"] !== "float32") return null;
  const { shape, quantization } = entry;
  if (!Array.isArray(shape) || !shape.every((axis) => Number.isSafeInteger(axis) && axis > 0)) return null;
  if (quantization === undefined) return "float32";
  if (!isRecord(quantization)) return null;
  if (quantization["dtype"] === "float16") return "float16";
  const isAffine = Number.isFinite(quantization["scale"]) && Number.isFinite(quantization["min"]);
  return quantization["dtype"] === "uint8" && isAffine ? "uint8" : null;
}

function rowScales({ weights }: WeightSpecs): Shapes {
  const stored = weights.filter((entry) => storedAs(entry) === "uint8");
  return new Map(stored.map(({ name, shape }) => [name + ROW_SCALE, shape.slice(0, 1)]));
}

function shapeProblems({ weights }: WeightSpecs, needed: Shapes): string[] {
  const found = new Map(weights.map(({ name, shape }) => [name, shape]));
  return [...(weights.length === found.size ? [] : ["a name stands twice"]), ...differencesFrom(needed, found)];
}

function sizeProblems({ paths, weights }: WeightSpecs, manifest: TfjsManifest): string[] {
  const inFiles = paths.reduce((sum, path) => sum + (fileOf(manifest, path)?.bytes ?? NaN), 0);
  const needed = weights.reduce(
    (sum, entry) => sum + sizeOf(entry.shape) * STORED_BYTES[storedAs(entry) ?? "float32"],
    0,
  );
  return inFiles === needed ? [] : [`its files have ${inFiles} bytes, its tensors need ${needed}`];
}

/** A file beside the manifest, by its plain name; undefined for a path that leads out of the folder. */
function fileOf({ files }: TfjsManifest, path: unknown) {
  const isPlain = typeof path === "string" && /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(path);
  return isPlain && Object.hasOwn(files, path) ? files[path] : undefined;
}

function refuse(where: string, problems: readonly string[]): never {
  throw new CheckpointError(`${where}: does not fit its manifest: ${someOf(problems)}; export it again`);
}

function show(value: unknown): string {
  return JSON.stringify(value);
}
