import { momentsFrom } from "../../engine/adam.js";
import type { LiqeModel } from "../../model/liqe.js";
import { USED_ROWS } from "../../model/parameters/parameters.js";
import type { Checkpoint } from "../checkpoint/checkpoint.js";
import type { TrainConfig } from "../config.js";
import { AdamW } from "./adamw.js";
import { ExponentialMovingAverage } from "./ema.js";
import { learningRateFactors, trainableParameters } from "./parameterGroups.js";

/** Optimizer and moving averages of a model's parameters. */
interface Optimizing {
  /** Given. */
  readonly optimizer: AdamW;
  /** Given, beginning at the model's own weights; null where weights are not averaged. */
  readonly averages: ExponentialMovingAverage | null;
  /** Names of the parameters that are trained. */
  readonly trained: readonly string[];
}

/**
 * AdamW over what the config trains, with its moments where a run goes on.
 * @param model       borrowed, and used by what is returned as long as that lives
 * @param checkpoint  to go on from; null for a new run
 * @throws {ConfigError} where a pattern of `freeze` fits no parameter
 * @throws {CheckpointError} where the optimizer's state does not fit the model
 */
export function createOptimizer(
  model: LiqeModel,
  { freeze, layerDecay, weightDecay, emaDecay }: TrainConfig,
  checkpoint: Checkpoint | null,
): Optimizing {
  const trained = trainableParameters(model.parameters.variables.keys(), freeze);
  const variables = new Map([...model.parameters.variables].filter(([name]) => trained.includes(name)));
  const factors = learningRateFactors(model.parameters.variables.keys(), layerDecay);
  const untouchedRateFactor = factors.get(USED_ROWS) ?? 1; // the table's unused rows are where its used ones are
  const optimizer = new AdamW(variables, { weightDecay, learningRateFactors: factors, untouchedRateFactor });
  if (checkpoint?.optimizer) {
    const { optimizerSteps, untouchedDecay } = checkpoint.state;
    optimizer.restore({ step: optimizerSteps, untouchedDecay, moments: momentsFrom(checkpoint.optimizer) });
  }
  const untouchedDecay = checkpoint?.state.averageUntouchedDecay ?? optimizer.untouchedDecay;
  const averages = emaDecay === null ? null : new ExponentialMovingAverage(variables, emaDecay, untouchedDecay);
  return { optimizer, averages, trained };
}
