/** Bricks of liqe-train, for programs that put them together in another way; `liqe-train` has what most need. */

export * from "./base/errors.js";
export type { ProgressEvent, ReportProgress, Result } from "./base/types.js";
export { seededRandom, type Random } from "./base/random.js";

export { startEngine, type EngineChoice, type EngineInfo } from "./engine/engine.js";

export type { Architecture, TextArchitecture, VisionArchitecture } from "./model/architecture/architecture.js";
export { PRESET_NAMES, presetArchitecture, type PresetName } from "./model/architecture/presets.js";
export { LiqeModel } from "./model/liqe.js";
export { evaluationCrops } from "./model/preprocess/crops.js";
export { DISTORTIONS, PUBLISHED_LABELS, QUALITIES, SCENES, type LabelTables } from "./model/prompts/labels.js";
export { promptGrid, PUBLISHED_TEMPLATE, type PromptGrid } from "./model/prompts/promptGrid.js";
export { tokenize } from "./model/text/tokenizer.js";
export { loadParameters } from "./model/weights/loadParameters.js";

export { crossEntropy } from "./losses/crossEntropy.js";
export { multiLabelFidelity, pairwiseFidelity, singleLabelFidelity } from "./losses/fidelity.js";
export { labelTensors, multiHot, oneHot } from "./losses/targets.js";
export { pairTargets, pairTensors } from "./losses/pairs.js";
export { batchTargets } from "./losses/targets.js";

export { checkDatabases, checkList } from "./data/audit/check.js";
export { DataConfig } from "./data/config.js";
export { decodeImage } from "./data/images/loadImage.js";
export { readList } from "./data/lists/readList.js";
export { createLoader as trainingBatches, type Batch as TrainingBatch } from "./data/loader/loader.js";
export { openDatabases } from "./data/openDatabases.js";
export type { Database, Sample } from "./data/sample.js";
export { synthesizeDatabase } from "./data/synthesis/synthesizeDatabase.js";

export { pearson, srcc } from "./evaluate/metrics/correlation.js";
export { krcc } from "./evaluate/metrics/kendall.js";
export { PROTOCOLS, type ProtocolName } from "./evaluate/protocols.js";
export { scoreImages } from "./evaluate/scoring/scoreImages.js";

export { TrainConfig } from "./train/config.js";
export { type Trainable, trainLoop as fit } from "./train/loop.js";

export { openModel, type OpenedModel } from "./api/openModel.js";
