import { type Judgement, type ProbabilitiesByLabel, probabilitiesByLabel } from "../model/posterior.js";
import type { GridAxis } from "../model/prompts/promptGrid.js";

/**
 * What a model says of an image, for people: *coffee.jpg is a photo of a still_life with blur artifacts, of perceptual
 * quality 2.87 (1 to 5)*. What the prompts do not ask is left out.
 */
export function predictSentence(image: string, { scene, distortion, quality }: Judgement, levels: number): string {
  const of = scene === "" ? "" : ` of ${article(scene)} ${scene}`;
  const artifacts = distortion === "" ? "" : ` with ${distortion} artifacts`;
  const comma = of + artifacts === "" ? "" : ",";
  return `${image} is a photo${of}${artifacts}${comma} of perceptual quality ${quality.toFixed(2)} (1 to ${levels})`;
}

function article(noun: string): string {
  return /^[aeiou]/i.test(noun) ? "an" : "a";
}

/** The same for programs; `probabilities` has the axes that the prompts have. */
export interface PredictionLine {
  readonly image: string;
  readonly quality: number;
  /** Null where the prompts do not ask. */
  readonly scene: string | null;
  readonly distortion: string | null;
  readonly probabilities: ProbabilitiesByLabel;
}

export function predictionLine(image: string, judgement: Judgement, axes: readonly GridAxis[]): PredictionLine {
  const { quality, scene, distortion } = judgement;
  return {
    image,
    quality,
    scene: scene === "" ? null : scene,
    distortion: distortion === "" ? null : distortion,
    probabilities: probabilitiesByLabel(judgement, axes),
  };
}
