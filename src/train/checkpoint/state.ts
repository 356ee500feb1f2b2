import { z } from "zod";
import { CheckpointError } from "../../base/errors.js";
import type { PromptGrid } from "../../model/prompts/promptGrid.js";
import type { RunPlan } from "../plan.js";
import type { RunProgress } from "../progress.js";
import { SavedTaskValues, WeightingState } from "../weighting/state.js";

/** Where a run stands, apart from its weights and moments: all that resuming exactly needs. */
const TrainingStateSchema = z.strictObject({
  format: z.literal(1),
  packageVersion: z.string(),
  seed: z.int(),
  split: z.int().nullable(),
  /** The resolved config, as the run's config.yaml has it. */
  config: z.record(z.string(), z.unknown()),
  template: z.string(),
  labels: z.strictObject({
    qualities: z.array(z.string()),
    scenes: z.array(z.string()),
    distortions: z.record(z.string(), z.array(z.string())),
  }),
  /** Where the loop stands; see RunProgress. */
  progress: z.strictObject({
    position: z.strictObject({ epoch: z.int(), step: z.int() }),
    history: z.strictObject({ epochMeans: z.array(SavedTaskValues), sums: SavedTaskValues, steps: z.int() }),
    weights: SavedTaskValues.default({}), // these two: not in the first states of this format
    weighting: WeightingState.nullable().default(null),
    best: z.number().nullable(),
    bestAverage: z.number().nullable(),
    epochsWithoutRise: z.int().nonnegative().default(0),
    validation: z.unknown(),
    skippedSteps: z.int().nonnegative().default(0), // not in the first states of this format
    finished: z.boolean(),
  }),
  /** Optimizer steps taken. */
  optimizerSteps: z.int(),
  /** What weight decay alone has made of the token embedding's unused rows, as a factor. */
  untouchedDecay: z.number(),
  /** Its moving average, where weights are averaged. */
  averageUntouchedDecay: z.number().nullable().default(null),
  /** Of metrics.jsonl and of the event file: bytes up to this position; what stands behind is dropped on resume. */
  logBytes: z.strictObject({ metrics: z.int().nonnegative(), events: z.int().nonnegative() }),
  engine: z.strictObject({ backend: z.string(), threads: z.int() }),
});
export type TrainingState = z.output<typeof TrainingStateSchema>;

/** What of a state the optimizer and the logs know; see there. */
type Counts = Pick<TrainingState, "optimizerSteps" | "untouchedDecay" | "averageUntouchedDecay" | "logBytes">;

/** The state of a run at work. */
export function trainingState(plan: RunPlan, grid: PromptGrid, progress: RunProgress, counts: Counts): TrainingState {
  return {
    format: 1,
    packageVersion: plan.packageVersion,
    seed: plan.config.seed,
    split: plan.split,
    config: plan.record,
    template: grid.template,
    labels: structuredClone(plan.labels) as TrainingState["labels"], // arrays of strings either way
    progress: structuredClone(progress) as TrainingState["progress"], // plain data, by its definition
    engine: plan.engine,
    ...counts,
  };
}

/** @throws {CheckpointError} naming what does not fit */
export function parseTrainingState(file: string, json: unknown): TrainingState {
  const result = TrainingStateSchema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new CheckpointError(`${file}: ${problems.join("; ")}; was it written by another version?`);
}
