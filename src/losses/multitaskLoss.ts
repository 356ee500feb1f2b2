import { checkShape } from "../engine/shape.js";
import * as tf from "../engine/tf.js";
import type { Task, TaskValues } from "../model/prompts/promptGrid.js";
import { taskValue } from "../model/prompts/promptGrid.js";
import type { LossesConfig } from "./config.js";
import { crossEntropy } from "./crossEntropy.js";
import { pairwiseFidelity } from "./fidelity.js";
import { multiLabelFidelity, releasedSingleLabelFidelity, singleLabelFidelity } from "./labelFidelity.js";
import type { LabelMatrix } from "./labelMatrix.js";
import { logMarginal } from "./logMarginal.js";
import type { BatchTargets } from "./targets.js";

type LabelLoss = (logProbabilities: tf.Tensor2D, labels: LabelMatrix) => tf.Scalar;

const SCENE_LOSSES: Readonly<Record<LossesConfig["scene"], LabelLoss>> = {
  "cross-entropy": crossEntropy,
  fidelity: multiLabelFidelity,
};

const DISTORTION_LOSSES: Readonly<Record<LossesConfig["distortion"], LabelLoss>> = {
  "cross-entropy": crossEntropy,
  fidelity: singleLabelFidelity,
  "fidelity-released": releasedSingleLabelFidelity,
};

/** Tasks that the prompt grid leaves out are absent. (A type alias, since `tf.tidy` takes no interface.) */
export type MultitaskLoss = { losses: Partial<Record<Task, tf.Scalar>>; total: tf.Scalar };

/**
 * The losses of one batch, and their weighted sum.
 *
 * @param logits   [images, prompts], borrowed: mean over each image's crops, prompts in grid order
 * @param targets  of the same images
 * @param weights  one for each task of the prompt grid
 * @returns        scalars, given: each task's loss without its weight, and the sum with weights
 * @throws {ShapeError} where logits, axes and targets differ in size
 */
export function multitaskLoss(logits: tf.Tensor2D, targets: BatchTargets, weights: TaskValues): MultitaskLoss {
  return tf.tidy(() => {
    const losses: Partial<Record<Task, tf.Scalar>> = {};
    const weighted = targets.axes.map(({ axis }) => {
      const loss = taskLoss(logits, targets, axis);
      losses[axis] = loss;
      return tf.mul<tf.Scalar>(loss, taskValue(weights, axis, "multitaskLoss: weights"));
    });
    return { losses, total: tf.addN(weighted) };
  });
}

/** A task's loss without its weight; see `multitaskLoss` for the arguments. Scalar, given. */
export function taskLoss(logits: tf.Tensor2D, targets: BatchTargets, task: Task): tf.Scalar {
  const { axes, config, pairs, scene, distortion } = targets;
  checkShape("taskLoss: logits", logits, [pairs.images, "prompts"]);
  return tf.tidy(() => {
    const logProbabilities = logMarginal(logits, axes, task); // [images, classes]
    if (task === "quality") return pairwiseFidelity(expectedLevel(logProbabilities), pairs);
    if (task === "scene") return SCENE_LOSSES[config.scene](logProbabilities, present(scene, task));
    return DISTORTION_LOSSES[config.distortion](logProbabilities, present(distortion, task));
  });
}

/** Σ k·p(level k), k from 1: [images, levels] → [images]. */
function expectedLevel(logProbabilities: tf.Tensor2D): tf.Tensor1D {
  const levels = tf.range(1, logProbabilities.shape[1] + 1);
  return tf.sum<tf.Tensor1D>(tf.mul(tf.exp(logProbabilities), levels), 1);
}

function present(labels: LabelMatrix | null, task: Task): LabelMatrix {
  if (labels === null) throw new Error(`internal: multitaskLoss: no labels for the task "${task}"`);
  return labels;
}
