import * as tf from "./tf.js";

/**
 * Tensors that follow from some weights (what the text tower makes of the prompts, the image tower's matrices as scoring
 * wants them), kept for as long as the weights stay as they are. Weights are told apart by where they are stored, since
 * every assignment to a variable gives it another place. So nothing is compared number by number, and no change can be
 * overlooked.
 */
export class CachedTensors<T extends object> {
  #derived: T | null = null;
  #derivedFrom: readonly object[] = [];

  /**
   * Keeps what it derives until `dispose()`.
   *
   * @param derive   gives the tensors for the weights as they are now, in any nesting of objects and arrays; runs in a
   *                 tidy
   * @param weights  all that `derive` reads, borrowed
   */
  constructor(
    private readonly derive: () => T,
    private readonly weights: readonly tf.Variable[],
  ) {}

  /**
   * Borrowed until the next call or `dispose()`: derived only where a weight was assigned to since the last time. To be
   * called outside of a gradient tape, to which the tensors are constants.
   */
  get(): T {
    const places = this.weights.map(({ dataId }) => dataId);
    if (this.#derived !== null && places.every((place, i) => place === this.#derivedFrom[i])) return this.#derived;
    this.dispose();
    tf.tidy(() => {
      const derived = this.derive();
      tensorsIn(derived).forEach(tf.keep);
      this.#derived = derived;
    });
    this.#derivedFrom = places;
    return this.get();
  }

  dispose(): void {
    if (this.#derived !== null) tf.dispose(tensorsIn(this.#derived));
    this.#derived = null;
  }
}

function tensorsIn(derived: object): tf.Tensor[] {
  return tf.tensor_util.getTensorsInContainer(derived as tf.TensorContainer); // any nesting of objects and arrays
}
