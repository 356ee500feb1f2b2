import { extentOf } from "../base/collections.js";

/** Image of a list, with its labels where they are known. */
export interface ListedImage {
  /** Name of the database in the config. */
  readonly database: string;
  /** Path as the list has it. */
  readonly image: string;
  /** Path on the disk; `NO_FILE` where the image is not to be opened. */
  readonly file: string;
  /** Path on the disk, where it differs from the list's in case alone. */
  readonly foundAs?: string;
  /** Absolute folder that the path is relative to and may not leave. */
  readonly folder: string;
  /** Index of the distortion class; null where the label is missing. */
  readonly distortion: number | null;
  /** Indices of the scenes; empty where the label is missing. */
  readonly scenes: readonly number[];
  /** Photograph that it is a version of, where the list tells it; `contentOf` may know it by the path. */
  readonly content?: string | undefined;
  /** File and line (from 1) of the list, for messages. */
  readonly list: string;
  readonly line: number;
}

/** One line of a list: an image and its opinion score. */
export interface Sample extends ListedImage {
  /** Mean opinion score on the database's own scale, higher is better. */
  readonly mos: number;
  /** Standard deviation over the observers, on the same scale; null where none was published. */
  readonly mosStd: number | null;
}

/** One line of a list of pairs: two images, and how people chose between them. */
export interface PairSample {
  readonly a: ListedImage;
  readonly b: ListedImage;
  /** Share of people who prefer a, 0 to 1. */
  readonly p: number;
}

/** File of an image that is listed, and is not to be opened. */
export const NO_FILE = "";

export const SUBSETS = ["train", "val", "test"] as const;
export type Subset = (typeof SUBSETS)[number];

/** Lists of one split; a list that was not read has no images. */
export type SplitSamples = Readonly<Record<Subset, readonly Sample[]>>;

export interface Database extends SplitSamples {
  readonly name: string;
  /** Images of each training step, at least 2: one image forms no pair. 0 where they follow from lists not opened. */
  readonly imagesPerStep: number;
  /** Absolute folder that the paths of its lists begin in. */
  readonly folder: string;
  /** True where its split was drawn from one list, and is to be written down. */
  readonly isDrawn?: boolean;
  /** Pairs to train and to validate on, of a database whose training list is of pairs; its `train` is empty. */
  readonly pairs?: { readonly train: readonly PairSample[]; readonly val: readonly PairSample[] };
  /** Photographs to train on that a teacher has yet to score; `train` is empty until then. */
  readonly photos?: readonly ListedImage[];
  /** Told by a teacher of the images of `train`, whose `mos` are its scores. */
  readonly taught?: Taught;
}

/** Scores by a teacher: their scale, and its probabilities. */
export interface Taught {
  /** Scores that the lowest and the highest level have, as the lowest one and their difference. */
  readonly mosLowest: number;
  readonly mosSpan: number;
  /** Difference of scores that is one level. */
  readonly perLevel: number;
  /** Probabilities of labels by file; none where the teacher gives scores alone. */
  readonly probabilities: ReadonlyMap<string, SoftLabels>;
}

/** Probabilities of each task's labels, in the order of the run's label tables; empty where they are not known. */
export interface SoftLabels {
  readonly quality: readonly number[];
  readonly scene: readonly number[];
  readonly distortion: readonly number[];
}

/** Scale of a database's training scores: its teacher's, or from the lowest to the highest of them. */
export function scoreScale({
  train,
  taught,
}: Pick<Database, "train" | "taught">): Pick<Taught, "mosLowest" | "mosSpan"> {
  if (taught !== undefined) return taught;
  const { least, most } = extentOf(train.map(({ mos }) => mos));
  return { mosLowest: least, mosSpan: most - least };
}

/** Kind of training list without scores that a database or its config has; null where its list has scores. */
export function unscoredKind({
  pairs,
  photos,
}: {
  readonly pairs?: unknown;
  readonly photos?: unknown;
}): "pairs" | "photos" | null {
  if (pairs !== undefined) return "pairs";
  return photos === undefined ? null : "photos";
}

/** True where the images that a database trains on have no scores of people. */
export function isUnscored(database: Parameters<typeof unscoredKind>[0]): boolean {
  return unscoredKind(database) !== null;
}

type TrainingLists = Pick<Database, "train" | "pairs" | "photos">;

/** Images that a database trains on, those of its pairs and those not scored yet among them, each as often as it is listed. */
export function trainingImages({ train, pairs, photos }: TrainingLists): readonly ListedImage[] {
  return pairs === undefined ? (photos ?? train) : imagesOfPairs(pairs.train);
}

/** Images that a database is validated on, likewise. */
export function validationImages({ val, pairs }: Pick<Database, "val" | "pairs">): readonly ListedImage[] {
  return pairs === undefined ? val : [...val, ...imagesOfPairs(pairs.val)];
}

/** Images of all lists of a database, likewise. */
export function listedImages(database: Database): Readonly<Record<Subset, readonly ListedImage[]>> {
  return { train: trainingImages(database), val: validationImages(database), test: database.test };
}

/** Images of a database's lists, each once: one of several pairs is listed as often. */
export function eachOnce<I extends ListedImage>(
  { pairs }: Pick<Database, "pairs">,
  images: readonly I[],
): readonly I[] {
  return pairs === undefined ? images : [...new Set(images)]; // a set takes a hundred bytes an image
}

function imagesOfPairs(pairs: readonly PairSample[]): ListedImage[] {
  return pairs.flatMap(({ a, b }) => [a, b]);
}
