import type { ExportDtype } from "../../inference/manifest.js";
import type { NamedArray } from "../../model/parameters/parameters.js";
import { toFloat16 } from "../../model/weights/dtypes.js";
import { ONNX_TYPES, type OnnxModel, type OnnxTensor } from "./schema.js";

type OnnxType = keyof typeof ONNX_TYPES;
type OnnxNode = OnnxModel["graph"]["node"][number];

/** Whole numbers are ints, others floats. */
type Attributes = Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;

interface Operation {
  readonly opType: string;
  readonly input: readonly Value[];
  readonly attributes?: Attributes;
}

/** Name of a value inside a graph. */
export type Value = string;

/** Builds a graph node by node; each method returns the name of its result. */
export class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly #constants = new Map<string, Value>();

  /** @param dtype  stored type of the weights */
  constructor(private readonly dtype: ExportDtype) {}

  op(opType: string, input: readonly Value[], attributes: Attributes = {}): Value {
    const [output] = this.#add({ opType, input, attributes }, 1);
    return output;
  }

  /** An operation whose result has a name of its own: an output of the graph. */
  named(name: Value, opType: string, input: readonly Value[]): void {
    this.#node({ opType, input }, [name]);
  }

  /** Three equal parts of a tensor along its first axis, each without that axis. */
  thirds(x: Value): [Value, Value, Value] {
    const parts = this.#add({ opType: "Split", input: [x], attributes: { axis: 0, num_outputs: 3 } }, 3);
    return parts.map((part) => this.op("Squeeze", [part, this.ints([0])])) as [Value, Value, Value]; // of three
  }

  /** Float32 numbers as they are, under a name of their own. */
  floats(name: Value, { shape, values }: NamedArray): Value {
    return this.#initializer(name, "FLOAT", { shape, values });
  }

  float(value: number): Value {
    return this.#constant(`float ${value}`, "FLOAT", { shape: [], values: Float32Array.of(value) });
  }

  /** A list of whole numbers, as shapes and axes are. */
  ints(values: readonly number[]): Value {
    const numbers = { shape: [values.length], values: BigInt64Array.from(values.map(BigInt)) };
    return this.#constant(`ints ${values.join()}`, "INT64", numbers);
  }

  int(value: number): Value {
    return this.#constant(`int ${value}`, "INT64", { shape: [], values: BigInt64Array.of(BigInt(value)) });
  }

  /**
   * A weight under its own name and in its own layout, float32 in the graph. Where the builder's type is another one, the
   * graph converts it: `Cast` from float16, `DequantizeLinear` from int8, with a scale for each entry of the first axis.
   */
  weight(name: Value, weight: NamedArray): Value {
    const { shape, values } = weight;
    if (this.dtype === "f16") {
      this.#initializer(name, "FLOAT16", { shape, values: toFloat16(name, values) });
      return this.op("Cast", [name], { to: ONNX_TYPES.FLOAT });
    }
    if (this.dtype !== "int8") return this.floats(name, weight);
    const { scales, quantized } = quantizeRows(values, shape[0] ?? 1);
    this.#initializer(name, "INT8", { shape, values: quantized });
    const scale = this.floats(`${name}.scale`, { shape: [scales.length], values: scales });
    return this.op("DequantizeLinear", [name, scale], { axis: 0 });
  }

  #constant(key: string, type: OnnxType, numbers: Numbers): Value {
    const name = this.#constants.get(key) ?? this.#initializer(`constant.${this.#constants.size}`, type, numbers);
    this.#constants.set(key, name);
    return name;
  }

  #initializer(name: Value, type: OnnxType, { shape, values }: Numbers): Value {
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializers.push({ name, dims: shape, dataType: ONNX_TYPES[type], rawData });
    return name;
  }

  #add(operation: Operation, outputs: number): [Value, ...Value[]] {
    const name = `${operation.opType}.${this.nodes.length}`;
    const output = Array.from({ length: outputs }, (_, i) => `${name}.${i}`);
    this.#node(operation, output);
    return output as [Value, ...Value[]]; // one at least is asked for
  }

  #node({ opType, input, attributes = {} }: Operation, output: readonly Value[]): void {
    const name = `${opType}.${this.nodes.length}`;
    this.nodes.push({ opType, name, input, output, attribute: Object.entries(attributes).map(attribute) });
  }
}

type Numbers = { readonly shape: readonly number[]; readonly values: ArrayBufferView };

/** Kinds of attributes (onnx.proto, AttributeProto.AttributeType). */
const ATTRIBUTE_TYPES = { FLOAT: 1, INT: 2, INTS: 7 } as const;

function attribute([name, value]: [string, Attributes[string]]): OnnxNode["attribute"][number] {
  if (typeof value === "number") return { name, type: ATTRIBUTE_TYPES.INT, i: value };
  if ("float" in value) return { name, type: ATTRIBUTE_TYPES.FLOAT, f: value.float };
  return { name, type: ATTRIBUTE_TYPES.INTS, ints: value };
}

/** Largest magnitude of a symmetric int8: −128 is left out, so that both signs reach equally far. */
const LARGEST = 127;

/** Symmetric int8, a scale a row (1 for zeros): value ≈ scale · integer, ties away from zero; [rows, ...], borrowed. */
export function quantizeRows(values: Float32Array, rows: number): { scales: Float32Array; quantized: Int8Array } {
  const width = values.length / rows;
  const scales = new Float32Array(rows);
  const quantized = new Int8Array(values.length);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let i = row * width; i < (row + 1) * width; i++) largest = Math.max(largest, Math.abs(values[i] ?? NaN));
    const scale = largest === 0 ? 1 : Math.fround(largest / LARGEST);
    scales[row] = scale;
    for (let i = row * width; i < (row + 1) * width; i++) {
      const value = values[i] ?? NaN;
      quantized[i] = Math.max(-LARGEST, Math.min(LARGEST, Math.sign(value) * Math.round(Math.abs(value) / scale)));
    }
  }
  return { scales, quantized };
}
