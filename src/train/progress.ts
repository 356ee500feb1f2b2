import type { TaskValues } from "../model/prompts/promptGrid.js";
import type { TrainConfig } from "./config.js";
import type { WeightingState } from "./weighting/state.js";

/** Position of the next step; both count from 0, `step` inside the epoch. */
export type Position = { readonly epoch: number; readonly step: number };

/** Results of a validation that the loop looks at. */
export interface Validation {
  /** Mean SRCC over the databases; null where no database has one. */
  readonly srcc: number | null;
  /** Mean of SRCC, scene, distortion and pair accuracy, of those that there are. */
  readonly average: number | null;
  /** Mean two-alternative accuracy over the databases; absent unless all of them are validated on pairs. */
  readonly pairs?: number | null;
}

/** State of a run, apart from weights and moments. Plain data: saved with each checkpoint. */
export interface RunProgress<V extends Validation = Validation> {
  readonly position: Position;
  readonly history: LossHistory;
  /** The tasks' weights in the newest step; none before the first. */
  readonly weights: TaskValues;
  /** State of a weighting that learns; null for the others. */
  readonly weighting: WeightingState | null;
  /** Highest mean SRCC (of runs validated on pairs alone, accuracy on them) and average so far. */
  readonly best: number | null;
  readonly bestAverage: number | null;
  /** Validated epochs since `best` rose. */
  readonly epochsWithoutRise: number;
  /** The newest validation. */
  readonly validation: V | null;
  /** Steps of the run that were left out because their loss or gradient was not finite. */
  readonly skippedSteps: number;
  readonly finished: boolean;
}

/** A run before its first step. */
export const RUN_START: RunProgress<never> = {
  position: { epoch: 0, step: 0 },
  history: { epochMeans: [], sums: {}, steps: 0 },
  weights: {},
  weighting: null,
  best: null,
  bestAverage: null,
  epochsWithoutRise: 0,
  validation: null,
  skippedSteps: 0,
  finished: false,
};

/** True where nothing is left to do: all epochs are over, or patience is. */
export function isFinished(
  { epochs, patienceEpochs }: Pick<TrainConfig, "epochs" | "patienceEpochs">,
  { position, epochsWithoutRise }: Pick<RunProgress, "position" | "epochsWithoutRise">,
): boolean {
  return position.epoch >= epochs || (patienceEpochs !== null && epochsWithoutRise >= patienceEpochs);
}

/** Mean losses so far: plain data, to be saved as it is and taken up again mid-epoch without a difference. */
export interface LossHistory {
  /** Of each finished epoch, the oldest first. */
  readonly epochMeans: readonly TaskValues[];
  /** Of the epoch under way. */
  readonly sums: TaskValues;
  readonly steps: number;
}
