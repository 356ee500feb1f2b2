import * as tf from "../tf.js";

/** Attribute of a TensorFlow operation. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** Tensor as the binding describes it. */
interface TensorInfo {
  readonly id: number;
  readonly dtype: number;
  readonly shape: readonly number[];
}

/** Size of a function's graph. */
export interface TraceCounts {
  readonly nodes: number;
  /** Control edges: they order operations besides what is passed between them. */
  readonly controls: number;
}

/** Calls of `src/engine/binding/engine.cc`; the binding of another installer has the first and the constants alone. */
interface Binding {
  executeOp(
    name: string,
    attributes: readonly OpAttribute[],
    ids: readonly number[],
    outputs: number,
    shape?: readonly number[],
  ): TensorInfo[];
  deleteTensor(id: number): void;
  executeAsync(
    name: string,
    attributes: readonly OpAttribute[],
    ids: readonly number[],
    outputs: number,
  ): Promise<TensorInfo[]>;
  beginTrace(hasHalvedProducts: boolean): void;
  traceInput(dtype: number, shape: readonly number[]): TensorInfo;
  enterAfter(ids: readonly number[]): void;
  enterAfterEffect(): void;
  leaveAfter(): void;
  enterExact(): void;
  leaveExact(): void;
  endTrace(name: string, inputs: readonly number[], outputs: readonly number[]): TraceCounts;
  abortTrace(): void;
  removeFunction(name: string): void;
  /** @param serverDef  serialized */
  enableCollectives(serverDef: Uint8Array): void;
  getNumOfTensors(): number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_BOOL: number;
}

/** Part of the node backend that its own kernels use. */
interface NativeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: Binding;
  getInputTensorIds(tensors: readonly tf.Tensor[]): number[];
  createOutputTensor(info: TensorInfo): tf.Tensor;
}

/** The current backend, which has to be the native one. */
export function nativeBackend(): NativeBackend {
  return tf.backend() as unknown as NativeBackend; // tfjs-core knows the interface that all backends share
}

/** True where `execute` works: on the native engine, whoever installed it. */
export function canExecute(): boolean {
  const { binding } = tf.backend() as { readonly binding?: Partial<Binding> };
  return typeof binding?.executeOp === "function";
}

/** True where the current engine makes functions. WebAssembly does not, nor does the package's own installer's binding. */
export function canCompile(): boolean {
  const { binding } = tf.backend() as { readonly binding?: Partial<Binding> };
  return typeof binding?.beginTrace === "function";
}

export function truthAttribute(name: string, value: boolean): OpAttribute {
  return { name, type: nativeBackend().binding.TF_ATTR_BOOL, value };
}

/** An operation by TensorFlow's name for it, at once or traced. */
export interface Operation {
  readonly name: string;
  readonly attributes: readonly OpAttribute[];
  readonly inputs: readonly tf.Tensor[];
  readonly outputs: number;
  /** Shape of the output, where TensorFlow cannot infer it while tracing. */
  readonly shape?: readonly number[];
}

/** Tensors of the operation, given. */
export function execute({ name, attributes, inputs, outputs, shape }: Operation): tf.Tensor[] {
  const backend = nativeBackend();
  const ids = backend.getInputTensorIds(inputs);
  const made =
    shape === undefined
      ? backend.binding.executeOp(name, attributes, ids, outputs)
      : backend.binding.executeOp(name, attributes, ids, outputs, shape);
  return made.map((info) => backend.createOutputTensor(info));
}
