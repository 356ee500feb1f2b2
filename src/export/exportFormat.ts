import { ConfigError } from "../base/errors.js";
import type { SavedResults } from "../evaluate/results/splitSummary.js";
import type { ExportDtype, ExportFormatName } from "../inference/manifest.js";
import type { Architecture } from "../model/architecture/architecture.js";
import type { PresetName } from "../model/architecture/presets.js";
import { hasLearnedPrompts } from "../model/parameters/learnedPrompts.js";
import type { NamedArray, NamedArrays } from "../model/parameters/parameters.js";
import type { Image } from "../model/preprocess/image.js";
import type { Task, PromptGrid } from "../model/prompts/promptGrid.js";
import type { TextTokenizer } from "../model/text/tokenizer.js";
import { keepsFewTokens } from "../model/weights/keptTokens.js";
import { type FloatDtype, throughFloat16 } from "../model/weights/dtypes.js";

/** A photograph that exports have to score as the weights do: rounded weights show there otherwise than in drawn images. */
export interface Photograph {
  readonly file: string;
  readonly image: Image;
}

/** Model to export; all of it borrowed. */
export interface ExportSource {
  readonly architecture: Architecture;
  /** Under OpenAI's names, float32. */
  readonly weights: NamedArrays;
  /** Of the weights, where they have their own; exports of both towers hold its files. */
  readonly tokenizer?: TextTokenizer | null | undefined;
  readonly grid: PromptGrid;
  /** [prompts, embedding], row-major: unit rows, in the grid's order. */
  readonly promptFeatures: Float32Array;
  /** Record of the training, for the manifest; null where there is none. */
  readonly training: Readonly<Record<string, unknown>> | null;
  /** Measures of these weights by their run's `results.json`, for model cards; null where there are none. */
  readonly results: SavedResults | null;
  readonly packageVersion: string;
  /** Photographs that exports are compared on, beside the generated images. */
  readonly photographs: readonly Photograph[];
}

/** A runtime's scores of one image. */
export interface RuntimeScore {
  /** By logits averaged over the image's crops, then one softmax. */
  readonly quality: number;
  /** By each crop alone, in the order of the image's windows. */
  readonly cropQualities: readonly number[];
  /** [prompts], of the image: sums to 1. */
  readonly joint: ArrayLike<number>;
  /** By the axes of the prompts. */
  readonly probabilities: Readonly<Partial<Record<Task, ArrayLike<number>>>>;
}

/** An export opened by the runtime that it was made for; keeps its memory until `close()`. */
export interface ReadBack {
  /** Name and version, such as "onnxruntime-node 1.22.0". */
  readonly runtime: string;
  readonly score: (image: Image) => Promise<RuntimeScore>;
  /** Scores by the export's other models: one that cuts the crops itself, one for another runtime. */
  readonly others?: readonly ((image: Image) => Promise<RuntimeScore>)[];
  readonly close: () => Promise<void>;
}

/** Storage of an export's weights. */
export interface Storage {
  readonly dtype: ExportDtype;
  /** Tensors that are float32 in spite of it, as their rounding would show. */
  readonly exact: ReadonlySet<string>;
}

interface Example {
  readonly title: string;
  readonly language: string;
  /** Text, or one for windows of a side in pixels. */
  readonly code: string | ((window: number) => string);
  /** The one preset that it works for; all models by default. */
  readonly preset?: PresetName;
}

/** Front matter of a README, with its lines of dashes, and text before its code. */
export interface Card {
  readonly frontMatter: string;
  readonly text: string;
}

export interface ExportFormat {
  readonly name: ExportFormatName;
  /** Types that weights can be stored as; the first is the default. */
  readonly dtypes: readonly [ExportDtype, ...ExportDtype[]];
  /** Code that uses the weights, for the README. */
  readonly examples: readonly Example[];
  /** Parts of the README that only this format has. */
  readonly card?: (source: ExportSource) => Card;
  /**
   * Checks a model before anything is computed.
   * @throws {ConfigError} where this model cannot be written in the format
   * @throws {EngineError} where the runtime that reads the export back is not installed
   */
  readonly check: (source: ExportSource) => Promise<void>;
  /** Values of a tensor as they are read back; null where this type stores it as it is. */
  readonly rounded: (name: string, array: NamedArray, dtype: ExportDtype) => Float32Array | null;
  /** Writes the weight files, and what their readers need beside them, into an empty folder, and waits for the disk. */
  readonly write: (folder: string, source: ExportSource, storage: Storage) => Promise<void>;
  /** Opens a folder with weights, manifest and golden scores; scores by the folder's contents alone. */
  readonly open: (folder: string, source: ExportSource) => Promise<ReadBack>;
}

/**
 * Refusal of a model whose token table keeps the words of its own prompts alone, for formats that hold a text encoder.
 * @throws {ConfigError} naming formats that hold the prompts' features
 */
export function refuseFewTokens(format: ExportFormatName, { weights }: Pick<ExportSource, "weights">): void {
  if (!keepsFewTokens(weights)) return;
  throw new ConfigError(
    `${format}: its readers may encode any prompt, and this model keeps the words of its own prompts alone; export onnx ` +
      "or tfjs, which hold their features",
  );
}

/**
 * Refusal of a model whose prompts were learned, for formats that hold a text encoder to make their features with.
 * @throws {ConfigError} naming formats that hold the features themselves
 */
export function refuseLearnedPrompts(format: ExportFormatName, { weights }: Pick<ExportSource, "weights">): void {
  if (!hasLearnedPrompts(weights)) return;
  throw new ConfigError(
    `${format}: its readers encode the prompts themselves, and this model's prompts were learned (train.tune: probe or ` +
      "prompts); export onnx, tfjs or hub, which hold their features",
  );
}

/** Type of a state dict's tensor: f16 is for matrices and embeddings, as biases, norms and the logit scale take no room. */
export function storedAs({ dtype, exact }: Storage, name: string, shape: readonly number[]): FloatDtype {
  return dtype === "f16" && shape.length >= 2 && !exact.has(name) ? "F16" : "F32";
}

/** `ExportFormat.rounded` of state dicts. */
export function roundedInStateDict(name: string, array: NamedArray, dtype: ExportDtype): Float32Array | null {
  return storedAs({ dtype, exact: new Set() }, name, array.shape) === "F16" ? throughFloat16(name, array.values) : null;
}
