import type { NamedArray } from "../../model/parameters/parameters.js";
import { toFloat16 } from "../../model/weights/dtypes.js";
import type { ExportDtype } from "../exportManifest.js";
import type { OnnxNode, OnnxTensor, OnnxType } from "./schema.js";
import { attribute, ONNX_TYPES } from "./schema.js";

type AttributeValue = Parameters<typeof attribute>[1];

/** The name of a value inside a graph. */
export type Value = string;

/** Puts a graph together, node after node; each method gives the name of what it made. */
export class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly #constants = new Map<string, Value>();

  /** @param dtype  what `weight` stores weights as */
  constructor(private readonly dtype: ExportDtype) {}

  /** An operation with one output. */
  op(opType: string, input: readonly Value[], attributes: Readonly<Record<string, AttributeValue>> = {}): Value {
    const [output] = this.#add(opType, input, attributes, 1);
    return output;
  }

  /** An operation whose result has a name of its own: an output of the graph. */
  named(
    name: Value,
    opType: string,
    input: readonly Value[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ) {
    this.#node(opType, input, attributes, [name]);
  }

  /** A tensor cut into equal parts along its first axis, each without that axis. */
  thirds(x: Value): [Value, Value, Value] {
    const parts = this.#add("Split", [x], { axis: 0, num_outputs: 3 }, 3);
    return parts.map((part) => this.op("Squeeze", [part, this.ints([0])])) as [Value, Value, Value]; // of three
  }

  /** Float32 numbers as they are, under a name of theirs. */
  floats(name: Value, { shape, values }: NamedArray): Value {
    this.initializers.push({ name, dims: shape, dataType: ONNX_TYPES.FLOAT, rawData: bytesOf(values) });
    return name;
  }

  /** A float32 scalar. */
  float(value: number): Value {
    return this.#constant(`float ${value}`, "FLOAT", [], Float32Array.of(value));
  }

  /** A list of whole numbers, as shapes and axes are. */
  ints(values: readonly number[]): Value {
    return this.#constant(`ints ${values.join()}`, "INT64", [values.length], BigInt64Array.from(values.map(BigInt)));
  }

  /** A whole number. */
  int(value: number): Value {
    return this.#constant(`int ${value}`, "INT64", [], BigInt64Array.of(BigInt(value)));
  }

  /**
   * A weight under its own name and in its own layout, as the graph uses it: float32. Stored as the builder's type,
   * where that is another one turned back by the graph: `Cast` from float16, `DequantizeLinear` from int8, whose scales are
   * one for each of the first axis.
   */
  weight(name: Value, weight: NamedArray): Value {
    const { shape, values } = weight;
    if (this.dtype === "f16") {
      const rawData = bytesOf(toFloat16(name, values));
      this.initializers.push({ name, dims: shape, dataType: ONNX_TYPES.FLOAT16, rawData });
      return this.op("Cast", [name], { to: ONNX_TYPES.FLOAT });
    }
    if (this.dtype !== "int8") return this.floats(name, weight);
    const { scales, quantized } = quantizeRows(values, shape[0] ?? 1);
    this.initializers.push({ name, dims: shape, dataType: ONNX_TYPES.INT8, rawData: bytesOf(quantized) });
    const scale = this.floats(`${name}.scale`, { shape: [scales.length], values: scales });
    return this.op("DequantizeLinear", [name, scale], { axis: 0 });
  }

  #constant(key: string, type: OnnxType, dims: readonly number[], values: ArrayBufferView): Value {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = `constant.${this.#constants.size}`;
    this.#constants.set(key, name);
    this.initializers.push({ name, dims, dataType: ONNX_TYPES[type], rawData: bytesOf(values) });
    return name;
  }

  #add(
    opType: string,
    input: readonly Value[],
    attributes: Readonly<Record<string, AttributeValue>>,
    outputs: number,
  ): [Value, ...Value[]] {
    const name = `${opType}.${this.nodes.length}`;
    const output = Array.from({ length: outputs }, (_, i) => `${name}.${i}`);
    this.#node(opType, input, attributes, output);
    return output as [Value, ...Value[]]; // one at least is asked for
  }

  #node(
    opType: string,
    input: readonly Value[],
    attributes: Readonly<Record<string, AttributeValue>>,
    output: readonly Value[],
  ): void {
    const name = `${opType}.${this.nodes.length}`;
    const listed = Object.entries(attributes).map(([key, value]) => attribute(key, value));
    this.nodes.push({ opType, name, input, output, attribute: listed });
  }
}

function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The largest magnitude of a symmetric int8: −128 is left out, so that both signs reach equally far. */
const LARGEST = 127;

/**
 * Symmetric int8 with a scale a row: value ≈ scale · integer, ties away from zero. A row of zeros has scale 1.
 *
 * @param values  [rows, ...], row-major, borrowed
 */
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
