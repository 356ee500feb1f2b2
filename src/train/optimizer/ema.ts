import { getOrThrow } from "../../base/collections.js";
import { CheckpointError } from "../../base/errors.js";
import type { CompiledWeights } from "../../engine/adam.js";
import { resources, ResourceVariables } from "../../engine/compile/resourceVariables.js";
import * as tf from "../../engine/tf.js";
import type { NamedArrays } from "../../model/parameters/parameters.js";

const WHERE = "ExponentialMovingAverage";

/** Exponential moving averages of the weights that are trained, on the device. Keeps them until `dispose()`. */
export class ExponentialMovingAverage {
  readonly #averages: Averages;
  #untouchedDecay: number;

  /**
   * @param variables       the parameters that are trained, by name: borrowed. Averages begin as their values
   * @param decay           in (0, 1): share of the average that each step keeps, once it has seen many steps
   * @param untouchedDecay  see the property
   * @param compiled        what holds the weights in the variables' place, if anything does
   */
  constructor(
    variables: ReadonlyMap<string, tf.Variable>,
    private readonly decay: number,
    untouchedDecay: number,
    compiled: CompiledWeights | null = null,
  ) {
    this.#untouchedDecay = untouchedDecay;
    this.#averages = compiled === null ? new PlainAverages(variables) : new CompiledAverages(variables, compiled);
  }

  /** Average of `AdamW.untouchedDecay`. */
  get untouchedDecay(): number {
    return this.#untouchedDecay;
  }

  /** Average of a parameter, which may share the engine's memory; undefined where the parameter is not trained. */
  arrayOf(name: string): Float32Array | undefined {
    return this.#averages.arrayOf(name);
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
    this.#averages.update(share);
    this.#untouchedDecay += share * (untouchedDecay - this.#untouchedDecay);
  }

  /** Calls `work` while the variables hold the averages; then all is as before, bit for bit. Nothing may train meanwhile. */
  async during<T>(work: () => Promise<T> | T): Promise<T> {
    return this.#averages.during(work);
  }

  /**
   * Goes on from averages that were saved; the arrays are borrowed.
   * @param arrays  by the variables' names; others are passed over
   * @throws {CheckpointError} naming the averages that are missing or of another size
   */
  restore(arrays: NamedArrays): void {
    const misfits = [...this.#averages.sizes].filter(([name, size]) => arrays.get(name)?.values.length !== size);
    if (misfits.length > 0) {
      throw new CheckpointError(
        `averages: ${misfits.map(([name]) => name).join(", ")}: missing or of another size; was it saved for another model?`,
      );
    }
    this.#averages.restore(new Map([...arrays].map(([name, { values }]) => [name, values])));
  }

  dispose(): void {
    this.#averages.dispose();
  }
}

/** Averages on the device. */
interface Averages {
  /** Values of each, by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** average ← average + share·(weight − average). */
  update(share: number): void;
  during<T>(work: () => Promise<T> | T): Promise<T>;
  arrayOf(name: string): Float32Array | undefined;
  restore(arrays: ReadonlyMap<string, Float32Array>): void;
  dispose(): void;
}

/** Averages of variables, in the operations that every engine has. */
class PlainAverages implements Averages {
  readonly #averages: ReadonlyMap<string, tf.Variable>;

  constructor(private readonly variables: ReadonlyMap<string, tf.Variable>) {
    // A clone shares its original's memory, which no step changes in place: each assigns new memory to its variable
    this.#averages = new Map(
      [...variables].map(([name, value]) => [name, tf.tidy(() => tf.variable(tf.clone(value), false))]),
    );
  }

  get sizes(): ReadonlyMap<string, number> {
    return new Map([...this.#averages].map(([name, { size }]) => [name, size]));
  }

  update(share: number): void {
    for (const [name, average] of this.#averages) {
      tf.tidy(() => {
        average.assign(tf.add(average, tf.mul(tf.sub(getOrThrow(this.variables, name, WHERE), average), share)));
      });
    }
  }

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

  arrayOf(name: string): Float32Array | undefined {
    return this.#averages.get(name)?.dataSync<"float32">();
  }

  restore(arrays: ReadonlyMap<string, Float32Array>): void {
    for (const [name, average] of this.#averages) {
      const values = getOrThrow(arrays, name, WHERE);
      tf.tidy(() => {
        average.assign(tf.tensor(values.slice(), average.shape)); // a copy: a tensor shares its array's memory
      });
    }
  }

  dispose(): void {
    for (const average of this.#averages.values()) average.dispose();
  }
}

/** Averages of weights that functions change in place, as one function. */
class CompiledAverages implements Averages {
  readonly #averages: ResourceVariables;

  /** @param variables  hold nothing but for `during`; borrowed */
  constructor(
    private readonly variables: ReadonlyMap<string, tf.Variable>,
    private readonly compiled: CompiledWeights,
  ) {
    const { values } = compiled;
    this.#averages = new ResourceVariables(values.shapes, (name) => values.read(name));
  }

  get sizes(): ReadonlyMap<string, number> {
    return new Map([...this.#averages.shapes].map(([name, shape]) => [name, tf.util.sizeFromShape([...shape])]));
  }

  update(share: number): void {
    tf.tidy(() => {
      this.compiled.runner.runNow("average", [tf.scalar(share)], ([rate]) => {
        for (const name of this.#averages.names) {
          const change = tf.sub(this.#averages.read(name), this.compiled.values.read(name));
          resources.applyGradientDescent(this.#averages.handle(name), rate as tf.Tensor, change); // the one input
        }
        return [];
      });
    });
  }

  during<T>(work: () => Promise<T> | T): Promise<T> {
    return this.#averages.during(this.variables, work);
  }

  arrayOf(name: string): Float32Array | undefined {
    return this.#averages.arrayOf(name);
  }

  restore(arrays: ReadonlyMap<string, Float32Array>): void {
    this.#averages.restore(arrays);
  }

  dispose(): void {
    this.#averages.dispose();
  }
}
