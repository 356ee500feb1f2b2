import { ShapeError } from "../base/errors.js";
import type { Task, TaskAxis } from "../model/prompts/promptGrid.js";
import type { LossesConfig } from "./config.js";
import type { LabelMatrix } from "./labelMatrix.js";
import { multiLabels, singleLabels } from "./labelMatrix.js";
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
  readonly scene: LabelMatrix | null;
  readonly distortion: LabelMatrix | null;
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
    scene: scenes === null ? null : multiLabels(labels.scenes, images, scenes),
    distortion: distortions === null ? null : singleLabels(labels.distortions, distortions),
  };
}

function classes(axes: readonly TaskAxis[], task: Task): number | null {
  return axes.find(({ axis }) => axis === task)?.labels.length ?? null;
}
