/**
 * `liqe-train/inference`: trained weights in, scores out. Runs in browsers and in Node, on any TensorFlow.js backend; it
 * brings none along, and nothing of the training.
 */
export { CheckpointError, DataError, EngineError } from "../base/errors.js";
export { Liqe, type LoadOptions } from "./liqe.js";
export type { LiqeSource, LoadProgress, ReadFile } from "./loadWeights.js";
export type { TfjsManifest } from "./manifest.js";
export type { BitmapImage, CanvasImage, ImageInput, PixelImage } from "./imageInput.js";
export type { CropScore, LiqeScore, ScoreOptions } from "./score.js";
