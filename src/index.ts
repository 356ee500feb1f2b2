/** Public names of liqe-train. Everything else may change without notice; `liqe-train/parts` has the bricks. */

export { train, type TrainedRun } from "./api/train/train.js";
export { planTraining } from "./api/train/dryRun.js";
export type { TrainOptions, TrainSource } from "./api/train/jobs.js";
export { evaluate, type EvaluateOptions } from "./api/evaluate.js";
export { leaderboard, type LeaderboardOptions } from "./api/leaderboard.js";
export { predict, type PredictedImage, type Prediction, type PredictOptions } from "./api/predict.js";
export { compare, type CompareOptions, type Comparison } from "./api/compare.js";
export { disagreements, type DisagreementOptions, type Disagreements } from "./api/disagreements.js";
export { exportModel, type ExportModelOptions } from "./api/exportModel.js";
export { checkData, type CheckDataOptions } from "./api/checkData.js";
export { synthesize, type SynthesizeOptions } from "./api/synthesize.js";
export { load, type ImageSource, type LoadOptions, Model, type Score, type ScoreOptions } from "./api/load.js";
export type { WorkEvent, WorkOptions } from "./api/work.js";

export {
  CheckpointError,
  ConfigError,
  DataError,
  EngineError,
  ExportMismatchError,
  LiqeError,
  NonFiniteLossError,
  NoSpaceError,
  ShapeError,
  StalledReadError,
} from "./base/errors.js";
export { packageVersion as version } from "./base/packageInfo.js";
