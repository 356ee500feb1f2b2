import { getOrThrow } from "../../base/collections.js";
import { CheckpointError } from "../../base/errors.js";
import * as tf from "../../engine/tf.js";
import type { NamedArrays } from "../../model/parameters/parameters.js";

const WHERE = "ExponentialMovingAverage";

/** Exponential moving averages of the weights that are trained, on the device. Keeps them until `dispose()`. */
export class ExponentialMovingAverage {
  readonly #averages: ReadonlyMap<string, tf.Variable>;
  #untouchedDecay: number;

  /**
   * @param variables       the parameters that are trained, by name: borrowed. Averages begin as their values
   * @param decay           in (0, 1): share of the average that each step keeps, once it has seen many steps
   * @param untouchedDecay  see the property
   */
  constructor(
    private readonly variables: ReadonlyMap<string, tf.Variable>,
    private readonly decay: number,
    untouchedDecay: number,
  ) {
    this.#untouchedDecay = untouchedDecay;
    // A clone shares its original's memory, which no step changes in place: each assigns new memory to its variable
    this.#averages = new Map(
      [...variables].map(([name, value]) => [name, tf.tidy(() => tf.variable(tf.clone(value), false))]),
    );
  }

  /** Average of `AdamW.untouchedDecay`. */
  get untouchedDecay(): number {
    return this.#untouchedDecay;
  }

  /** Average of a parameter, borrowed; undefined where the parameter is not trained. */
  valueOf(name: string): tf.Variable | undefined {
    return this.#averages.get(name);
  }

  /**
   * Takes the weights in as they are after a step: average ← average + (1 − d)·(weight − average). Until there were many
   * steps the average keeps less, d = min(decay, (1 + step)/(10 + step)), or the first weights would weigh too much (as
   * TensorFlow's ExponentialMovingAverage with its `num_updates`).
   * @param step            steps taken, this one among them
   * @param untouchedDecay  of the optimizer, after the step
   */
  update(step: number, untouchedDecay: number): void {
    const share = 1 - Math.min(this.decay, (1 + step) / (10 + step));
    for (const [name, average] of this.#averages) {
      tf.tidy(() => {
        average.assign(tf.add(average, tf.mul(tf.sub(getOrThrow(this.variables, name, WHERE), average), share)));
      });
    }
    this.#untouchedDecay += share * (untouchedDecay - this.#untouchedDecay);
  }

  /** Calls `work` while the variables hold the averages, then restores them, bit for bit. Nothing may train meanwhile. */
  async during<T>(work: () => Promise<T> | T): Promise<T> {
    const held = new Map([...this.variables].map(([name, variable]) => [name, tf.clone(variable)]));
    try {
      for (const [name, average] of this.#averages) getOrThrow(this.variables, name, WHERE).assign(average);
      return await work();
    } finally {
      for (const [name, value] of held) {
        getOrThrow(this.variables, name, WHERE).assign(value);
        value.dispose();
      }
    }
  }

  /**
   * Goes on from averages that were saved; the arrays are borrowed.
   * @param arrays  by the variables' names; others are passed over
   * @throws {CheckpointError} naming the averages that are missing or of another size
   */
  restore(arrays: NamedArrays): void {
    const misfits = [...this.#averages].filter(([name, { size }]) => arrays.get(name)?.values.length !== size);
    if (misfits.length > 0) {
      throw new CheckpointError(
        `averages: ${misfits.map(([name]) => name).join(", ")}: missing or of another size; was it saved for another model?`,
      );
    }
    for (const [name, average] of this.#averages) {
      const { values } = getOrThrow(arrays, name, WHERE);
      tf.tidy(() => {
        average.assign(tf.tensor(values.slice(), average.shape)); // a copy: a tensor shares its array's memory
      });
    }
  }

  dispose(): void {
    for (const average of this.#averages.values()) average.dispose();
  }
}
