import type { Architecture } from "../model/architecture/architecture.js";
import type { PresetName } from "../model/architecture/presets.js";
import type { NamedArrays } from "../model/parameters/parameters.js";
import type { Image } from "../model/preprocess/image.js";
import type { PromptAxis, PromptGrid } from "../model/prompts/promptGrid.js";
import type { FloatDtype } from "../model/weights/dtypes.js";
import type { ExportDtype, ExportFormatName } from "./exportManifest.js";

/** What is exported; all of it borrowed. */
export interface ExportSource {
  readonly architecture: Architecture;
  /** Under OpenAI's names, float32. */
  readonly weights: NamedArrays;
  readonly grid: PromptGrid;
  /** [prompts, embedding], row-major: unit rows, in the grid's order. */
  readonly promptFeatures: Float32Array;
  /** How the weights were trained, for the manifest; null where nothing says. */
  readonly training: Readonly<Record<string, unknown>> | null;
  readonly packageVersion: string;
}

/** What a runtime says of one image. */
export interface RuntimeScore {
  /** Logits averaged over the image's crops, then one softmax. */
  readonly quality: number;
  /** Of each crop by itself, in the order of the image's windows. */
  readonly cropQualities: readonly number[];
  /** [prompts], the image's: sums to 1. */
  readonly joint: ArrayLike<number>;
  /** The axes that the prompts have. */
  readonly probabilities: Readonly<Partial<Record<PromptAxis, ArrayLike<number>>>>;
}

/** An export as the runtime it was made for has read it back. Keeps what it needs until `close()`. */
export interface ReadBack {
  /** Its name and version, such as "onnxruntime-node 1.22.0". */
  readonly runtime: string;
  readonly score: (image: Image) => Promise<RuntimeScore>;
  /** Where the export has a second entrance, which cuts the crops itself: the same through it. */
  readonly scoreWhole?: (image: Image) => Promise<RuntimeScore>;
  readonly close: () => Promise<void>;
}

/** Code in one language or runtime. */
interface Example {
  readonly title: string;
  readonly language: string;
  readonly code: string;
  /** Of the one preset that it works for; of all models where this is not given. */
  readonly preset?: PresetName;
}

/** One way to hand weights over. */
export interface ExportFormat {
  readonly name: ExportFormatName;
  /** What weights can be stored as; the first is what is meant where nothing is said. */
  readonly dtypes: readonly [ExportDtype, ...ExportDtype[]];
  /** Code that uses the weights, for the README. */
  readonly examples: readonly Example[];
  /**
   * Looked at before anything is computed.
   *
   * @throws {ConfigError} where this model cannot be written so
   * @throws {EngineError} where the runtime that reads the export back is not installed
   */
  readonly check: (source: ExportSource) => Promise<void>;
  /** Writes its weight files, and nothing else, into an empty folder; each is on the disk when this ends. */
  readonly write: (folder: string, source: ExportSource, dtype: ExportDtype) => Promise<void>;
  /**
   * Opens a folder that has weights, manifest and golden scores, and scores by what is in it alone; the source says what
   * must be there.
   */
  readonly open: (folder: string, source: ExportSource) => Promise<ReadBack>;
}

/** With f16, matrices and embeddings: biases, norms and the logit scale take no room and stay as exact as they are. */
export function storedAs(dtype: ExportDtype, shape: readonly number[]): FloatDtype {
  return dtype === "f16" && shape.length >= 2 ? "F16" : "F32";
}
