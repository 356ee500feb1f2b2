/** Names of forms and columns, as configs and command lines have them. */

/** Forms of lists of other projects that are both read and written. */
const EXCHANGED = [
  "iqa-pytorch",
  "deqa-score",
  "q-align",
  "q-bench",
  "compare2score",
  "iqa-dataset",
  "visualquality-r1",
  "image-folder",
  "parquet",
  "webdataset",
] as const;

/** Forms of lists, in the words of `liqe data describe`. */
export const FORMATS = ["list", "published", ...EXCHANGED, "labels"] as const;
export type FormatName = (typeof FORMATS)[number];

/** Forms that `liqe data convert` writes; `list` has those of CSV, `labels` those of ARNIQA's arrays. */
export const WRITTEN_FORMS = ["published", "csv", ...EXCHANGED, "arniqa"] as const;
export type WrittenForm = (typeof WRITTEN_FORMS)[number];

/** Parts of a list that a column can hold. */
export const COLUMN_KINDS = ["image", "mos", "mos_std", "distortion", "scene", "group", "split"] as const;
export type ColumnKind = (typeof COLUMN_KINDS)[number];
