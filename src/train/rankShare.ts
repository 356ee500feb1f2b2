import type { Range } from "../base/types.js";
import type { Group } from "../engine/cluster/collective.js";
import * as tf from "../engine/tf.js";

/**
 * Part of one process in steps that several take together. Each encodes its share of the images; their features are
 * gathered, so that every process computes the loss of the whole batch, with all its pairs; then gradients are summed.
 * Weights, moments and task weights stay equal to the bit, as every number that moves them is a sum that all share.
 */
export class RankShare {
  /** True once every process knows that one of them was asked to stop; they learn it in the same step. */
  isStopping = false;

  /** @param signal  of this process: aborted where it was asked to stop */
  constructor(
    readonly group: Group,
    private readonly signal: Pick<AbortSignal, "aborted">,
  ) {}

  /** Learns whether any process was asked to stop, between steps. */
  async agreeToStop(): Promise<void> {
    const asked = await this.group.gatherJson(this.signal.aborted);
    this.isStopping ||= asked.some(Boolean);
  }

  /** This process's part of a list, all parts of nearly the same length, in the order of ranks. */
  rangeOf(length: number): Range {
    const { rank, size } = this.group;
    const bound = (part: number) => Math.floor((part * length) / size);
    return { start: bound(rank), end: bound(rank + 1) };
  }

  /**
   * Features of all crops of a step, [crops, width], given; with them travels the request to stop.
   * @param own    this process's, [own crops, width], borrowed
   * @param first  of the step's crops, this process's first
   */
  async allFeatures(own: tf.Tensor2D, { first, crops }: CropRange): Promise<tf.Tensor2D> {
    const [rows, width] = own.shape;
    const padded = tf.tidy(() => {
      const requests = tf.fill([1, width], this.signal.aborted ? 1 : 0);
      const zeros = (count: number) => tf.zeros<tf.Rank.R2>([count, width]);
      return tf.concat2d([zeros(first), own, zeros(crops - first - rows), requests as tf.Tensor2D], 0);
    });
    try {
      const sum = await this.group.sum(padded);
      const [all, requests] = tf.tidy(() => tf.split(sum, [crops, 1])) as [tf.Tensor2D, tf.Tensor2D]; // two parts
      this.isStopping ||= (requests.dataSync()[0] ?? 0) > 0;
      tf.dispose([sum, requests]);
      return all;
    } finally {
      padded.dispose();
    }
  }

  /** Mean over the processes of a number that they may have computed with other last bits, given; `x` is borrowed. */
  async mean(x: tf.Tensor1D): Promise<tf.Tensor1D> {
    const part = tf.mul<tf.Tensor1D>(x, 1 / this.group.size);
    try {
      return await this.group.sum(part);
    } finally {
      part.dispose();
    }
  }

  /**
   * Sums gradients over the processes, and means what every process has computed of the whole batch: the measures, and
   * the gradients of the text tower. In place: what was in the map is freed.
   * @param isShared  true of a parameter whose gradient is of this process's images alone
   * @returns         the measures, given; those passed are borrowed
   */
  async reduce(
    gradients: Map<string, tf.Tensor>,
    measures: tf.Tensor1D,
    isShared: (name: string) => boolean,
  ): Promise<tf.Tensor1D> {
    const share = 1 / this.group.size;
    const parts = tf.tidy(() => [
      tf.mul(measures, share),
      ...[...gradients].map(([name, gradient]) => (isShared(name) ? tf.clone(gradient) : tf.mul(gradient, share))),
    ]);
    try {
      const [means, ...sums] = (await this.group.sumAll(parts)) as [tf.Tensor1D, ...tf.Tensor[]]; // as `parts`
      for (const [i, name] of [...gradients.keys()].entries()) {
        gradients.get(name)?.dispose();
        const sum = sums[i];
        if (sum !== undefined) gradients.set(name, sum);
      }
      return means;
    } finally {
      tf.dispose(parts);
    }
  }
}

/** Crops of a process among those of its step. */
export interface CropRange {
  readonly first: number;
  /** Of the whole step. */
  readonly crops: number;
}
