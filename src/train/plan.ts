import type { ReportProgress } from "../base/types.js";
import type { AugmentConfig } from "../data/augment/config.js";
import type { DataConfig } from "../data/config.js";
import type { Database } from "../data/sample.js";
import type { EvaluateConfig } from "../evaluate/config.js";
import type { LossesConfig } from "../losses/config.js";
import type { ModelConfig, PromptsConfig } from "../model/config.js";
import type { LabelTables } from "../model/prompts/labels.js";
import type { TrainConfig } from "./config.js";

/** The sections of a config that training reads. */
export interface RunSettings {
  readonly seed: number;
  readonly model: ModelConfig;
  readonly data: DataConfig;
  readonly augment: AugmentConfig;
  readonly prompts: PromptsConfig;
  readonly losses: LossesConfig;
  readonly train: TrainConfig;
  readonly evaluate: EvaluateConfig;
}

/** One step, as a person watches it. */
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

/** Where a run tells how it is doing. */
interface RunReports {
  readonly training: (report: TrainingReport) => void;
  readonly note: (line: string) => void;
  readonly progress: ReportProgress;
}

/** One split of a run, with all that it needs from outside. */
export interface RunPlan {
  /** The split's folder, absolute. */
  readonly folder: string;
  readonly split: number;
  readonly settings: RunSettings;
  /** The resolved config, as config.yaml has it. */
  readonly config: Record<string, unknown>;
  readonly labels: LabelTables;
  readonly databases: readonly Database[];
  readonly packageVersion: string;
  readonly engine: { readonly backend: string; readonly threads: number };
  /** What this machine multiplies at best, in floating-point operations a second: see `peakFlopsPerSecond`. */
  readonly peakFlopsPerSecond: number;
  readonly reports: RunReports;
  /** Milliseconds since 1970; for logs alone. */
  readonly now: () => number;
}

/** A run, as far as the size of its steps depends on it. */
interface StepSizeOf {
  readonly databases: readonly Pick<RunPlan["databases"][number], "imagesPerStep">[];
  readonly settings: Pick<RunPlan["settings"], "train" | "augment">;
}

/** Images of one step: of all databases, and the versions of those that are distorted anew. */
export function imagesPerStep({ databases, settings: { augment } }: StepSizeOf): number {
  const read = databases.reduce((sum, database) => sum + database.imagesPerStep, 0);
  return read + augment.contents * augment.versions;
}

/** Crops of one step. */
export function cropsPerStep(run: StepSizeOf): number {
  return imagesPerStep(run) * run.settings.train.cropsPerImage;
}
