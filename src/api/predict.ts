import path from "node:path";
import { ConfigError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import { reasonOf } from "../base/text.js";
import { encodePng } from "../data/images/formats.js";
import { DEFAULT_IMAGE_OPTIONS, type ImageOptions, loadImage } from "../data/images/loadImage.js";
import { findUnusableImages } from "../data/audit/fileChecks.js";
import { EvaluateConfig } from "../evaluate/config.js";
import { heatmap } from "../evaluate/heatmap.js";
import {
  type CropScore,
  EVALUATION_BATCH,
  type ScoredCrops,
  type ScoredImage,
  scoreImages,
} from "../evaluate/scoring/scoreImages.js";
import type { GridAxis } from "../model/prompts/promptGrid.js";
import { load, type Model, type Score, scoreOfPosterior } from "./load.js";
import { expandPaths } from "./paths.js";
import { reporterOf, type WorkOptions } from "./work.js";

/** Images to score without a list, and how. */
export interface ScoringOptions extends WorkOptions {
  /** Also the folders in folders. */
  readonly recursive?: boolean;
  /** Windows an image is scored by; 15 by default. */
  readonly crops?: number | undefined;
  /** `resize` enlarges images below the model's window; by default they are refused. */
  readonly small?: ImageOptions["small"];
  /** Reads the list of paths that `-` among the paths stands for. */
  readonly readList?: () => Promise<string>;
}

/** Options of `predict`. */
export interface PredictOptions extends ScoringOptions {
  /** A run, a split, a checkpoint, an export or a weight file, or what `load` gave of it, borrowed. */
  readonly checkpoint: string | Model;
  /** Folder for a picture of each image's scores, window by window. */
  readonly heatmap?: string | undefined;
}

/** A model's answer for one file, or the reason why there is none. */
export type Prediction = PredictedImage | { readonly image: string; readonly error: string };

/** Score of one file, and what was done for it. */
export interface PredictedImage extends Score {
  readonly image: string;
  /** True where the image was enlarged to the model's window. */
  readonly isEnlarged: boolean;
  /** File of the heatmap; null where none was asked for. */
  readonly heatmap: string | null;
  /** Windows of the image with the quality of each. */
  readonly windows: readonly CropScore[];
  /** Quality levels of the prompts. */
  readonly levels: number;
}

/**
 * Scores files, folders and patterns, one after the other: a prediction for each image, in the paths' order. An image
 * that cannot be read is a value; the others go on.
 *
 * @throws {CheckpointError} {EngineError} {ConfigError} before the first prediction
 */
export async function* predict(
  paths: string | readonly string[],
  options: PredictOptions,
): AsyncGenerator<Prediction, void, undefined> {
  const { checkpoint, recursive = false, heatmap: folder, crops, small = "error", readList } = options;
  const { files, problems } = await expandPaths([paths].flat(), { recursive, readList });
  const images = { ...DEFAULT_IMAGE_OPTIONS, small };
  const writeHeatmap = folder === undefined ? null : await heatmapWriter(folder, images);
  const model = typeof checkpoint === "string" ? await load(checkpoint, options) : checkpoint;
  try {
    const enlarged = small === "resize" ? await findSmall(files) : new Set<string>();
    yield* problems.map(({ file, error }) => ({ image: file, error }));
    const { scorer } = model.opened;
    const scoring = { crops: crops ?? EvaluateConfig.parse({}).crops, microBatch: EVALUATION_BATCH, images };
    const scores = scoreImages(files, scorer, { ...scoring, order: "given" }, reporterOf(options).progress);
    for await (const scored of scores) {
      const drawn = scored.ok && writeHeatmap !== null ? await writeHeatmap(scored.file, scored.crops) : null;
      yield predictionOf(scored, scorer.axes, { isEnlarged: enlarged.has(scored.file), heatmap: drawn });
    }
  } finally {
    if (typeof checkpoint === "string") model.dispose();
  }
}

function predictionOf(
  scored: ScoredImage,
  axes: readonly GridAxis[],
  facts: Pick<PredictedImage, "isEnlarged" | "heatmap">,
): Prediction {
  if (!scored.ok) return { image: scored.file, error: scored.error };
  const levels = axes.find(({ axis }) => axis === "quality")?.labels.length ?? 0;
  const score = scoreOfPosterior(scored.judgement, axes, scored.entropy);
  return { image: scored.file, ...score, ...facts, windows: scored.crops.scores, levels };
}

/** Files that are enlarged, by their headers. */
async function findSmall(files: readonly string[]): Promise<Set<string>> {
  const samples = files.map((file, i) => ({
    ...{ database: "", image: file, file, folder: path.dirname(file), mos: 0, mosStd: null },
    ...{ distortion: null, scenes: [], list: "", line: i + 1 },
  }));
  const problems = await findUnusableImages(samples, DEFAULT_IMAGE_OPTIONS);
  return new Set(problems.filter(({ kind }) => kind === "small").map(({ sample }) => sample.file));
}

/**
 * Makes the folder and returns a writer of heatmaps into it, which gives each one's file.
 *
 * @throws {ConfigError} where the folder cannot be made
 */
async function heatmapWriter(folder: string, images: ImageOptions) {
  await makeFolders(folder).catch((error: unknown) => {
    throw new ConfigError(`--heatmap ${folder}: cannot be made (${reasonOf(error)}); name a folder you may write to`);
  });
  return async (file: string, crops: ScoredCrops): Promise<string> => {
    const target = heatmapFile(folder, file);
    await makeFolders(path.dirname(target));
    await writeFileAtomic(target, await encodePng(heatmap(await loadImage(file, images), crops)));
    return target;
  };
}

/**
 * File of an image's heatmap: below the folder, the image's own path with ".png" behind it: from the current directory where it is in that, else
 * from the root. So no two images share one.
 */
export function heatmapFile(folder: string, file: string): string {
  const absolute = path.resolve(file);
  const inside = path.relative(process.cwd(), absolute);
  const isInside = inside !== ".." && !inside.startsWith(`..${path.sep}`);
  return path.join(folder, `${isInside ? inside : absolute}.png`);
}
