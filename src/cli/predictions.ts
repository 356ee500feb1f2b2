import type { PredictedImage, Prediction } from "../api/predict.js";
import { csvRow } from "../base/text.js";

export type OutputFormat = "text" | "json" | "csv";

const COLUMNS = ["image", "quality", "scene", "distortion", "uncertainty", "enlarged", "heatmap", "error"];

/** Text before the first image. */
export function outputHead(format: OutputFormat): string {
  return format === "csv" ? csvRow(COLUMNS) : "";
}

/** Line of a prediction or of its failure. */
export function outputLine(prediction: Prediction, format: OutputFormat): string {
  if (format === "json") return `${JSON.stringify(jsonOf(prediction))}\n`;
  if (format === "csv") return csvRow(csvOf(prediction));
  return "error" in prediction ? `${prediction.error}\n` : `${sentence(prediction)}\n`;
}

function jsonOf(prediction: Prediction) {
  if ("error" in prediction) return prediction;
  const { image, quality, scene, distortion, probabilities, uncertainty, isEnlarged, heatmap, windows } = prediction;
  return {
    ...{ image, quality, scene, distortion, probabilities, uncertainty },
    ...(isEnlarged ? { enlarged: true } : {}),
    ...(heatmap === null ? {} : { heatmap, crops: windows }),
  };
}

function csvOf(prediction: Prediction): (string | number)[] {
  if ("error" in prediction) return [prediction.image, "", "", "", "", "", "", prediction.error];
  const { image, quality, scene, distortion, uncertainty, isEnlarged, heatmap } = prediction;
  return [image, quality, scene ?? "", distortion ?? "", uncertainty, isEnlarged ? "true" : "", heatmap ?? "", ""];
}

/** Sentence: *coffee.jpg is a photo of a still_life with blur artifacts, of perceptual quality 2.87 (1 to 5)*. */
export function sentence(prediction: Omit<PredictedImage, "probabilities" | "uncertainty" | "windows">): string {
  const { image, scene, distortion, quality, levels, isEnlarged, heatmap } = prediction;
  const of = scene === null ? "" : ` of ${article(scene)} ${scene}`;
  const artifacts = distortion === null ? "" : ` with ${distortion} artifacts`;
  const comma = of + artifacts === "" ? "" : ",";
  return [
    `${image} is a photo${of}${artifacts}${comma} of perceptual quality ${quality.toFixed(2)} (1 to ${levels})`,
    ...(isEnlarged ? ["enlarged to 224 pixels"] : []),
    ...(heatmap === null ? [] : [`heatmap: ${heatmap}`]),
  ].join("; ");
}

function article(noun: string): string {
  return /^[aeiou]/i.test(noun) ? "an" : "a";
}
