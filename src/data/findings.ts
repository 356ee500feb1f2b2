/** What `liqe data check` can find: scripts rely on these words. */

/** Every kind of finding, with what it means. */
export const FINDING_KINDS = {
  "list-missing": "a database's folder or list is not there, or is no text",
  format: "a line has the wrong columns, or a header does",
  mos: "a score or its deviation is no number",
  label: "a distortion or scene that is in no label table",
  path: "an image's path is absolute, leaves its folder, or cannot be written portably",
  duplicate: "one list names an image twice",
  empty: "a list without images",
  count: "more or fewer images than the database is known to have",
  overlap: "an image stands in two of a split's training, validation and test lists",
  disagreement: "an image has other scores or labels in another list of its database",
  contradiction: "an image's distortion label contradicts its folder or file name",
  range: "a score outside its database's scale, or all scores the same",
  deviation: "scores whose deviation is 0 or not known, where others have one",
  unlabelled: "images without a distortion or scene label",
  missing: "an image is not there",
  outside: "an image leads out of its database's folder through a symbolic link",
  unreadable: "a file is no image that can be read",
  small: "an image is below 224 pixels on a side",
  large: "an image has more pixels than data.maxMegapixels allows",
} as const;
export type FindingKind = keyof typeof FINDING_KINDS;

/** Errors make `data check` end with 3; warnings are worth a look; notes are facts. */
export type Severity = "error" | "warning" | "note";

export interface Finding {
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly database: string;
  /** The list's file and line, and the image as listed, where there is one. */
  readonly list: string | null;
  readonly line: number | null;
  readonly image: string | null;
  /** Where, what is wrong, and what to do. */
  readonly message: string;
}

/** What a database's lists hold, each image counted once. */
export interface DatabaseCounts {
  readonly images: number;
  readonly splits: number;
  /** Of the first split. */
  readonly train: number;
  readonly val: number;
  readonly test: number;
  readonly mos: { readonly low: number; readonly high: number; readonly mean: number } | null;
  /** Images of each class and of each scene, in the tables' order, those with none left out. */
  readonly distortions: Readonly<Record<string, number>>;
  readonly scenes: Readonly<Record<string, number>>;
}

export interface CheckReport {
  readonly findings: readonly Finding[];
  /** By database. */
  readonly counts: Readonly<Record<string, DatabaseCounts>>;
}
