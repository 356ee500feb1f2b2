import { getOrThrow } from "../base/collections.js";
import { CheckpointError } from "../base/errors.js";
import { NATIVE_BACKEND } from "./backend/native.js";
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

/** Variables to change, their gradients, borrowed, and the update of each; all have every name of the kernel. */
interface AdamStep {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
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

/**
 * Adam kernel of the current engine, in its fused operation where it has one and `kind` is `auto`. Keeps two moments
 * for each variable until `dispose()`; the variables are borrowed for their shapes.
 */
export function createAdamKernel(variables: ReadonlyMap<string, tf.Variable>, kind: "auto" | "plain"): AdamKernel {
  const isFused = kind === "auto" && tf.getBackend() === NATIVE_BACKEND;
  return isFused ? new FusedAdam(variables) : new PlainAdam(variables);
}

type PlainSlot = { readonly first: tf.Variable; readonly second: tf.Variable };

/** Adam's update in the operations that every engine has. */
class PlainAdam implements AdamKernel {
  readonly #slots: ReadonlyMap<string, PlainSlot>;

  constructor(variables: ReadonlyMap<string, tf.Variable>) {
    const zeros = ({ shape }: tf.Variable): tf.Variable => tf.tidy(() => tf.variable(tf.zeros(shape), false));
    this.#slots = new Map(
      [...variables].map(([name, variable]) => [name, { first: zeros(variable), second: zeros(variable) }]),
    );
  }

  apply({ variables, gradients, updateOf }: AdamStep): void {
    for (const [name, { first, second }] of this.#slots) {
      const variable = getOrThrow(variables, name, "adam: variables");
      const g = getOrThrow(gradients, name, "adam: gradients");
      const { beta1, beta2, stepSize, epsilon, decay } = updateOf(name);
      tf.tidy(() => {
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
    return momentsOnDevice(this.#slots, (variable) => variable.dataSync<"float32">().slice());
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

type FusedSlot = { readonly shape: readonly number[]; readonly first: tf.Tensor; readonly second: tf.Tensor };

/**
 * Adam's update by the native engine's own operation: one pass over each tensor instead of thirteen. TensorFlow.js does
 * not offer it, so the backend is called with TensorFlow's name for it.
 */
class FusedAdam implements AdamKernel {
  readonly #ops = new ResourceOps();
  readonly #slots: ReadonlyMap<string, FusedSlot>;
  /** Resource that holds one parameter after the other during its update. */
  readonly #scratch: tf.Tensor;

  constructor(variables: ReadonlyMap<string, tf.Variable>) {
    this.#scratch = this.#ops.create();
    this.#slots = new Map(
      [...variables].map(([name, { shape, size }]) => {
        const slot = { shape, first: this.#ops.create(), second: this.#ops.create() };
        this.#write(slot, { first: new Float32Array(size), second: new Float32Array(size) });
        return [name, slot];
      }),
    );
  }

  apply({ variables, gradients, updateOf }: AdamStep): void {
    tf.tidy(() => {
      const onDevice = new Map<AdamUpdate, tf.Scalar[]>();
      for (const [name, { first, second }] of this.#slots) {
        const update = updateOf(name);
        const scalars = onDevice.get(update) ?? kernelArguments(update).map((value) => tf.scalar(value));
        onDevice.set(update, scalars);
        const variable = getOrThrow(variables, name, "adam: variables");
        // The product is a tensor of its own: the update in place touches nobody else's memory
        const decayed = tf.mul(variable, update.decay);
        this.#ops.assign(this.#scratch, decayed);
        decayed.dispose();
        const gradient = getOrThrow(gradients, name, "adam: gradients");
        this.#ops.applyAdam([this.#scratch, first, second, ...scalars, gradient]);
        const updated = this.#ops.read(this.#scratch);
        variable.assign(updated);
        updated.dispose();
      }
    });
  }

  moments(): Map<string, Moments> {
    return momentsOnDevice(this.#slots, (handle) => this.#ops.toArray(handle));
  }

  restore(moments: ReadonlyMap<string, Moments>): void {
    for (const [name, slot] of this.#slots) this.#write(slot, getOrThrow(moments, name, "adam: moments"));
  }

  dispose(): void {
    for (const { first, second } of this.#slots.values()) {
      this.#ops.destroy(first);
      this.#ops.destroy(second);
    }
    this.#ops.destroy(this.#scratch);
  }

  #write({ shape, first, second }: FusedSlot, moments: Moments): void {
    tf.tidy(() => {
      // Copies: the engine works in the array's own memory, in place
      this.#ops.assign(first, tf.tensor(moments.first.slice(), [...shape]));
      this.#ops.assign(second, tf.tensor(moments.second.slice(), [...shape]));
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

type OpAttribute = { readonly name: string; readonly type: number; readonly value: unknown };

/** Part of the native backend that its kernels use, and this file. */
interface NativeBackend {
  readonly binding: Readonly<
    Record<"TF_ATTR_STRING" | "TF_ATTR_TYPE" | "TF_ATTR_SHAPE" | "TF_ATTR_BOOL" | "TF_FLOAT", number>
  >;
  executeSingleOutput(name: string, attributes: OpAttribute[], inputs: tf.Tensor[]): tf.Tensor;
  executeMultipleOutputs(name: string, attributes: OpAttribute[], inputs: tf.Tensor[], outputs: number): tf.Tensor[];
}

/** Name of a resource that is freed with its handle (ResourceHandle::ANONYMOUS_NAME in resource_handle.h). */
const ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347";

/** TensorFlow's operations on float32 resource variables; a variable is known by its handle, a tensor. */
class ResourceOps {
  readonly #backend = tf.backend() as unknown as NativeBackend; // tfjs-core knows the common interface only

  create(): tf.Tensor {
    const { TF_ATTR_STRING, TF_ATTR_SHAPE } = this.#backend.binding;
    const attributes = [
      { name: "container", type: TF_ATTR_STRING, value: "" },
      { name: "shared_name", type: TF_ATTR_STRING, value: ANONYMOUS },
      { name: "shape", type: TF_ATTR_SHAPE, value: [] },
      this.#float("dtype"),
    ];
    return tf.keep(this.#backend.executeSingleOutput("VarHandleOp", attributes, []));
  }

  assign(handle: tf.Tensor, value: tf.Tensor): void {
    this.#backend.executeMultipleOutputs("AssignVariableOp", [this.#float("dtype")], [handle, value], 0);
  }

  read(handle: tf.Tensor): tf.Tensor {
    return this.#backend.executeSingleOutput("ReadVariableOp", [this.#float("dtype")], [handle]);
  }

  toArray(handle: tf.Tensor): Float32Array {
    // Not in a tidy, which would search every number that it returns for tensors: seconds for a large matrix
    const value = this.read(handle);
    const copy = value.dataSync<"float32">(); // of what an operation made, the binding copies
    value.dispose();
    return copy;
  }

  /** @param inputs  var, m and v (handles), then the scalars and the gradient */
  applyAdam(inputs: tf.Tensor[]): void {
    const { TF_ATTR_BOOL } = this.#backend.binding;
    const attributes = [
      this.#float("T"),
      { name: "use_locking", type: TF_ATTR_BOOL, value: false },
      { name: "use_nesterov", type: TF_ATTR_BOOL, value: false },
    ];
    this.#backend.executeMultipleOutputs("ResourceApplyAdam", attributes, inputs, 0);
  }

  destroy(handle: tf.Tensor): void {
    const ignoreMissing = { name: "ignore_lookup_error", type: this.#backend.binding.TF_ATTR_BOOL, value: true };
    this.#backend.executeMultipleOutputs("DestroyResourceOp", [ignoreMissing], [handle], 0);
    handle.dispose();
  }

  #float(name: string): OpAttribute {
    return { name, type: this.#backend.binding.TF_ATTR_TYPE, value: this.#backend.binding.TF_FLOAT };
  }
}

/** Moments of all slots, each read when it is asked for: two copies of all of them would be as large as the weights twice. */
function momentsOnDevice<T>(
  slots: ReadonlyMap<string, { readonly first: T; readonly second: T }>,
  read: (moment: T) => Float32Array,
): Map<string, Moments> {
  const lazy = ({ first, second }: { readonly first: T; readonly second: T }): Moments => ({
    get first() {
      return read(first);
    },
    get second() {
      return read(second);
    },
  });
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
