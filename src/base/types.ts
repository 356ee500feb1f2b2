/** A measure, or why there is none. Never NaN: NaN compares false, and "best so far" would skip it unseen. */
export type Result = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly reason: string };

/** Progress of a long job. Library code reports it through a function that it is given, and prints nothing. */
export interface ProgressEvent {
  /** Name of what is counted, such as "download" or "images". */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly unit: "bytes" | "images" | "steps" | "files" | "resamples";
}
export type ReportProgress = (event: ProgressEvent) => void;

/** One optimizer step, as a person watches it. */
export interface TrainingReport {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Inside the epoch, from 1. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

export interface Reporter {
  readonly progress: ReportProgress;
  readonly training: (report: TrainingReport) => void;
  /** A line for people. */
  readonly note: (line: string) => void;
}

/** A reporter that nobody listens to. */
export const SILENT: Reporter = { progress: () => {}, training: () => {}, note: () => {} };

/** Consecutive items of a list, from `start` up to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}
