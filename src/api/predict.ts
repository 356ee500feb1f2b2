import path from "node:path";
import { ConfigError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import { reasonOf } from "../base/text.js";
import { encodePng } from "../data/images/encode.js";
import { DamageLog } from "../data/images/damage.js";
import { DEFAULT_IMAGE_OPTIONS, type ImageOptions, loadImage } from "../data/images/loadImage.js";
import { findUnusableImages } from "../data/audit/fileChecks.js";
import type { Precision } from "../engine/compile/compile.js";
import { EvaluateConfig } from "../evaluate/config.js";
import { heatmap } from "../evaluate/heatmap.js";
import {
  type CropScore,
  EVALUATION_BATCH,
  type ScoredCrops,
  type ScoredImage,
  scoreImages,
} from "../evaluate/scoring/scoreImages.js";
import { DEFAULT_MAX_MEGAPIXELS } from "../model/preprocess/image.js";
import type { TaskAxis } from "../model/prompts/promptGrid.js";
import { load, Model, type Score, scoreOfPosterior } from "./load.js";
import { type PromptOptions } from "./openModel.js";
import { type Expanded, expandPaths } from "./paths.js";
import { reporterOf, type WorkOptions } from "./work.js";

/** Options of scoring images without a list. */
export interface ScoringOptions extends WorkOptions {
  /** True looks into folders of folders too. */
  readonly recursive?: boolean;
  /** Windows scored of each image, 1 or more; 15 by default. */
  readonly crops?: number | undefined;
  /** `resize` enlarges images below the model's window; by default they are refused. */
  readonly small?: ImageOptions["small"];
  /** Megapixels above which an image is refused before it is decoded; 64 by default. */
  readonly maxMegapixels?: number | undefined;
  /** `apply` turns images as EXIF says; by default they are scored as their pixels lie in the file. */
  readonly orientation?: "ignore" | "apply" | undefined;
  /** Reads the list of paths that `-` stands for on the command line. */
  readonly readList?: () => Promise<string>;
}

/** Options of `predict`. */
export interface PredictOptions extends ScoringOptions, PromptOptions {
  /** Run, split, checkpoint, export or weight file, or a loaded model, which stays the caller's; the one in the box by default. */
  readonly checkpoint?: string | Model | undefined;
  /** Windows computed at once, 1 or more; 32 by default. More take more memory and little less time. */
  readonly batch?: number | undefined;
  /** Precision of matrix products, of a checkpoint that is loaded here; see `load`. */
  readonly precision?: Precision | undefined;
  /** Folder for heatmaps: a PNG of each image with the quality of its windows. */
  readonly heatmap?: string | undefined;
}

/** Prediction for one file, or its error. */
export type Prediction = PredictedImage | FailedImage;

/** File without a score. */
export type FailedImage = { readonly image: string; readonly error: string };

/** Score of one file. */
export interface PredictedImage extends Score {
  /** Path as it was named or found. */
  readonly image: string;
  /** True where the image was enlarged to the model's window. */
  readonly isEnlarged: boolean;
  /** File of the heatmap; null where none was asked for. */
  readonly heatmap: string | null;
  /** Windows of the image, each with its quality. */
  readonly windows: readonly CropScore[];
  /** Number of quality levels of the prompts: the highest quality. */
  readonly levels: number;
  /** Properties of the weights, such as their activation, that nothing says and that were taken for OpenAI's. */
  readonly assumed: readonly string[];
}

/**
 * Scores files, folders and patterns, and yields a prediction for each image in the paths' order. An image that cannot be
 * read yields its error.
 * @throws {@link CheckpointError}, {@link EngineError}, {@link ConfigError} before the first prediction
 * @example
 * ```ts
 * import { predict, train } from "liqe-train";
 *
 * const run = await train("kadid.yaml"); // a finished run is not trained again
 * for await (const prediction of predict(["photo.jpg", "photos"], { checkpoint: run.best })) {
 *   if ("error" in prediction) console.log(prediction.error);
 *   else console.log(prediction.image, prediction.quality, prediction.scene, prediction.distortion);
 * }
 * ```
 */
export async function* predict(
  paths: string | readonly string[],
  options: PredictOptions = {},
): AsyncGenerator<Prediction, void, undefined> {
  const { recursive = false, readList } = options;
  yield* predictExpanded(await expandPaths([paths].flat(), { recursive, readList }), options);
}

/** Predictions of `predict` for images that are found already. */
export async function* predictExpanded(
  { files, problems, notes }: Expanded,
  options: PredictOptions,
): AsyncGenerator<Prediction, void, undefined> {
  const { checkpoint, heatmap: folder, small = "error" } = options;
  const { note, progress } = reporterOf(options);
  notes.forEach(note);
  const damage = new DamageLog(note, DAMAGE_ADVICE);
  if (folder !== undefined) await makeHeatmapFolder(folder);
  const model = checkpoint instanceof Model ? checkpoint : await load(checkpoint, options);
  try {
    const { scorer } = model.opened;
    const scoring = scoringOf(options, damage);
    const enlarged = small === "resize" ? await findSmall(files, scorer.window) : new Set<string>();
    yield* problems.map(({ file, error }) => ({ image: file, error }));
    const writeHeatmap =
      folder === undefined ? null : heatmapWriter(folder, { ...scoring.images, window: scorer.window });
    const scores = scoreImages(files, scorer, { ...scoring, order: "given" }, progress);
    for await (const scored of scores) {
      const drawn = scored.ok && writeHeatmap !== null ? await writeHeatmap(scored.file, scored.crops) : null;
      const facts = { isEnlarged: enlarged.has(scored.file), heatmap: drawn, assumed: model.opened.assumed };
      yield predictedImage(scored, scorer.axes, facts);
    }
  } finally {
    damage.close();
    if (model !== checkpoint) model.dispose();
  }
}

/** Advice on damaged images that are scored all the same. */
export const DAMAGE_ADVICE = "get such files again if you can";

/** Options of the scorer and of reading images, by those of `predict`. */
export function scoringOf(options: ScoringOptions & Pick<PredictOptions, "batch">, damage: DamageLog) {
  return {
    crops: options.crops ?? EvaluateConfig.parse({}).crops,
    microBatch: options.batch ?? EVALUATION_BATCH,
    images: imageOptionsOf(options, damage),
  };
}

/** Options of reading images, by those of scoring. */
function imageOptionsOf(options: ScoringOptions, { onDamaged }: DamageLog): ImageOptions {
  const { small = "error", maxMegapixels = DEFAULT_MAX_MEGAPIXELS, orientation = "ignore" } = options;
  return { ...DEFAULT_IMAGE_OPTIONS, small, maxMegapixels, orientation, onDamaged };
}

/** Prediction by a score and what else is known of the image. */
export function predictedImage(
  scored: ScoredImage,
  axes: readonly TaskAxis[],
  facts: Pick<PredictedImage, "isEnlarged" | "heatmap" | "assumed">,
): Prediction {
  if (!scored.ok) return { image: scored.file, error: scored.error };
  const levels = axes.find(({ axis }) => axis === "quality")?.labels.length ?? 0;
  const score = scoreOfPosterior(scored.posterior, axes, scored.entropy);
  return { image: scored.file, ...score, ...facts, windows: scored.crops.scores, levels };
}

/** Finds the files that are enlarged, by their headers. */
async function findSmall(files: readonly string[], window: number): Promise<Set<string>> {
  const samples = files.map((file, i) => ({
    ...{ database: "", image: file, file, folder: path.dirname(file), mos: 0, mosStd: null },
    ...{ distortion: null, scenes: [], list: "", line: i + 1 },
  }));
  const problems = await findUnusableImages(samples, { ...DEFAULT_IMAGE_OPTIONS, window });
  return new Set(problems.filter(({ kind }) => kind === "small").map(({ sample }) => sample.file));
}

/** @throws {ConfigError} where the folder cannot be made */
async function makeHeatmapFolder(folder: string): Promise<void> {
  await makeFolders(folder).catch((error: unknown) => {
    throw new ConfigError(`--heatmap ${folder}: cannot be made (${reasonOf(error)}); name a folder you may write to`);
  });
}

/** Writer of heatmaps into a folder. */
function heatmapWriter(folder: string, images: ImageOptions) {
  return async (file: string, crops: ScoredCrops): Promise<string> => {
    const target = heatmapFile(folder, file);
    await makeFolders(path.dirname(target));
    await writeFileAtomic(target, await encodePng(heatmap(await loadImage(file, images), crops)));
    return target;
  };
}

/** File of an image's heatmap: the image's path from the current directory, else from the root, below the folder. */
export function heatmapFile(folder: string, file: string): string {
  const absolute = path.resolve(file);
  const inside = path.relative(process.cwd(), absolute);
  const isInside = inside !== ".." && !inside.startsWith(`..${path.sep}`);
  return path.join(folder, `${isInside ? inside : absolute}.png`);
}
