import path from "node:path";
import { ConfigError, DataError } from "../../base/errors.js";
import { requireInside } from "../../data/audit/fileChecks.js";
import { normalizePath } from "../../data/lists/entries.js";
import { type ListedPair, readPairList } from "../../data/lists/pairList.js";
import type { ListedImage } from "../../data/sample.js";
import { type PairAccuracy, pairAccuracy } from "../../evaluate/metrics/pairAccuracy.js";
import { readPredictions, rowsByImage } from "../../evaluate/scoring/predictionFile.js";
import { DEFAULT_IMAGE_OPTIONS } from "../../data/images/loadImage.js";
import { openSeen } from "../openModel.js";
import { predict, type PredictOptions } from "../predict.js";
import { reporterOf } from "../work.js";
import { seenFiles, type SeenPolicy } from "./seenImages.js";

/** Options of `judgePairs`: the model, or the file of another one's scores, and how images are read. */
export interface JudgePairsOptions extends Omit<PredictOptions, "checkpoint" | "heatmap" | "readList" | "recursive"> {
  readonly checkpoint?: PredictOptions["checkpoint"] | undefined;
  /** File of scores of any model in place of a checkpoint: CSV or JSON lines with `image` and `quality`. */
  readonly predictions?: string | undefined;
  /** Column of its scores; by default `quality`, else `score`, else `prediction`. */
  readonly column?: string | undefined;
  /** Folder that the pairs' paths begin in; by default that of the list. */
  readonly images?: string | undefined;
  /** False refuses links that lead out of that folder; they are followed by default. */
  readonly followLinks?: boolean | undefined;
  /** Pairs with an image that the checkpoint has learned from are an error, left out, or kept; `refuse` by default. */
  readonly seen?: SeenPolicy | undefined;
}

/** Agreement with a list of pairs. */
export interface PairResults extends PairAccuracy {
  readonly images: number;
  /** Images without a score; pairs with one of them are left out. */
  readonly failed: readonly { readonly image: string; readonly error: string }[];
  /** Images that the checkpoint has learned from; null where that is not known. */
  readonly seen: { readonly images: number; readonly policy: SeenPolicy } | null;
}

/**
 * Measures how a model chooses between the two images of each pair, beside people's choices: two-alternative accuracy.
 * @param list  CSV of `a,b,p`, p the share of people who prefer image a
 * @throws {@link ConfigError} where neither or both of a checkpoint and predictions are given
 * @throws {@link DataError} where the list cannot be read, images were trained on or lead out of their folder, or no pair has
 * two scores
 * @throws {@link CheckpointError}, {@link EngineError} as `predict`
 * @example
 * ```ts
 * import { judgePairs, train } from "liqe-train";
 *
 * const run = await train("kadid.yaml"); // a finished run is not trained again
 * const { twoAlternative, accuracy } = await judgePairs("pairs.csv", { checkpoint: run.best, images: "photos" });
 * console.log(twoAlternative, accuracy);
 * ```
 */
export async function judgePairs(list: string, options: JudgePairsOptions): Promise<PairResults> {
  const read = await readPairList(list);
  const listed = read.map((pair) => ({ ...pair, a: normalizePath(pair.a), b: normalizePath(pair.b) }));
  const isModels = options.checkpoint !== undefined; // predictions open no image
  if (isModels && options.followLinks === false) await requireInside(filesOf(listed, list, options.images));
  const policy = options.seen ?? "refuse";
  const trained = await trainedOn([...new Set(listed.flatMap(({ a, b }) => [a, b]))], list, { ...options, policy });
  const isLeft = (image: string) => policy === "drop" && trained?.has(image) === true;
  const pairs = listed.filter(({ a, b }) => !isLeft(a) && !isLeft(b));
  const images = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))];
  const { scores, failed } = await scoresOf(images, list, options);
  const choices = pairs.flatMap(({ a, b, p }) => {
    const [first, second] = [scores.get(a), scores.get(b)];
    return first === undefined || second === undefined ? [] : [{ a: first, b: second, p }];
  });
  if (choices.length === 0) {
    const isDropped = pairs.length === 0;
    const why = isDropped ? "each has one that was trained on" : (failed[0]?.error ?? "do the names agree?");
    throw new DataError(`${list}: no pair has a score of both images; ${why}`);
  }
  const seen = trained === null ? null : { images: trained.size, policy };
  return { ...pairAccuracy(choices), images: scores.size, failed, seen };
}

/** Images of pairs as files that a checkpoint is going to read. */
function filesOf(pairs: readonly ListedPair[], list: string, images = path.dirname(list)): ListedImage[] {
  const folder = path.resolve(images);
  const unlabeled = { database: path.basename(list), folder, distortion: null, scenes: [], list };
  const fileOf = (image: string, line: number) => ({ ...unlabeled, image, file: path.join(folder, image), line });
  return pairs.flatMap(({ line, a, b }) => [fileOf(a, line), fileOf(b, line)]);
}

/** Images among `images` that the checkpoint has learned from; null where that is not known. */
async function trainedOn(
  images: readonly string[],
  list: string,
  { checkpoint, images: folder = path.dirname(list), policy, ...options }: JudgePairsOptions & { policy: SeenPolicy },
): Promise<ReadonlySet<string> | null> {
  if (checkpoint === undefined) return null;
  const record = typeof checkpoint === "string" ? await openSeen(checkpoint) : checkpoint.opened.seen;
  if (record === null) return null;
  const { stallSeconds } = DEFAULT_IMAGE_OPTIONS;
  const named = new Map(images.map((image) => [path.join(folder, image), image]));
  const seen = await seenFiles([...named.keys()], record, { policy, stallSeconds, reporter: reporterOf(options) });
  return new Set([...seen].map((file) => named.get(file) ?? file));
}

async function scoresOf(images: readonly string[], list: string, options: JudgePairsOptions) {
  const { checkpoint, predictions, column, images: folder = path.dirname(list), ...scoring } = options;
  if ((checkpoint === undefined) === (predictions === undefined))
    throw new ConfigError("judgePairs: give a checkpoint, or a file of predictions");
  const scores = new Map<string, number>();
  const failed: { image: string; error: string }[] = [];
  if (predictions !== undefined) {
    const rows = rowsByImage(await readPredictions(predictions, column), predictions);
    for (const image of images) {
      const row = rows.get(image);
      if (row === undefined) failed.push({ image, error: `${predictions}: has no score of ${image}` });
      else scores.set(image, row.quality);
    }
  }
  if (checkpoint === undefined) return { scores, failed };
  const named = new Map(images.map((image) => [path.join(folder, image), image]));
  for await (const prediction of predict([...named.keys()], { ...scoring, checkpoint })) {
    const image = named.get(prediction.image) ?? prediction.image;
    if ("error" in prediction) failed.push({ image, error: prediction.error });
    else scores.set(image, prediction.quality);
  }
  return { scores, failed };
}
