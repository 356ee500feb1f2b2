import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { Task, TaskAxis } from "../model/prompts/promptGrid.js";
import { isOfDatabases, isOfLevels, isOfPairs, type LossesConfig } from "./config.js";
import { FEWEST_CORRELATED, linearCorrelationLoss, normInNormLoss } from "./correlationLosses.js";
import { crossEntropy } from "./crossEntropy.js";
import { multiLabelFidelity, pairwiseFidelity, releasedSingleLabelFidelity, singleLabelFidelity } from "./fidelity.js";
import { earthMoversDistance, klDivergence } from "./levelLosses.js";
import { deviationRemedies } from "./pairs.js";
import { bradleyTerryLoss, huberLoss, marginRankingLoss } from "./scoreLosses.js";
import type { ScoreTensors } from "./scores.js";
import type { BatchTargets, LabelTensors } from "./targets.js";

/** [images, levels], natural logarithms of the levels' probabilities, and all targets. */
type QualityLoss = (logProbabilities: tf.Tensor2D, targets: BatchTargets) => tf.Scalar;

const LOSSES_OF_QUALITY: Readonly<Record<LossesConfig["quality"], QualityLoss>> = {
  fidelity: (levels, { pairs }) => pairwiseFidelity(expectedLevel(levels), pairs),
  margin: (levels, { pairs, config }) => marginRankingLoss(expectedLevel(levels), pairs, config.margin),
  "bradley-terry": (levels, { pairs }) => bradleyTerryLoss(expectedLevel(levels), pairs),
  kl: (levels, targets) => klDivergence(levels, scoresOf(targets)),
  emd: (levels, targets) => earthMoversDistance(levels, scoresOf(targets)),
  plcc: (levels, targets) => linearCorrelationLoss(expectedLevel(levels), scoresOf(targets)),
  "norm-in-norm": (levels, targets) => normInNormLoss(expectedLevel(levels), scoresOf(targets)),
  huber: (levels, targets) => huberLoss(expectedLevel(levels), scoresOf(targets), targets.config.huberDelta),
};

/** Needs of a config's losses, which the training lists have to meet. */
export interface LossNeeds {
  /** Settings that make deviations of the MOS unnecessary; empty where none are needed. */
  readonly deviationRemedies: readonly string[];
  /** Name of the loss that needs scores that differ; null where an order is enough. */
  readonly scaled: string | null;
  /** Fewest images of a database in a step. */
  readonly fewestImages: number;
}

/** Needs of the losses, to be checked before the first step. */
export function lossNeeds(config: LossesConfig): LossNeeds {
  const { quality } = config;
  return {
    deviationRemedies: isOfLevels(config) ? ["losses.quality: fidelity"] : deviationRemedies(config),
    scaled: isOfPairs(config) ? null : `losses.quality: ${quality}`,
    fewestImages: isOfDatabases(config) ? FEWEST_CORRELATED : 2,
  };
}

/**
 * Needs of the losses where a teacher has scored the images: a pair's target is by its levels, and no deviation counts in
 * it; soft levels have theirs as before.
 */
export function taughtNeeds(config: LossesConfig): LossNeeds {
  const needs = lossNeeds(config);
  return isOfLevels(config) ? needs : { ...needs, deviationRemedies: [] };
}

type LabelLoss = (logProbabilities: tf.Tensor2D, labels: LabelTensors) => tf.Scalar;

const SCENE_LOSSES: Readonly<Record<LossesConfig["scene"], LabelLoss>> = {
  "cross-entropy": crossEntropy,
  fidelity: multiLabelFidelity,
};

const DISTORTION_LOSSES: Readonly<Record<LossesConfig["distortion"], LabelLoss>> = {
  "cross-entropy": crossEntropy,
  fidelity: singleLabelFidelity,
  "fidelity-released": releasedSingleLabelFidelity,
};

/** Losses of a batch. (A type alias: `tf.tidy` accepts no interface.) */
type MultitaskLoss = {
  /** Weighted sum. */
  readonly total: tf.Scalar;
  /** [tasks], in the order of the targets' axes: each task's loss without its weight. */
  readonly losses: tf.Tensor1D;
};

/**
 * Losses of one batch and their weighted sum.
 * @param logits   [images, prompts], borrowed: mean over each image's crops, prompts in grid order
 * @param targets  of the same images, borrowed
 * @param weights  [tasks], borrowed, in the order of the targets' axes
 * @returns        given
 * @throws {ShapeError} where logits, axes, targets and weights differ in size
 */
export function multitaskLoss(logits: tf.Tensor2D, targets: BatchTargets, weights: tf.Tensor1D): MultitaskLoss {
  const { axes } = targets;
  checkShape("multitaskLoss: weights", weights, [axes.length]);
  return tf.tidy(() => {
    const losses = axes.map(({ axis }) => taskLoss(logits, targets, axis));
    const factors = tf.unstack(weights);
    const weighted = losses.map((loss, i) => tf.mul<tf.Scalar>(loss, factors[i] ?? NaN));
    return { total: tf.addN(weighted), losses: tf.stack<tf.Scalar>(losses) as tf.Tensor1D }; // of scalars
  });
}

/** Loss of one task without its weight: scalar, given. See `multitaskLoss` for the arguments. */
export function taskLoss(logits: tf.Tensor2D, targets: BatchTargets, task: Task): tf.Scalar {
  const { axes, config, pairs, scene, distortion } = targets;
  checkShape("taskLoss: logits", logits, [pairs.targets.shape[0], "prompts"]);
  return tf.tidy(() => {
    const logProbabilities = logMarginal(logits, axes, task); // [images, classes]
    if (task === "quality") return LOSSES_OF_QUALITY[config.quality](logProbabilities, targets);
    if (task === "scene") return SCENE_LOSSES[config.scene](logProbabilities, present(scene, task));
    return DISTORTION_LOSSES[config.distortion](logProbabilities, present(distortion, task));
  });
}

/** Expected level Σ k·p(level k), k from 1: [images, levels] → [images]. */
function expectedLevel(logProbabilities: tf.Tensor2D): tf.Tensor1D {
  const levels = tf.range(1, logProbabilities.shape[1] + 1);
  return tf.sum<tf.Tensor1D>(tf.mul(tf.exp(logProbabilities), levels), 1);
}

function scoresOf({ scores, config }: BatchTargets): ScoreTensors {
  if (scores === null) throw new Error(`internal: multitaskLoss: no scores for losses.quality ${config.quality}`);
  return scores;
}

function present(labels: LabelTensors | null, task: Task): LabelTensors {
  if (labels === null) throw new Error(`internal: multitaskLoss: no labels for the task "${task}"`);
  return labels;
}

/**
 * Log-probabilities of one task's classes under the softmax over the whole prompt grid. Sums in the logarithm: value and
 * gradient stay finite where the probability underflows (CLIP's logit scale of 100 spreads logits over up to 200).
 * @param logits  [images, prompts], borrowed: unnormalized, prompts in grid order
 * @param axes    axes of the grid, slowest first
 * @param task    axis to keep; the others are summed away
 * @returns       [images, classes], given: natural logarithms, each row normalized
 * @throws {ShapeError} where the axes do not multiply to the prompts, or `task` is none of them
 */
export function logMarginal(logits: tf.Tensor2D, axes: readonly TaskAxis[], task: Task): tf.Tensor2D {
  const sizes = axes.map(({ labels }) => labels.length);
  checkShape(`logMarginal: ${task}: logits`, logits, ["images", sizes.reduce((product, size) => product * size, 1)]);
  const kept = axes.findIndex(({ axis }) => axis === task);
  if (kept < 0) throw new Error(`internal: logMarginal: the prompt grid has no axis "${task}"`);
  const others = sizes.flatMap((_, i) => (i === kept ? [] : [i + 1])); // + 1 skips the images
  return tf.tidy(() => {
    const grid = tf.reshape(logits, [logits.shape[0], ...sizes]);
    // With no axes to sum, logSumExp would sum all of them
    const scores = others.length === 0 ? logits : tf.logSumExp<tf.Tensor2D>(grid, others); // [images, classes]
    return tf.logSoftmax(scores);
  });
}
