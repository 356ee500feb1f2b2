import * as tf from "../engine/tf.js";

/**
 * What the text tower makes of one grid's prompts, kept for as long as its weights stay as they are. Template and
 * labels are those of `encode`; the weights are told apart by where they are stored, since every assignment to a
 * variable gives it another place. So nothing is compared number by number, and no change can be overlooked.
 */
export class PromptFeatures {
  #features: tf.Tensor2D | null = null;
  #encodedFrom: readonly object[] = [];

  /**
   * Keeps what it encodes until `dispose()`.
   *
   * @param encode   gives the features for the weights as they are now
   * @param weights  all that `encode` reads, borrowed
   */
  constructor(
    private readonly encode: () => tf.Tensor2D,
    private readonly weights: readonly tf.Variable[],
  ) {}

  /**
   * [prompts, embedding], borrowed until the next call or `dispose()`: encoded only where a weight was assigned to
   * since the last time. To be called outside of a gradient tape, to which the features are constants.
   */
  get(): tf.Tensor2D {
    const places = this.weights.map(({ dataId }) => dataId);
    if (this.#features !== null && places.every((place, i) => place === this.#encodedFrom[i])) return this.#features;
    this.dispose();
    this.#features = tf.keep(this.encode());
    this.#encodedFrom = places;
    return this.#features;
  }

  dispose(): void {
    this.#features?.dispose();
    this.#features = null;
  }
}
