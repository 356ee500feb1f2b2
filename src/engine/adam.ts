import { getOrThrow } from "../base/collections.js";
import { CheckpointError } from "../base/errors.js";
import { NATIVE_BACKEND } from "./backend/native.js";
import type { Runner } from "./compile/compile.js";
import { resources, ResourceVariables } from "./compile/resourceVariables.js";
import * as tf from "./tf.js";

/** One step of Adam in numbers: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← decay·p − stepSize·m/(√v + epsilon). */
export interface AdamUpdate {
  readonly beta1: number;
  readonly beta2: number;
  readonly stepSize: number;
  readonly epsilon: number;
  readonly decay: number;
}

/** Both moments of one parameter, row-major as the parameter. */
export type Moments = { readonly first: Float32Array; readonly second: Float32Array };

/** Gradients, borrowed, and what is made of them; gradients and updates have every name of the kernel. */
interface AdamStep {
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
  /** Factor of all gradients, of clipping. */
  readonly gradientFactor: number;
  /** Parameters with one learning rate share one object. */
  readonly updateOf: (name: string) => AdamUpdate;
}

/** Moments of some parameters on the device, 0 at first, and their update. */
interface AdamKernel {
  apply(step: AdamStep): void;
  /** By parameter name; each array is read from the device, as a copy, whenever it is asked for. */
  moments(): Map<string, Moments>;
  /** Copies the arrays to the device; names and sizes as in `moments()`. */
  restore(moments: ReadonlyMap<string, Moments>): void;
  dispose(): void;
}

/** Weights that functions change in place, and the runner of these functions; both borrowed. */
export interface CompiledWeights {
  readonly values: ResourceVariables;
  readonly runner: Runner;
}

/** `auto`: the engine's fused operation where it has one. `plain`: what every engine has. Or compiled, of these weights. */
export type AdamKind = "auto" | "plain" | CompiledWeights;

/** Adam kernel of the current engine. Keeps two moments for each variable until `dispose()`; the variables are borrowed. */
export function createAdamKernel(variables: ReadonlyMap<string, tf.Variable>, kind: AdamKind): AdamKernel {
  if (typeof kind === "object") return new CompiledAdam(kind, [...variables.keys()]);
  const isFused = kind === "auto" && tf.getBackend() === NATIVE_BACKEND;
  return isFused ? new FusedAdam(variables) : new PlainAdam(variables);
}

type PlainSlot = { readonly first: tf.Variable; readonly second: tf.Variable };

/** Adam's update in the operations that every engine has. */
class PlainAdam implements AdamKernel {
  readonly #slots: ReadonlyMap<string, PlainSlot>;

  constructor(private readonly variables: ReadonlyMap<string, tf.Variable>) {
    const zeros = ({ shape }: tf.Variable): tf.Variable => tf.tidy(() => tf.variable(tf.zeros(shape), false));
    this.#slots = new Map(
      [...variables].map(([name, variable]) => [name, { first: zeros(variable), second: zeros(variable) }]),
    );
  }

  apply({ gradients, gradientFactor, updateOf }: AdamStep): void {
    for (const [name, { first, second }] of this.#slots) {
      const variable = getOrThrow(this.variables, name, "adam: variables");
      const { beta1, beta2, stepSize, epsilon, decay } = updateOf(name);
      tf.tidy(() => {
        const g = scaled(getOrThrow(gradients, name, "adam: gradients"), gradientFactor);
        const m = tf.add(tf.mul(first, beta1), tf.mul(g, 1 - beta1));
        const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(g), 1 - beta2));
        const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), epsilon)), stepSize);
        first.assign(m);
        second.assign(v);
        variable.assign(tf.sub(tf.mul(variable, decay), change));
      });
    }
  }

  moments(): Map<string, Moments> {
    // Copies: dataSync may hand out the engine's own memory
    const read = (variable: tf.Variable) => () => variable.dataSync<"float32">().slice();
    return momentsOnDevice(this.#slots, ({ first, second }) => [read(first), read(second)]);
  }

  restore(moments: ReadonlyMap<string, Moments>): void {
    for (const [name, slot] of this.#slots) {
      const { first, second } = getOrThrow(moments, name, "adam: moments");
      tf.tidy(() => {
        // Copies: a tensor shares its array's memory
        slot.first.assign(tf.tensor(first.slice(), slot.first.shape));
        slot.second.assign(tf.tensor(second.slice(), slot.second.shape));
      });
    }
  }

  dispose(): void {
    for (const { first, second } of this.#slots.values()) tf.dispose([first, second]);
  }
}

/** A gradient times a factor, which is mostly 1. */
function scaled(gradient: tf.Tensor, factor: number): tf.Tensor {
  return factor === 1 ? gradient : tf.mul(gradient, factor);
}

type FusedSlot = { readonly shape: readonly number[]; readonly first: tf.Tensor; readonly second: tf.Tensor };

/**
 * Adam's update by the native engine's own operation: one pass over each tensor instead of thirteen. TensorFlow.js does
 * not offer it, so the backend is called with TensorFlow's name for it.
 */
class FusedAdam implements AdamKernel {
  readonly #slots: ReadonlyMap<string, FusedSlot>;
  /** Resource that holds one parameter after the other during its update. */
  readonly #scratch: tf.Tensor;

  constructor(private readonly variables: ReadonlyMap<string, tf.Variable>) {
    this.#scratch = resources.create([]);
    this.#slots = new Map(
      [...variables].map(([name, { shape, size }]) => {
        const slot = { shape, first: resources.create([]), second: resources.create([]) };
        this.#write(slot, { first: new Float32Array(size), second: new Float32Array(size) });
        return [name, slot];
      }),
    );
  }

  apply({ gradients, gradientFactor, updateOf }: AdamStep): void {
    tf.tidy(() => {
      const onDevice = new Map<AdamUpdate, tf.Scalar[]>();
      for (const [name, { shape, first, second }] of this.#slots) {
        const update = updateOf(name);
        const scalars = onDevice.get(update) ?? kernelArguments(update).map((value) => tf.scalar(value));
        onDevice.set(update, scalars);
        const variable = getOrThrow(this.variables, name, "adam: variables");
        // The product is a tensor of its own: the update in place touches nobody else's memory
        const decayed = tf.mul(variable, update.decay);
        resources.assign(this.#scratch, decayed);
        decayed.dispose();
        const given = getOrThrow(gradients, name, "adam: gradients");
        const gradient = scaled(given, gradientFactor);
        resources.applyAdam([this.#scratch, first, second, ...scalars, gradient]);
        if (gradient !== given) gradient.dispose();
        const updated = resources.read(this.#scratch, shape);
        variable.assign(updated);
        updated.dispose();
      }
    });
  }

  moments(): Map<string, Moments> {
    return momentsOnDevice(this.#slots, ({ shape, first, second }) => [
      () => resources.toArray(first, shape),
      () => resources.toArray(second, shape),
    ]);
  }

  restore(moments: ReadonlyMap<string, Moments>): void {
    for (const [name, slot] of this.#slots) this.#write(slot, getOrThrow(moments, name, "adam: moments"));
  }

  dispose(): void {
    for (const { first, second } of this.#slots.values()) {
      resources.destroy(first);
      resources.destroy(second);
    }
    resources.destroy(this.#scratch);
  }

  #write({ shape, first, second }: FusedSlot, moments: Moments): void {
    tf.tidy(() => {
      // Copies: the engine works in the array's own memory, in place
      resources.assign(first, tf.tensor(moments.first.slice(), [...shape]));
      resources.assign(second, tf.tensor(moments.second.slice(), [...shape]));
    });
  }
}

/**
 * Scalar inputs of ResourceApplyAdam after var, m and v: beta1_power, beta2_power, lr, beta1, beta2, epsilon.
 * The powers are 0, since `stepSize` corrects the moments' bias already. The kernel forms 1 − β in float32, which for
 * 0.999 is 4.7e-5 too much, and so keeps moments that much too large; step and epsilon make up for it.
 */
function kernelArguments({ beta1, beta2, stepSize, epsilon }: AdamUpdate): number[] {
  const excess1 = (1 - Math.fround(beta1)) / (1 - beta1);
  const excess2 = Math.sqrt((1 - Math.fround(beta2)) / (1 - beta2));
  return [0, 0, (stepSize * excess2) / excess1, beta1, beta2, epsilon * excess2];
}

/**
 * Adam's update of all parameters as one function: decay and moments in place, in the operations and with the bits of
 * `FusedAdam`, and no call for each parameter.
 */
class CompiledAdam implements AdamKernel {
  readonly #first: ResourceVariables;
  readonly #second: ResourceVariables;

  /** @param names  of the weights that are updated, some or all */
  constructor(
    private readonly weights: CompiledWeights,
    private readonly names: readonly string[],
  ) {
    const shapes = new Map(names.map((name) => [name, getOrThrow(weights.values.shapes, name, "adam: weights")]));
    const zeros = () => new ResourceVariables(shapes, (_, shape) => tf.zeros(shape));
    this.#first = zeros();
    this.#second = zeros();
  }

  apply({ gradients, gradientFactor, updateOf }: AdamStep): void {
    const { runner } = this.weights;
    const updates = [...new Set(this.names.map(updateOf))];
    const rows = this.names.map((name) => updates.indexOf(updateOf(name)));
    const numbers = updates.flatMap((update) => [gradientFactor, update.decay, ...kernelArguments(update)]);
    tf.tidy(() => {
      const inputs = this.names.map((name) => getOrThrow(gradients, name, "adam: gradients"));
      const table = tf.tensor2d(numbers, [updates.length, numbers.length / updates.length]);
      runner.runNow(`adam ${rows.join()}`, [table, ...inputs], (given) => this.#trace(rows, given));
    });
  }

  /** @param rows  of each parameter in the table of numbers, the first input; gradients are the others */
  #trace(rows: readonly number[], [table, ...gradients]: readonly tf.Tensor[]): tf.Tensor[] {
    const { values } = this.weights;
    const numbers = tf.unstack(table as tf.Tensor).map((row) => tf.unstack(row)); // the first input
    this.names.forEach((name, i) => {
      const [factor, decay, ...scalars] = numbers[rows[i] ?? NaN] as [tf.Tensor, tf.Tensor, ...tf.Tensor[]]; // its row
      const gradient = tf.mul(gradients[i] as tf.Tensor, factor); // one a name
      const [weight, first, second] = [values, this.#first, this.#second].map((of) => of.handle(name)) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      resources.assign(weight, tf.mul(values.read(name), decay));
      resources.afterChange(() => {
        resources.applyAdam([weight, first, second, ...scalars, gradient]);
      });
    });
    return [];
  }

  moments(): Map<string, Moments> {
    const slots = new Map(this.names.map((name) => [name, name]));
    return momentsOnDevice(slots, (name) => [() => this.#first.toArray(name), () => this.#second.toArray(name)]);
  }

  restore(moments: ReadonlyMap<string, Moments>): void {
    this.#first.restore(new Map([...moments].map(([name, { first }]) => [name, first])));
    this.#second.restore(new Map([...moments].map(([name, { second }]) => [name, second])));
  }

  dispose(): void {
    this.#first.dispose();
    this.#second.dispose();
  }
}

/** Moments of all slots, each read when it is asked for: two copies of all of them would be as large as the weights twice. */
function momentsOnDevice<S>(
  slots: ReadonlyMap<string, S>,
  readersOf: (slot: S) => readonly [first: () => Float32Array, second: () => Float32Array],
): Map<string, Moments> {
  const lazy = (slot: S): Moments => {
    const [readFirst, readSecond] = readersOf(slot);
    return {
      get first() {
        return readFirst();
      },
      get second() {
        return readSecond();
      },
    };
  };
  return new Map([...slots].map(([name, slot]) => [name, lazy(slot)]));
}

/** One moment as a file holds it. */
type MomentArray = { readonly shape: readonly number[]; readonly values: Float32Array };

/** Adam's two moments of each parameter, as tensors of one file: `<parameter>.first` and `<parameter>.second`. */
const FIRST = ".first";
const SECOND = ".second";

/** @param sizes  numbers in each parameter; an array is taken from `moments` whenever its values are asked for */
export function momentsToArrays(
  moments: ReadonlyMap<string, Moments>,
  sizes: ReadonlyMap<string, number>,
): Map<string, MomentArray> {
  return new Map(
    [...moments].flatMap(([name, ofParameter]): [string, MomentArray][] => {
      const shape = [getOrThrow(sizes, name, "adam: sizes")];
      return [
        [
          name + FIRST,
          {
            shape,
            get values() {
              return ofParameter.first;
            },
          },
        ],
        [
          name + SECOND,
          {
            shape,
            get values() {
              return ofParameter.second;
            },
          },
        ],
      ];
    }),
  );
}

/** Borrows the arrays; others than moments are passed over. @throws {CheckpointError} where one of a pair is missing */
export function momentsFrom(arrays: ReadonlyMap<string, Pick<MomentArray, "values">>): Map<string, Moments> {
  const moments = new Map<string, Moments>();
  for (const [name, { values: first }] of arrays) {
    if (!name.endsWith(FIRST)) continue;
    const parameter = name.slice(0, -FIRST.length);
    const second = arrays.get(parameter + SECOND)?.values;
    if (second === undefined) throw new CheckpointError(`optimizer: ${parameter}: its second moment is missing`);
    moments.set(parameter, { first, second });
  }
  return moments;
}
