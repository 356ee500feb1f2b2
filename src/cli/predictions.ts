/** The lines of `liqe predict`: a sentence, a JSON object or a CSV row for each image. */
import { csvRow } from "../base/text.js";
import type { ScoredImage } from "../evaluate/scoring/scoreImages.js";
import { type Posterior, type ProbabilitiesByLabel, probabilitiesByLabel } from "../model/posterior.js";
import type { GridAxis } from "../model/prompts/promptGrid.js";

export type OutputFormat = "text" | "json" | "csv";

/** What happened to an image besides its being scored. */
interface ImageFacts {
  readonly isEnlarged: boolean;
  /** Where its heatmap was written; null where none was asked for. */
  readonly heatmap: string | null;
}

const COLUMNS = ["image", "quality", "scene", "distortion", "uncertainty", "enlarged", "heatmap", "error"];

/** What stands before the first image. */
export function outputHead(format: OutputFormat): string {
  return format === "csv" ? csvRow(COLUMNS) : "";
}

/** What is said of an image, or of its failure, with the end of the line. */
export function outputLine(
  scored: ScoredImage,
  format: OutputFormat,
  axes: readonly GridAxis[],
  facts: ImageFacts,
): string {
  if (format === "json") return `${JSON.stringify(jsonOf(scored, axes, facts))}\n`;
  if (format === "csv") return csvRow(csvOf(scored, facts));
  return scored.ok ? `${sentence(scored, axes, facts)}\n` : `${scored.error}\n`;
}

function jsonOf(scored: ScoredImage, axes: readonly GridAxis[], { isEnlarged, heatmap }: ImageFacts) {
  if (!scored.ok) return { image: scored.file, error: scored.error };
  const { file, judgement, entropy, crops } = scored;
  return {
    ...predictionLine(file, judgement, axes),
    uncertainty: entropy,
    ...(isEnlarged ? { enlarged: true } : {}),
    ...(heatmap === null ? {} : { heatmap, crops: crops.scores }),
  };
}

function csvOf(scored: ScoredImage, { isEnlarged, heatmap }: ImageFacts): (string | number)[] {
  if (!scored.ok) return [scored.file, "", "", "", "", "", "", scored.error];
  const { file, judgement, entropy } = scored;
  const { quality, scene, distortion } = judgement;
  return [file, quality, scene, distortion, entropy, isEnlarged ? "true" : "", heatmap ?? "", ""];
}

function sentence(
  { file, judgement }: ScoredImage & { readonly ok: true },
  axes: readonly GridAxis[],
  { isEnlarged, heatmap }: ImageFacts,
): string {
  const levels = axes.find(({ axis }) => axis === "quality")?.labels.length ?? 0;
  return [
    predictSentence(file, judgement, levels),
    ...(isEnlarged ? ["enlarged to 224 pixels"] : []),
    ...(heatmap === null ? [] : [`heatmap: ${heatmap}`]),
  ].join("; ");
}

/**
 * What a model says of an image, for people: *coffee.jpg is a photo of a still_life with blur artifacts, of perceptual
 * quality 2.87 (1 to 5)*. What the prompts do not ask is left out.
 */
export function predictSentence(image: string, { scene, distortion, quality }: Posterior, levels: number): string {
  const of = scene === "" ? "" : ` of ${article(scene)} ${scene}`;
  const artifacts = distortion === "" ? "" : ` with ${distortion} artifacts`;
  const comma = of + artifacts === "" ? "" : ",";
  return `${image} is a photo${of}${artifacts}${comma} of perceptual quality ${quality.toFixed(2)} (1 to ${levels})`;
}

function article(noun: string): string {
  return /^[aeiou]/i.test(noun) ? "an" : "a";
}

/** The same for programs; `probabilities` has the axes that the prompts have. */
interface PredictionLine {
  readonly image: string;
  readonly quality: number;
  /** Null where the prompts do not ask. */
  readonly scene: string | null;
  readonly distortion: string | null;
  readonly probabilities: ProbabilitiesByLabel;
}

export function predictionLine(image: string, judgement: Posterior, axes: readonly GridAxis[]): PredictionLine {
  const { quality, scene, distortion } = judgement;
  return {
    image,
    quality,
    scene: scene === "" ? null : scene,
    distortion: distortion === "" ? null : distortion,
    probabilities: probabilitiesByLabel(judgement, axes),
  };
}
