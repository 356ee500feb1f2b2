import * as tf from "../tf.js";
import { canCompile, execute, nativeBackend, type TraceCounts, truthAttribute } from "./binding.js";
import { type Tracing, whileTracing } from "./tracing.js";

/** A pure function of tensors: inputs borrowed, results given. All else that it reads must never change. */
export type TensorFunction = (inputs: readonly tf.Tensor[]) => tf.Tensor[];

/** Precision of matrix products; everything else is computed in float32. */
export type Precision = "float32" | "bfloat16";

/** Runs pure functions of tensors: operation by operation, or each as one function of TensorFlow. */
export interface Runner {
  /**
   * Results of `f`, given.
   * @param name    of `f`: two functions of one name and of inputs of equal shapes are the same function
   * @param inputs  borrowed until the promise is settled
   */
  run(name: string, inputs: readonly tf.Tensor[], f: TensorFunction): Promise<tf.Tensor[]>;
  /** The same, on this thread. */
  runNow(name: string, inputs: readonly tf.Tensor[], f: TensorFunction): tf.Tensor[];
  dispose(): void;
}

/** Runner for any engine: calls `f`. */
export const EAGER: Runner = {
  run: (_, inputs, f) => Promise.resolve().then(() => tf.tidy(() => f(inputs))),
  runNow: (_, inputs, f) => tf.tidy(() => f(inputs)),
  dispose: () => undefined,
};

/** Function of TensorFlow: its name in the runtime, how many tensors it gives, and its graph's size. */
interface Made extends TraceCounts {
  readonly name: string;
  readonly outputs: number;
}

/** Functions that were made in this process: their names are unique. */
let count = 0;

/**
 * Runner that traces each function at its first call with inputs of some shapes, and calls what was made of it from then
 * on. Nothing is computed while tracing. Keeps the functions until `dispose()`.
 */
export class Compiler implements Runner {
  readonly #made = new Map<string, Made>();
  readonly #backend = nativeBackend();

  /**
   * @param precision  of the functions' matrix products
   * @param isByXla    true where what `run` calls is compiled by XLA, at its first call; `runNow` is not
   * @throws {Error} where the current engine makes no functions: see `canCompile`
   */
  constructor(
    private readonly precision: Precision,
    private readonly isByXla = false,
  ) {
    if (!canCompile()) throw new Error("internal: Compiler: the current engine makes no functions");
  }

  /** Computed on another thread: this one goes on. */
  async run(name: string, inputs: readonly tf.Tensor[], f: TensorFunction): Promise<tf.Tensor[]> {
    const backend = this.#backend;
    const made = this.#functionOf(name, inputs, f);
    const attributes = this.isByXla ? [truthAttribute("_XlaMustCompile", true)] : [];
    const ids = backend.getInputTensorIds(inputs);
    const infos = await backend.binding.executeAsync(made.name, attributes, ids, made.outputs);
    return infos.map((info) => backend.createOutputTensor(info));
  }

  runNow(name: string, inputs: readonly tf.Tensor[], f: TensorFunction): tf.Tensor[] {
    const made = this.#functionOf(name, inputs, f);
    return execute({ name: made.name, attributes: [], inputs, outputs: made.outputs });
  }

  /** The functions that were made so far. */
  get functions(): readonly Made[] {
    return [...this.#made.values()];
  }

  dispose(): void {
    const { binding } = this.#backend;
    for (const { name } of this.#made.values()) binding.removeFunction(name);
    this.#made.clear();
  }

  #functionOf(name: string, inputs: readonly tf.Tensor[], f: TensorFunction): Made {
    const key = [name, ...inputs.map(({ dtype, shape }) => `${dtype}[${shape.join()}]`)].join(" ");
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = trace(`${name.replace(/\W/g, "_")}_${count++}`, inputs, { f, precision: this.precision });
    this.#made.set(key, made);
    return made;
  }
}

/** Makes a function. @throws {Error} where `f` reads a value, or a shape that depends on values; nothing is left then */
function trace(
  name: string,
  inputs: readonly tf.Tensor[],
  { f, precision }: { readonly f: TensorFunction; readonly precision: Precision },
): Made {
  const backend = nativeBackend();
  const { binding } = backend;
  const dtypes: Readonly<Record<string, number>> = {
    float32: binding.TF_FLOAT,
    int32: binding.TF_INT32,
    bool: binding.TF_BOOL,
  };
  // The engine sends a tensor's numbers to the device at its first use: that of an input is not to be in the trace
  backend.getInputTensorIds(inputs);
  binding.beginTrace(precision === "bfloat16");
  try {
    return tf.tidy(() => {
      const given = inputs.map(({ dtype, shape }) =>
        backend.createOutputTensor(binding.traceInput(dtypes[dtype] ?? binding.TF_FLOAT, shape)),
      );
      const results = whileTracing(tracing(), () => f(given));
      const counts = binding.endTrace(name, backend.getInputTensorIds(given), backend.getInputTensorIds(results));
      return { name, outputs: results.length, ...counts };
    });
  } catch (error) {
    binding.abortTrace();
    throw error;
  }
}

function tracing(): Tracing {
  const backend = nativeBackend();
  const { binding } = backend;
  return {
    after: (tensors, work) => {
      binding.enterAfter(backend.getInputTensorIds(tensors));
      try {
        return work();
      } finally {
        binding.leaveAfter();
      }
    },
    exactly: (work) => {
      binding.enterExact();
      try {
        return work();
      } finally {
        binding.leaveExact();
      }
    },
  };
}
