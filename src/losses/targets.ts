import { ShapeError } from "../base/errors.js";
import * as tf from "../engine/tf.js";
import type { Task, TaskAxis } from "../model/prompts/promptGrid.js";
import type { LossesConfig } from "./config.js";
import { labelTensors, type LabelTensors, multiHot, oneHot } from "./labels.js";
import { type PairLabels, pairTargets, pairTensors, type PairTensors } from "./pairs.js";

/** Labels of one batch, image by image, on the host. */
export interface BatchLabels extends PairLabels {
  /** Row-major [images, scenes]: 0 or 1; a row of zeros where the label is missing. */
  readonly scenes: Float32Array;
  /** [images]: class, or −1 where the label is missing. */
  readonly distortions: Int32Array;
}

/** Targets of one batch: everything the losses need besides the logits. Shapes follow from config and axes. */
export interface BatchTargets {
  readonly config: LossesConfig;
  readonly axes: readonly TaskAxis[];
  readonly pairs: PairTensors;
  /** Null where the prompt grid has no such axis; `distortion` too. */
  readonly scene: LabelTensors | null;
  readonly distortion: LabelTensors | null;
}

/**
 * Checks a batch's labels and makes targets of them.
 *
 * @returns given: dispose of them with `disposeTargets`
 * @throws {ShapeError} where labels and axes differ in size, or a database has fewer than two images
 * @throws {DataError}  on labels out of range, or a missing deviation that the config needs
 */
export function batchTargets(labels: BatchLabels, axes: readonly TaskAxis[], config: LossesConfig): BatchTargets {
  const pairs = pairTargets(labels, config);
  const { images } = pairs;
  if (labels.distortions.length !== images) {
    throw new ShapeError(`batchTargets: distortions: expected ${images} values, got ${labels.distortions.length}`);
  }
  const [scenes, distortions] = [classes(axes, "scene"), classes(axes, "distortion")];
  const scene = scenes === null ? null : multiHot(labels.scenes, images, scenes);
  const distortion = distortions === null ? null : oneHot(labels.distortions, distortions);
  return {
    config,
    axes,
    pairs: pairTensors(pairs),
    scene: scene === null ? null : labelTensors(scene),
    distortion: distortion === null ? null : labelTensors(distortion),
  };
}

/** Frees the tensors of targets. */
export function disposeTargets({ pairs, scene, distortion }: BatchTargets): void {
  tf.dispose([pairs, scene ?? {}, distortion ?? {}]);
}

function classes(axes: readonly TaskAxis[], task: Task): number | null {
  return axes.find(({ axis }) => axis === task)?.labels.length ?? null;
}
