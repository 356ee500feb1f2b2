import * as tf from "../tf.js";
import type { AdamKernel, AdamUpdate, Moments } from "./fusedAdam.js";

interface Slot {
  readonly first: tf.Variable;
  readonly second: tf.Variable;
}

/** Adam's update in the operations that every engine has. */
export class PlainAdam implements AdamKernel {
  readonly #slots: ReadonlyMap<string, Slot>;

  /** Keeps two moments for each variable until `dispose()`; the variables are borrowed for their shapes. */
  constructor(variables: ReadonlyMap<string, tf.Variable>) {
    const zeros = ({ shape }: tf.Variable): tf.Variable => tf.tidy(() => tf.variable(tf.zeros(shape), false));
    this.#slots = new Map(
      [...variables].map(([name, variable]) => [name, { first: zeros(variable), second: zeros(variable) }]),
    );
  }

  apply(
    variables: ReadonlyMap<string, tf.Variable>,
    gradients: ReadonlyMap<string, tf.Tensor>,
    updateOf: (name: string) => AdamUpdate,
  ): void {
    for (const [name, slot] of this.#slots) step(need(variables, name), slot, need(gradients, name), updateOf(name));
  }

  moments(): Map<string, Moments> {
    // Copies: dataSync may hand out the engine's own memory
    const array = (variable: tf.Variable): Float32Array => Float32Array.from(variable.dataSync());
    return new Map(
      [...this.#slots].map(([name, { first, second }]) => [name, { first: array(first), second: array(second) }]),
    );
  }

  restore(moments: ReadonlyMap<string, Moments>): void {
    for (const [name, slot] of this.#slots) {
      const { first, second } = need(moments, name);
      write(slot.first, first);
      write(slot.second, second);
    }
  }

  dispose(): void {
    for (const { first, second } of this.#slots.values()) tf.dispose([first, second]);
  }
}

function step(variable: tf.Variable, { first, second }: Slot, g: tf.Tensor, update: AdamUpdate): void {
  const { beta1, beta2, stepSize, epsilon, decay } = update;
  tf.tidy(() => {
    const m = tf.add(tf.mul(first, beta1), tf.mul(g, 1 - beta1));
    const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(g), 1 - beta2));
    const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), epsilon)), stepSize);
    first.assign(m);
    second.assign(v);
    variable.assign(tf.sub(tf.mul(variable, decay), change));
  });
}

function write(variable: tf.Variable, values: Float32Array): void {
  tf.tidy(() => {
    variable.assign(tf.tensor(values.slice(), variable.shape)); // a copy: a tensor shares its array's memory
  });
}

function need<T>(values: ReadonlyMap<string, T>, name: string): T {
  const value = values.get(name);
  if (value === undefined) throw new Error(`internal: plainAdam: nothing given for "${name}"`);
  return value;
}
