import { DataError, ShapeError } from "../base/errors.js";
import * as tf from "../engine/tf.js";
import type { Task, TaskAxis } from "../model/prompts/promptGrid.js";
import { isOfPairs, type LossesConfig } from "./config.js";
import { type PairLabels, pairTargets, pairTensors, type PairTensors } from "./pairs.js";
import { scoreTargets, scoreTensors, type ScoreTensors } from "./scores.js";

/** Labels of one batch, image by image, on the host. */
export interface BatchLabels extends PairLabels {
  /** Row-major [images, scenes]: 0 or 1; a row of zeros where the label is missing. */
  readonly scenes: Float32Array;
  /** [images]: class, or −1 where the label is missing. */
  readonly distortions: Int32Array;
}

/** Targets of one batch, on the device: all that the losses need besides the logits. */
export interface BatchTargets {
  readonly config: LossesConfig;
  readonly axes: readonly TaskAxis[];
  readonly pairs: PairTensors;
  /** Null where the quality loss is over pairs, or the prompt grid has no levels. */
  readonly scores: ScoreTensors | null;
  /** Null where the prompt grid has no such axis; `distortion` too. */
  readonly scene: LabelTensors | null;
  readonly distortion: LabelTensors | null;
}

/**
 * Checks a batch's labels and makes targets of them.
 * @returns given: dispose of them with `disposeTargets`
 * @throws {ShapeError} where labels and axes differ in size, or a database has fewer than two images
 * @throws {DataError}  on labels out of range, or a missing deviation or span of scores that the config needs
 */
export function batchTargets(labels: BatchLabels, axes: readonly TaskAxis[], config: LossesConfig): BatchTargets {
  const [scenes, distortions] = [classes(axes, "scene"), classes(axes, "distortion")];
  const ranked = labels.rankings?.groups.flatMap(({ levels }) => levels) ?? [];
  const images = labels.mos.length + ranked.length;
  if (labels.distortions.length !== images) {
    throw new ShapeError(`batchTargets: distortions: expected ${images} values, got ${labels.distortions.length}`);
  }
  // All is checked before any tensor is made
  const scene = scenes === null ? null : taught(multiHot(labels.scenes, images, scenes), labels, "scene");
  const distortion =
    distortions === null ? null : taught(oneHot(labels.distortions, distortions), labels, "distortion");
  const pairs = pairTargets(labels, config);
  const levels = isOfPairs(config) ? null : classes(axes, "quality");
  const scores = levels === null ? null : scoreTargets(labels, levels, config);
  return {
    config,
    axes,
    pairs: pairTensors(pairs),
    scores: scores && scoreTensors(scores),
    scene: scene && labelTensors(scene),
    distortion: distortion && labelTensors(distortion),
  };
}

/** Frees the tensors of targets. */
export function disposeTargets(targets: BatchTargets): void {
  tf.dispose(targetTensors(targets));
}

/** Tensors of targets, borrowed, in an order of their own; see `withTensors`. */
export function targetTensors({ pairs, scores, scene, distortion }: BatchTargets): tf.Tensor[] {
  return [pairs, scores, scene, distortion].flatMap((group) => (group === null ? [] : Object.values(group)));
}

/** The same targets of other tensors, borrowed: as many and of the same shapes as those of `targetTensors`. */
export function withTensors(targets: BatchTargets, tensors: readonly tf.Tensor[]): BatchTargets {
  const rest = [...tensors];
  const taken = <G extends PairTensors | ScoreTensors | LabelTensors>(group: G): G =>
    Object.fromEntries(Object.keys(group).map((key) => [key, rest.shift()])) as unknown as G; // as they were taken apart
  const { pairs, scores, scene, distortion } = targets;
  return {
    ...targets,
    pairs: taken(pairs),
    scores: scores && taken(scores), // in the order of `targetTensors`
    scene: scene && taken(scene),
    distortion: distortion && taken(distortion),
  };
}

function classes(axes: readonly TaskAxis[], task: Task): number | null {
  return axes.find(({ axis }) => axis === task)?.labels.length ?? null;
}

/** Classes of each image, on the host. */
interface MultiHot {
  readonly images: number;
  readonly classes: number;
  /**
   * Row-major [images, classes]: 1, or a teacher's probability, where the image has the class; a row of zeros is a
   * missing label.
   */
  readonly values: Float32Array;
}

/** Labels in which the images that a teacher told have its probabilities, a row that sums to 1. */
function taught(hot: MultiHot, { soft = [] }: BatchLabels, task: Task): MultiHot {
  if (soft.every((one) => one === null || one[task].length !== hot.classes)) return hot;
  const values = hot.values.slice();
  soft.forEach((one, image) => {
    if (one?.[task].length === hot.classes) values.set(one[task], image * hot.classes);
  });
  return { ...hot, values };
}

/** Labels of one task on the device. (A type alias: `tf.tidy` accepts no interface.) */
export type LabelTensors = {
  /** [images, classes]: 1 where the image has the class, else 0; a teacher's probabilities. */
  readonly present: tf.Tensor2D;
  /** [images, classes]: the image's uniform distribution over its labels, times its weight. */
  readonly shares: tf.Tensor2D;
  /** [images]: 1 / (number of labeled images), 0 for an image without a label. */
  readonly weights: tf.Tensor1D;
};

/**
 * Checks labels of several classes an image, such as scenes.
 * @param values  row-major [images, classes], borrowed: 0 or 1
 * @throws {ShapeError} where the values do not fill whole rows
 * @throws {DataError}  on a value other than 0 and 1
 */
export function multiHot(values: Float32Array, images: number, classes: number): MultiHot {
  if (values.length !== images * classes) {
    throw new ShapeError(`multiHot: expected ${images} images x ${classes} classes, got ${values.length} values`);
  }
  const wrong = values.findIndex((value) => value !== 0 && value !== 1);
  if (wrong >= 0) {
    const where = `image ${Math.floor(wrong / classes)}, class ${wrong % classes}`;
    throw new DataError(`multiHot: ${where}: must be 1 or 0, got ${values[wrong] ?? NaN}`);
  }
  return { images, classes, values };
}

/**
 * Labels of one class an image, such as distortions.
 * @param indices  [images], borrowed: 0 to classes − 1, or −1 for a missing label
 * @throws {DataError} on an index outside that range
 */
export function oneHot(indices: Int32Array, classes: number): MultiHot {
  const values = new Float32Array(indices.length * classes);
  indices.forEach((index, image) => {
    if (index < -1 || index >= classes) {
      throw new DataError(`oneHot: image ${image}: must be a class from 0 to ${classes - 1} or -1, got ${index}`);
    }
    if (index >= 0) values[image * classes + index] = 1;
  });
  return { images: indices.length, classes, values };
}

/** Labels as tensors, given. */
export function labelTensors({ images, classes, values }: MultiHot): LabelTensors {
  const counts = Array.from({ length: images }, (_, image) =>
    values.subarray(image * classes, (image + 1) * classes).reduce((sum, value) => sum + value, 0),
  );
  const labeled = counts.filter((count) => count > 0).length;
  const weights = counts.map((count) => (count > 0 ? 1 / labeled : 0));
  const perLabel = weights.map((weight, image) => weight / Math.max(counts[image] ?? 0, 1));
  const shares = values.map((value, i) => value * (perLabel[Math.floor(i / classes)] ?? NaN));
  return {
    present: tf.tensor2d(values, [images, classes]),
    shares: tf.tensor2d(shares, [images, classes]),
    weights: tf.tensor1d(weights),
  };
}
