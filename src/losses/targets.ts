import { DataError, ShapeError } from "../base/errors.js";
import type { Task, TaskAxis } from "../model/prompts/promptGrid.js";
import type { LossesConfig } from "./config.js";
import type { PairLabels, Pairs } from "./pairs.js";
import { pairTargets } from "./pairs.js";

/** The labels of one batch, image by image. */
export interface BatchLabels extends PairLabels {
  /** Row-major [images, scenes]: 0 or 1; a row of zeros where the label is missing. */
  readonly scenes: Float32Array;
  /** [images]: class, or −1 where the label is missing. */
  readonly distortions: Int32Array;
}

/** What one batch should come out as, checked, on the host: all that the losses need besides the logits. */
export interface BatchTargets {
  readonly config: LossesConfig;
  readonly axes: readonly TaskAxis[];
  readonly pairs: Pairs;
  /** Null where the prompt grid has no such axis. */
  readonly scene: MultiHot | null;
  readonly distortion: MultiHot | null;
}

/**
 * Checks a batch's labels and makes targets of them. Done outside of the gradient tape: a mistake
 * here should not cost a forward pass.
 *
 * @throws {ShapeError} where labels and axes differ in size, or a database has fewer than two images
 * @throws {DataError}  on labels out of range, or a deviation missing that the config needs
 */
export function batchTargets(labels: BatchLabels, axes: readonly TaskAxis[], config: LossesConfig): BatchTargets {
  const pairs = pairTargets(labels, config);
  const { images } = pairs;
  if (labels.distortions.length !== images) {
    throw new ShapeError(`batchTargets: distortions: expected ${images} values, got ${labels.distortions.length}`);
  }
  const scenes = classes(axes, "scene");
  const distortions = classes(axes, "distortion");
  return {
    config,
    axes,
    pairs,
    scene: scenes === null ? null : multiHot(labels.scenes, images, scenes),
    distortion: distortions === null ? null : oneHot(labels.distortions, distortions),
  };
}

function classes(axes: readonly TaskAxis[], task: Task): number | null {
  return axes.find(({ axis }) => axis === task)?.labels.length ?? null;
}

/** Which classes each image has, on the host. */
export interface MultiHot {
  readonly images: number;
  readonly classes: number;
  /** Row-major [images, classes]: 1 where the image has the class, else 0; a row of zeros is a missing label. */
  readonly values: Float32Array;
}

/**
 * Several classes an image, as scenes have them.
 *
 * @param values  row-major [images, classes], borrowed: 0 or 1
 * @throws {ShapeError} where the values do not fill whole rows
 * @throws {DataError}  on a value other than 0 and 1
 */
export function multiHot(values: Float32Array, images: number, classes: number): MultiHot {
  if (values.length !== images * classes) {
    throw new ShapeError(`multiLabels: expected ${images} images x ${classes} classes, got ${values.length} values`);
  }
  const wrong = values.findIndex((value) => value !== 0 && value !== 1);
  if (wrong >= 0) {
    const where = `image ${Math.floor(wrong / classes)}, class ${wrong % classes}`;
    throw new DataError(`multiLabels: ${where}: must be 1 or 0, got ${values[wrong] ?? NaN}`);
  }
  return { images, classes, values };
}

/**
 * One class an image, as distortions have it.
 *
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

/** How many classes each image has: [images]. */
export function labelCounts({ images, classes, values }: MultiHot): number[] {
  return Array.from({ length: images }, (_, image) =>
    values.subarray(image * classes, (image + 1) * classes).reduce((sum, value) => sum + value, 0),
  );
}

/** Each image's part in the mean over the labelled ones, which are given 1/n, the others 0: [images]. */
export function labeledWeights(labels: MultiHot): number[] {
  const counts = labelCounts(labels);
  const labelled = counts.filter((count) => count > 0).length;
  return counts.map((count) => (count > 0 ? 1 / labelled : 0));
}
