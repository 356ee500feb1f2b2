/** The part of the training config that the learning rate depends on. */
export interface ScheduleConfig {
  readonly schedule: "cosine" | "cosine-steps" | "cosine-restarts" | "constant";
  /** The highest rate. */
  readonly learningRate: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** Epochs from the highest rate to where it would be 0; `cosine` and `cosine-restarts` only. */
  readonly cosineEpochs: number;
  /** Steps of linear ascent at the run's beginning; 0 begins at once. */
  readonly warmupSteps: number;
}

/**
 * Learning rate of one step: a function of its place in the run alone, so that nothing has to be saved for resuming.
 *
 * - `cosine`, the recipe of LIQE: constant inside an epoch, over the epochs cosine annealing with period 2·cosineEpochs
 *   (PyTorch's CosineAnnealingLR in closed form, SGDR of arXiv 1608.03983 without restarts). The epoch whose rate would
 *   be 0 is skipped, as the released code does by an extra scheduler step; with 5 that is a wave of nine epochs.
 * - `cosine-steps`: one descent along half a cosine, from the end of the warm-up towards 0 just after the last step.
 * - `cosine-restarts`, SGDR of arXiv 1608.03983: step by step along half a cosine towards 0 over cosineEpochs, then again
 *   from the highest rate (PyTorch's CosineAnnealingWarmRestarts with T_mult 1). Restarts fall on the epochs' ends, warm-up
 *   or not, so that a validation sees the lowest rate.
 * - `constant`.
 *
 * All of them are multiplied by the warm-up: (step + 1)/warmupSteps until that reaches 1.
 * @param epoch        from 0
 * @param stepInEpoch  from 0, below stepsPerEpoch
 */
export function learningRate(config: ScheduleConfig, epoch: number, stepInEpoch: number): number {
  const { warmupSteps, stepsPerEpoch } = config;
  const step = epoch * stepsPerEpoch + stepInEpoch;
  const warmup = step < warmupSteps ? (step + 1) / warmupSteps : 1;
  return config.learningRate * warmup * annealing(config, epoch, step);
}

/** The schedule's factor, 0 to 1, without warm-up; `step` counts over the whole run. */
function annealing(config: ScheduleConfig, epoch: number, step: number): number {
  switch (config.schedule) {
    case "cosine":
      return halfCosine(skipZero(epoch, config.cosineEpochs) / config.cosineEpochs);
    case "cosine-steps": {
      const descended = step - config.warmupSteps;
      const descent = config.epochs * config.stepsPerEpoch - config.warmupSteps;
      return descended > 0 ? halfCosine(descended / descent) : 1;
    }
    case "cosine-restarts": {
      const period = config.cosineEpochs * config.stepsPerEpoch;
      return halfCosine((step % period) / period);
    }
    case "constant":
      return 1;
  }
}

/** Position in the wave of period 2·length, passing over its trough at `length`: 0 … length−1, length+1 … 2·length−1. */
function skipZero(epoch: number, length: number): number {
  const position = epoch % (2 * length - 1);
  return position < length ? position : position + 1;
}

/** 1 at 0, 0 at 1, 1 again at 2. */
function halfCosine(progress: number): number {
  return (1 + Math.cos(Math.PI * progress)) / 2;
}
