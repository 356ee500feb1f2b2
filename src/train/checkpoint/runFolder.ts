import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";

/** Names inside one split's folder of a run, `splits` in the run's own; users' scripts rely on them. */
export const RUN_FILES = {
  config: "config.yaml",
  log: "train.log",
  metrics: "metrics.jsonl",
  epochs: "results.csv",
  firstBatch: "batch-0.jpg",
  labels: "labels.svg",
  teacher: "teacher.jsonl",
  tensorboard: "tensorboard",
  mlflow: "mlflow.json",
  last: "last",
  previous: "previous",
  damaged: "damaged",
  best: "best",
  bestAverage: "best-average",
  diagnosis: "diagnosis.json",
  results: "results.json",
  predictions: "predictions.csv",
  report: "report.html",
  features: "features",
  evaluations: "evaluations",
  splits: "splits.json",
} as const;

/** The names inside a checkpoint folder. */
export const CHECKPOINT_FILES = {
  model: "model.safetensors",
  adapter: "adapter.safetensors",
  adapterConfig: "adapter_config.json",
  prompts: "prompts.safetensors",
  raw: "raw.safetensors",
  optimizer: "optimizer.safetensors",
  state: "state.json",
  seen: "seen.json",
  manifest: "manifest.json",
} as const;

export function splitFolder(runFolder: string, split: number): string {
  return path.join(runFolder, `split-${split}`);
}

/** The number in `split-<n>`, or null for any other folder name. */
export function splitOf(folder: string): number | null {
  const match = /^split-([1-9]\d*)$/.exec(path.basename(folder));
  return match?.[1] === undefined ? null : Number(match[1]);
}

/** The splits that a run's folder holds, ascending. */
export async function splitsOf(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => splitOf(name) ?? []).sort((a, b) => a - b);
}

/** True where the folder holds a finished checkpoint: its manifest is written last. */
export function holdsCheckpoint(folder: string): boolean {
  return existsSync(path.join(folder, CHECKPOINT_FILES.manifest));
}
