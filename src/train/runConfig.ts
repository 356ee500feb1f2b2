/** The config of a run: every room's section under one roof. */
import { z } from "zod";
import { AugmentConfig } from "../data/augment/config.js";
import { DataConfig } from "../data/config.js";
import { EngineConfig } from "../engine/config.js";
import { EvaluateConfig } from "../evaluate/config.js";
import { isOfPairs, LossesConfig } from "../losses/config.js";
import { ModelConfig, PromptsConfig } from "../model/config.js";
import { TASKS } from "../model/prompts/promptGrid.js";
import { TrainConfig } from "./config.js";
import { LoggingConfig, MlflowConfig } from "./logs/config.js";

/** The day LIQE's code was first made, as in its release. */
const DEFAULT_SEED = 20200626;

/** Of one training run; only `run`, `model` and `data` have to be there. Each section's defaults are in its schema. */
export const RunConfig = z
  .strictObject({
    run: z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._=-]*$/,
        "must be letters, digits, dots, dashes, underscores and equals signs: it names a folder",
      )
      .describe("the run's folder under checkpoints/"),
    seed: z.int().nonnegative().default(DEFAULT_SEED).describe("seed of every random choice: weights, crops, order"),
    model: ModelConfig,
    data: DataConfig,
    augment: AugmentConfig.prefault({}),
    prompts: PromptsConfig.prefault({}),
    losses: LossesConfig.prefault({}),
    train: TrainConfig.prefault({}),
    evaluate: EvaluateConfig.prefault({}),
    engine: EngineConfig.prefault({}),
    logging: LoggingConfig,
    mlflow: MlflowConfig.prefault({}),
  })
  .refine(
    ({ losses, prompts }) => TASKS.some((task) => losses.weights[task] > 0 && prompts.template.includes(`{${task}}`)),
    {
      path: ["losses", "weights"],
      error: "must have one above 0 of a task that prompts.template asks about, or there is nothing to learn",
    },
  )
  .refine(({ losses, augment }) => augment.contents === 0 || isOfPairs(losses), {
    path: ["augment", "contents"],
    error: "must be 0 with a losses.quality other than fidelity and margin: distorted versions have an order, no score",
  })
  .readonly();
export type RunConfig = z.output<typeof RunConfig>;
