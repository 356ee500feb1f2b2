import { getOrThrow } from "../../base/collections.js";
import * as tf from "../tf.js";
import { execute, nativeBackend, type OpAttribute, truthAttribute } from "./binding.js";

/** Name of a resource that is freed with its handle (ResourceHandle::ANONYMOUS_NAME in resource_handle.h). */
const ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347";

/** TensorFlow's operations on float32 resource variables, at once or traced; a variable is known by its handle, a tensor. */
export const resources = {
  /** Given. */
  create(shape: readonly number[]): tf.Tensor {
    const { TF_ATTR_STRING, TF_ATTR_SHAPE } = nativeBackend().binding;
    const attributes = [
      { name: "container", type: TF_ATTR_STRING, value: "" },
      { name: "shared_name", type: TF_ATTR_STRING, value: ANONYMOUS },
      { name: "shape", type: TF_ATTR_SHAPE, value: shape },
      float("dtype"),
    ];
    return tf.keep(only(execute({ name: "VarHandleOp", attributes, inputs: [], outputs: 1 })));
  },

  assign(handle: tf.Tensor, value: tf.Tensor): void {
    execute({ name: "AssignVariableOp", attributes: [float("dtype")], inputs: [handle, value], outputs: 0 });
  },

  /** Given: a view of the variable's memory; a change in place while it lives copies the variable first. */
  read(handle: tf.Tensor, shape: readonly number[]): tf.Tensor {
    return only(execute({ name: "ReadVariableOp", attributes: [float("dtype")], inputs: [handle], outputs: 1, shape }));
  },

  /** @param inputs  var, m and v (handles), then the scalars and the gradient */
  applyAdam(inputs: readonly tf.Tensor[]): void {
    const attributes = [float("T"), truthAttribute("use_locking", false), truthAttribute("use_nesterov", false)];
    execute({ name: "ResourceApplyAdam", attributes, inputs, outputs: 0 });
  },

  /** var ← var − rate·change. */
  applyGradientDescent(handle: tf.Tensor, rate: tf.Tensor, change: tf.Tensor): void {
    const attributes = [float("T"), truthAttribute("use_locking", false)];
    execute({ name: "ResourceApplyGradientDescent", attributes, inputs: [handle, rate, change], outputs: 0 });
  },

  /** A copy. */
  toArray(handle: tf.Tensor, shape: readonly number[]): Float32Array {
    // Not in a tidy, which would search every number that it returns for tensors: seconds for a large matrix
    const value = resources.read(handle, shape);
    const copy = value.dataSync<"float32">(); // of what an operation made, the binding copies
    value.dispose();
    return copy;
  },

  destroy(handle: tf.Tensor): void {
    execute({
      name: "DestroyResourceOp",
      attributes: [truthAttribute("ignore_lookup_error", true)],
      inputs: [handle],
      outputs: 0,
    });
    handle.dispose();
  },

  /** While tracing: traces `work` to run after the newest operation without outputs, a change of a variable. */
  afterChange(work: () => void): void {
    const { binding } = nativeBackend();
    binding.enterAfterEffect();
    try {
      work();
    } finally {
      binding.leaveAfter();
    }
  },
} as const;

function float(name: string): OpAttribute {
  const { TF_ATTR_TYPE, TF_FLOAT } = nativeBackend().binding;
  return { name, type: TF_ATTR_TYPE, value: TF_FLOAT };
}

function only([tensor]: readonly tf.Tensor[]): tf.Tensor {
  if (tensor === undefined) throw new Error("internal: resources: an operation without an output");
  return tensor;
}

/** Named float32 variables of the runtime, which compiled functions read and change in place. Keeps them until `dispose()`. */
export class ResourceVariables {
  readonly #slots: ReadonlyMap<string, { readonly handle: tf.Tensor; readonly shape: readonly number[] }>;

  /** @param valueOf  first value of a variable, of its shape, given; called in a tidy */
  constructor(
    readonly shapes: ReadonlyMap<string, readonly number[]>,
    valueOf: (name: string, shape: number[]) => tf.Tensor,
  ) {
    this.#slots = new Map(
      [...shapes].map(([name, shape]) => {
        const handle = resources.create(shape);
        tf.tidy(() => {
          resources.assign(handle, tf.mul(valueOf(name, [...shape]), 1)); // new memory, to be changed in place
        });
        return [name, { handle, shape }];
      }),
    );
  }

  get names(): string[] {
    return [...this.#slots.keys()];
  }

  /** Handle of a variable, borrowed. */
  handle(name: string): tf.Tensor {
    return getOrThrow(this.#slots, name, "resource variables").handle;
  }

  /** Value of a variable, given: see `resources.read`. */
  read(name: string): tf.Tensor {
    const { handle, shape } = getOrThrow(this.#slots, name, "resource variables");
    return resources.read(handle, shape);
  }

  /** Sets a variable; the tensor is borrowed, of its shape. */
  assign(name: string, value: tf.Tensor): void {
    resources.assign(this.handle(name), value);
  }

  /** Values by name, given. */
  readAll(): Map<string, tf.Tensor> {
    return new Map(this.names.map((name) => [name, this.read(name)]));
  }

  /** Copy of a variable's value. */
  toArray(name: string): Float32Array {
    const { handle, shape } = getOrThrow(this.#slots, name, "resource variables");
    return resources.toArray(handle, shape);
  }

  /** `toArray`, or undefined where there is no such variable. */
  arrayOf(name: string): Float32Array | undefined {
    return this.#slots.has(name) ? this.toArray(name) : undefined;
  }

  /** Sets every variable; the arrays are borrowed, and of the variables' sizes. */
  restore(arrays: ReadonlyMap<string, Float32Array>): void {
    for (const [name, { handle, shape }] of this.#slots) {
      const values = getOrThrow(arrays, name, "resource variables");
      tf.tidy(() => {
        resources.assign(handle, tf.tensor(values.slice(), [...shape])); // a tensor shares its array's memory
      });
    }
  }

  /**
   * Calls `work` while TensorFlow.js's variables of the same names hold these values; afterwards they hold none, as
   * before. No function may change the values meanwhile.
   */
  async during<T>(variables: ReadonlyMap<string, tf.Variable>, work: () => Promise<T> | T): Promise<T> {
    for (const name of this.names) {
      tf.tidy(() => {
        getOrThrow(variables, name, "variables").assign(this.read(name));
      });
    }
    try {
      return await work();
    } finally {
      this.empty(variables);
    }
  }

  /** Frees what TensorFlow.js's variables of the same names hold: the values are here. Reading one throws from now on. */
  empty(variables: ReadonlyMap<string, tf.Variable>): void {
    for (const name of this.names) {
      const variable = getOrThrow(variables, name, "variables");
      tf.engine().disposeTensor(variable);
      variable.dataId = {}; // of no tensor
    }
  }

  dispose(): void {
    for (const { handle } of this.#slots.values()) resources.destroy(handle);
  }
}
