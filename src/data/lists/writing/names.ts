/** Forms that `liqe data convert` writes. */
export const WRITTEN_FORMS = [
  "published",
  "csv",
  "iqa-pytorch",
  "deqa-score",
  "q-align",
  "q-bench",
  "compare2score",
  "iqa-dataset",
  "visualquality-r1",
  "arniqa",
  "image-folder",
  "parquet",
  "webdataset",
] as const;
export type WrittenForm = (typeof WRITTEN_FORMS)[number];
