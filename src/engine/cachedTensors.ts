import * as tf from "./tf.js";

/**
 * Cache of tensors computed from weights (prompt features, folded matrices of the image encoder), recomputed when a
 * weight is assigned. Every assignment gives a variable other storage, so storage ids show each change.
 */
export class CachedTensors<T extends object> {
  #derived: T | null = null;
  #derivedFrom: readonly object[] = [];

  /** Keeps the tensors until `dispose()`. `derive` computes them from `weights`, borrowed, in a tidy. */
  constructor(
    private readonly derive: () => T,
    private readonly weights: readonly tf.Variable[],
  ) {}

  /** Tensors, borrowed until the next call or `dispose()`; constants, so to be called outside of a gradient tape. */
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
