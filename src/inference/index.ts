/** `liqe-train/inference`: scoring in browsers and Node, on any TensorFlow.js backend, of which it brings none. */
export { CheckpointError, DataError, EngineError } from "../base/errors.js";
export { Liqe, type LoadOptions } from "./liqe.js";
export type { LiqeSource, LoadProgress, ReadFile } from "./loadWeights.js";
export type { TfjsManifest } from "./manifest.js";
export type { BitmapImage, CanvasImage, ImageInput, PixelImage } from "./imageInput.js";
export type { CropScore, LiqeScore, ScoreOptions } from "./score.js";
