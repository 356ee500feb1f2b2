import type { TaskAxis, Task } from "./prompts/promptGrid.js";

/** Model's answer for one image; an axis that its prompts do not have is empty. */
export interface Posterior {
  /** Σ k·p(level k), k from 1. */
  readonly quality: number;
  /** The most probable label; "" where the prompts have no such axis. */
  readonly scene: string;
  readonly distortion: string;
  /** Marginals of the joint distribution, in the order of the axis's labels; each sums to 1. */
  readonly probabilities: Readonly<Record<Task, readonly number[]>>;
}

/**
 * One softmax over all prompts, its marginals, and the predictions from them (LIQE, equations 2 to 5), in float64.
 * @param logits [prompts], the mean over an image's crops, in the order of the grid: last axis fastest
 * @throws {RangeError} where there are not as many logits as prompts
 */
export function posteriorOf(logits: ArrayLike<number>, axes: readonly TaskAxis[]): Posterior {
  const prompts = axes.reduce((product, { labels }) => product * labels.length, 1);
  if (logits.length !== prompts) {
    throw new RangeError(`judge: ${logits.length} logits for a grid of ${prompts} prompts; pass those of one image`);
  }
  const joint = softmax(Float64Array.from(logits));
  const probabilities = { quality: [], scene: [], distortion: [], ...marginals(joint, axes) };
  return {
    quality: probabilities.quality.reduce((sum, p, level) => sum + (level + 1) * p, 0),
    scene: mostProbable("scene", probabilities.scene, axes),
    distortion: mostProbable("distortion", probabilities.distortion, axes),
    probabilities,
  };
}

export function softmax(logits: Float64Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function marginals(joint: Float64Array, axes: readonly TaskAxis[]): Partial<Record<Task, number[]>> {
  let stride = joint.length;
  const entries = axes.map(({ axis, labels }) => {
    stride /= labels.length;
    const sums = labels.map(() => 0);
    joint.forEach((p, prompt) => {
      const label = Math.floor(prompt / stride) % labels.length;
      sums[label] = (sums[label] ?? NaN) + p;
    });
    return [axis, sums] as const;
  });
  return Object.fromEntries(entries);
}

function mostProbable(axis: Task, probabilities: readonly number[], axes: readonly TaskAxis[]): string {
  const labels = axes.find((candidate) => candidate.axis === axis)?.labels;
  return labels?.[topLabels(probabilities, 1)[0] ?? -1] ?? "";
}

/** Axis → label → probability, of the axes that the prompts have. */
export type ProbabilitiesByLabel = Readonly<Partial<Record<Task, Readonly<Record<string, number>>>>>;

/** Marginals of a posterior under their labels. */
export function probabilitiesByLabel(
  { probabilities }: Pick<Posterior, "probabilities">,
  axes: readonly TaskAxis[],
): ProbabilitiesByLabel {
  const entries = axes.map(({ axis, labels }) => [
    axis,
    Object.fromEntries(labels.map((label, i) => [label, probabilities[axis][i] ?? NaN])),
  ]);
  return Object.fromEntries(entries) as ProbabilitiesByLabel; // as made the line before
}

/** Indices of the `count` largest probabilities, largest first; equal ones in the labels' order. */
export function topLabels(probabilities: readonly number[], count: number): number[] {
  const order = probabilities.map((_, i) => i);
  return order.sort((a, b) => (probabilities[b] ?? NaN) - (probabilities[a] ?? NaN) || a - b).slice(0, count);
}

/**
 * Entropy of the softmax over all prompts, −Σ p·ln p, in nats: a model's uncertainty about an image. 0 where one prompt
 * has all the probability, ln(prompts) where all have the same (6.2 for the published 495).
 */
export function jointEntropy(logits: ArrayLike<number>): number {
  const scores = Float64Array.from(logits);
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const below = scores.map((logit) => logit - largest);
  const total = below.reduce((sum, d) => sum + Math.exp(d), 0);
  // −Σ p·ln p with p = exp(d) / total; a prompt without probability adds nothing, where 0·ln 0 would be NaN.
  return Math.log(total) - below.reduce((sum, d) => sum + d * Math.exp(d), 0) / total;
}
