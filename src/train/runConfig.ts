/** The config of a run: every room's section under one roof. */
import { z } from "zod";
import { AugmentConfig } from "../data/augment/config.js";
import { DataConfig, hasPairs, hasPhotos } from "../data/config.js";
import { isUnscored } from "../data/sample.js";
import { EngineConfig } from "../engine/config.js";
import { EvaluateConfig } from "../evaluate/config.js";
import { isOfPairs, LossesConfig } from "../losses/config.js";
import { ModelConfig, PromptsConfig } from "../model/config.js";
import { TASKS } from "../model/prompts/promptGrid.js";
import { isRidge, TrainConfig } from "./config.js";
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
    error:
      "must be 0 with a losses.quality that is not over pairs of images: distorted versions have an order, no score",
  })
  .refine(({ losses, data }) => isOfPairs(losses) || !data.databases.some(hasPairs), {
    path: ["losses", "quality"],
    error: "must be fidelity, margin or bradley-terry with a database of pairs: they have an order, no score",
  })
  .refine(({ train, data }) => train.images === null || !data.databases.some(isUnscored), {
    path: ["train", "images"],
    error:
      "must be null with a database of pairs or photos: images are drawn over people's scores, and these have none",
  })
  .refine(({ train, data }) => train.teacher !== null || !data.databases.some(hasPhotos), {
    path: ["train", "teacher"],
    error: "is missing; it scores the databases' photos, which have no scores",
  })
  .refine(({ train, data }) => train.teacher === null || data.databases.some(hasPhotos), {
    path: ["train", "teacher"],
    error: "scores the photos of a database, and no database has photos; add them, or leave it out",
  })
  .refine(({ train, prompts }) => train.teacher === null || prompts.template.includes("{quality}"), {
    path: ["train", "teacher"],
    error: "needs {quality} in prompts.template: that is what it tells of photographs",
  })
  .refine(({ train, data }) => train.tune !== "probe" || !data.databases.some(isUnscored), {
    path: ["train", "tune"],
    error: "must not be probe with a database of pairs or photos: a probe keeps features of lists with scores",
  })
  .refine(({ train, augment }) => train.tune !== "probe" || augment.contents === 0, {
    path: ["augment", "contents"],
    error: "must be 0 with `train.tune: probe`: features are computed once, and versions would be new in each step",
  })
  .refine(({ train, data }) => train.tune !== "probe" || data.onUnreadable === "stop", {
    path: ["data", "onUnreadable"],
    error: "must be stop with `train.tune: probe`, which reads every image once, before its first step",
  })
  .refine(({ train, evaluate }) => train.tune !== "probe" || train.cropsPerImage <= evaluate.crops, {
    path: ["train", "cropsPerImage"],
    error: "must be at most evaluate.crops with `train.tune: probe`: a step draws among these windows",
  })
  .refine(({ train, losses }) => !isRidge(train) || JSON.stringify(losses) === JSON.stringify(LossesConfig.parse({})), {
    path: ["losses"],
    error: "has no effect with `train.probe.solver: ridge`, which minimizes squared errors of the scores; leave it out",
  })
  .readonly();
export type RunConfig = z.output<typeof RunConfig>;
