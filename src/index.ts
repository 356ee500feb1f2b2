/** The public names of liqe-train. Everything else may change without notice. */

export {
  CheckpointError,
  ConfigError,
  DataError,
  EngineError,
  NonFiniteLossError,
  NoSpaceError,
  ShapeError,
  StalledReadError,
} from "./base/errors.js";
export type { ProgressEvent, ReportProgress } from "./base/progress.js";
export { seededRandom, type Random } from "./base/random.js";
export type { Result } from "./base/result.js";

export { startEngine, type EngineChoice, type EngineInfo } from "./engine/engine.js";

export type { Architecture, TextArchitecture, VisionArchitecture } from "./model/architecture.js";
export { DISTORTIONS, PUBLISHED_LABELS, QUALITIES, SCENES, type LabelTables } from "./model/labels.js";
export { LiqeModel } from "./model/liqe.js";
export { PRESET_NAMES, presetArchitecture, type PresetName } from "./model/presets.js";
export { promptGrid, PUBLISHED_TEMPLATE, type PromptGrid } from "./model/promptGrid.js";
export { tokenize } from "./model/tokenizer.js";
export { loadParameters } from "./model/weights/loadParameters.js";

export { crossEntropy } from "./losses/crossEntropy.js";
export { multiLabelFidelity, singleLabelFidelity } from "./losses/labelFidelity.js";
export { pairwiseFidelity } from "./losses/pairwiseFidelity.js";

export { trainingBatches, type TrainingBatch } from "./data/batches.js";
export { checkDatabases, checkList } from "./data/check.js";
export { DataConfig } from "./data/config.js";
export { evaluationCrops } from "./data/crops.js";
export { openDatabases } from "./data/databases.js";
export { decodeImage } from "./data/decode.js";
export { readList } from "./data/lists.js";
export type { Database, Sample } from "./data/sample.js";
export { synthesizeDatabase } from "./data/synthesis/synthesizeDatabase.js";

export { pearson, srcc } from "./evaluate/correlation.js";
export { krcc } from "./evaluate/kendall.js";
export type { ProtocolName } from "./evaluate/protocolNames.js";
export { PROTOCOLS } from "./evaluate/protocols.js";
export { scoreImages } from "./evaluate/score.js";

export { TrainConfig } from "./train/config.js";
export { fit, type FitPorts } from "./train/fit.js";
export { openModel, type OpenedModel } from "./train/openModel.js";
