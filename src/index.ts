/**
 * Functions behind the commands of `liqe`. They return their results, pass progress to `onProgress`, print nothing, and
 * throw a {@link LiqeError} with a `code` for every announced failure. A checkpoint is named by a run, a split's folder, a
 * checkpoint's folder, an export or a weight file. Names outside this page may change without notice; `liqe-train/parts`
 * has the parts that these functions are made of, and `liqe-train/inference` scores exported weights in browsers too.
 * @module
 */

export { train, type TrainedRun, type TrainedSplit } from "./api/train/train.js";
export { planTraining } from "./api/train/dryRun.js";
export type { TrainOptions, TrainSource } from "./api/train/jobs.js";
export { evaluate, type EvaluateOptions } from "./api/evaluate/evaluate.js";
export { leaderboard, type LeaderboardOptions } from "./api/evaluate/leaderboard.js";
export { crossEvaluate, type CrossOptions } from "./api/evaluate/crossEvaluate.js";
export { judgePairs, type JudgePairsOptions, type PairResults } from "./api/evaluate/judgePairs.js";
export type { SeenPolicy } from "./api/evaluate/seenImages.js";
export {
  predict,
  type FailedImage,
  type PredictedImage,
  type Prediction,
  type PredictOptions,
  type ScoringOptions,
} from "./api/predict.js";
export { compare, type CompareOptions, type Comparison } from "./api/compare.js";
export { disagreements, type DisagreementOptions, type Disagreements, type FailedFile } from "./api/disagreements.js";
export { exportModel, type ExportModelOptions } from "./api/exportModel.js";
export { checkData, type CheckDataOptions } from "./api/checkData.js";
export { describeData, type DataDescription, type DescribeDataOptions } from "./api/describeData.js";
export { convertData, type ConvertDataOptions, type ConvertedData } from "./api/lists/convertData.js";
export { splitData, type DataSplit, type SplitDataOptions, type SplitRule } from "./api/lists/splitData.js";
export { synthesize, type SynthesizeOptions } from "./api/synthesize.js";
export { load, type ImageSource, type LoadOptions, Model, type Score, type ScoreOptions } from "./api/load.js";
export type { WorkEvent, WorkOptions } from "./api/work.js";

export type { ProgressEvent, TrainingReport } from "./base/types.js";
export type { CheckReport, DatabaseCounts, Finding, FindingKind, Severity } from "./data/audit/findings.js";
export type { FormatName, ColumnKind } from "./data/lists/formats/names.js";
export type { WrittenForm } from "./data/lists/formats/names.js";
export type { Ambiguity, Direction } from "./data/lists/formats/table.js";
export type { SynthesisResult } from "./data/synthesis/synthesizeDatabase.js";
export type { ClusterOptions } from "./engine/cluster/collective.js";
export type { Precision } from "./engine/compile/compile.js";
export type { EngineChoice } from "./engine/engine.js";
export type { ConfusionMatrix } from "./evaluate/metrics/accuracy.js";
export type { Correlation, MainMetric } from "./evaluate/metrics/metrics.js";
export type { Defence, ScoredPair } from "./evaluate/metrics/gmad.js";
export type { ProtocolName } from "./evaluate/protocols.js";
export type { NoiseCeiling } from "./evaluate/metrics/noiseCeiling.js";
export type { Calibration, KnownNumber, PredictedDeviations } from "./evaluate/metrics/predictedDeviations.js";
export type { DatabaseResults, MetricJson } from "./evaluate/results/databaseResults.js";
export type { SeenImages } from "./evaluate/scoring/predictions.js";
export type { DistributionAgreement } from "./evaluate/metrics/distributionAgreement.js";
export type { WithinGroups } from "./evaluate/metrics/withinGroups.js";
export type { PairAccuracy } from "./evaluate/metrics/pairAccuracy.js";
export type { CrossCell, CrossMatrix } from "./evaluate/results/crossMatrix.js";
export type { Leaderboard } from "./evaluate/results/leaderboard.js";
export type { Results } from "./evaluate/results/results.js";
export type { SplitSummary } from "./evaluate/results/splitSummary.js";
export type { CropScore } from "./evaluate/scoring/scoreImages.js";
export type { Resampling } from "./evaluate/statistics/bootstrap.js";
export type { Comparison as CheckpointComparison } from "./evaluate/statistics/compareRuns.js";
export type { Exported } from "./export/exportModel.js";
export type { Differences, ExportDtype, Parity } from "./inference/manifest.js";
export type { ProbabilitiesByLabel } from "./model/posterior.js";
export type { Task } from "./model/prompts/promptGrid.js";
export type { EpochMetrics, MetricsLine, StepMetrics, StepTime } from "./train/logs/metricsLog.js";

export * from "./base/errors.js";
export { packageVersion as version } from "./base/packageInfo.js";
