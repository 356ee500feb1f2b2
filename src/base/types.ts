/** A measure, or why there is none. Never NaN: NaN compares false, and "best so far" would skip it unseen. */
export type Result = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly reason: string };

/** Progress of a long job. Library code reports it through a function that it is given, and prints nothing. */
export interface ProgressEvent {
  /** Name of what is counted, such as "download" or "images". */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly unit: "bytes" | "images" | "steps" | "files";
}
export type ReportProgress = (event: ProgressEvent) => void;
