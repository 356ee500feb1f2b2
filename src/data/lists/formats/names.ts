/** Names of forms and columns, as configs and command lines have them. */

/** Forms of lists, in the words of `liqe data describe`. */
export const FORMATS = [
  "list",
  "published",
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
  "labels",
] as const;
export type FormatName = (typeof FORMATS)[number];

/** Parts of a list that a column can hold. */
export const COLUMN_KINDS = ["image", "mos", "mos_std", "distortion", "scene", "group", "split"] as const;
export type ColumnKind = (typeof COLUMN_KINDS)[number];
