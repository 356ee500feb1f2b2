/** One line of a list: an image, what people thought of it, and its labels where they are known. */
export interface Sample {
  /** The database's name in the config. */
  readonly database: string;
  /** The path as the list has it. */
  readonly image: string;
  /** The same, absolute. */
  readonly file: string;
  /** The folder that it is relative to and may not leave, absolute. */
  readonly folder: string;
  /** Mean opinion score on the database's own scale, higher is better. */
  readonly mos: number;
  /** Its standard deviation over the observers, on the same scale; null where none was published. */
  readonly mosStd: number | null;
  /** Index of the distortion class; null where the label is missing. */
  readonly distortion: number | null;
  /** Indices of the scenes; empty where the label is missing. */
  readonly scenes: readonly number[];
  /** The photograph that it is a version of, where the config says how to know; else its path may tell (`contentOf`). */
  readonly content?: string;
  /** The list's file and line (from 1), for messages. */
  readonly list: string;
  readonly line: number;
}

export const SUBSETS = ["train", "val", "test"] as const;
export type Subset = (typeof SUBSETS)[number];

/** One database of a run, opened for one split; subsets that were not asked for are empty. */
export interface Database {
  readonly name: string;
  /** Images of each training step, at least 2: one image forms no pair. 0 where they follow from lists not opened. */
  readonly imagesPerStep: number;
  /** Where the paths of its lists begin, absolute. */
  readonly folder: string;
  readonly train: readonly Sample[];
  readonly val: readonly Sample[];
  readonly test: readonly Sample[];
}
