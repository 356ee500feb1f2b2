import type { RunPlan } from "./plan.js";

/** A run, as far as the size of its steps depends on it. */
export interface StepSizeOf {
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
