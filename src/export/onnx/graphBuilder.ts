import type { NamedArray } from "../../model/parameters/parameters.js";
import { toFloat16 } from "../../model/weights/dtypes.js";
import type { Storage } from "../exportFormat.js";
import { quantizeRows } from "../precision/quantizeRows.js";
import { ONNX_TYPES, type OnnxGraph, type OnnxTensor, type OnnxValue } from "./schema.js";

type OnnxType = keyof typeof ONNX_TYPES;
type OnnxNode = OnnxGraph["node"][number];

/** Numbers are ints, but for those marked as floats. */
type Attributes = Readonly<
  Record<string, number | readonly number[] | { readonly float: number } | { readonly graph: OnnxGraph }>
>;

interface Operation {
  readonly opType: string;
  readonly input: readonly Value[];
  readonly attributes?: Attributes;
}

/** Name of a value inside a graph. */
export type Value = string;

/** Type and axes of a value; a word stands for any size. */
interface Kind {
  readonly type: OnnxType;
  readonly axes: readonly (number | string)[];
}

interface LoopState extends Kind {
  readonly initial: Value;
}

/** Declaration of a graph's input or output. */
export function valueInfo(name: Value, { type, axes }: Kind, docString = ""): OnnxValue {
  const dim = axes.map((axis) => (typeof axis === "number" ? { dimValue: axis } : { dimParam: axis }));
  return { name, docString, type: { tensorType: { elemType: ONNX_TYPES[type], shape: { dim } } } };
}

/** Builds a graph node by node; each method returns the name of its result. */
export class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly #constants = new Map<string, Value>();
  /** Number of nodes so far, those in loops included: their names differ throughout. */
  #count = 0;

  constructor(private readonly storage: Storage) {}

  op(opType: string, input: readonly Value[], attributes: Attributes = {}): Value {
    const output = `${opType}.${this.#count}.0`;
    this.#node({ opType, input, attributes }, output);
    return output;
  }

  /** An operation whose result has a name of its own: an output of the graph. */
  named(name: Value, opType: string, input: readonly Value[]): void {
    this.#node({ opType, input }, name);
  }

  /**
   * A state changed `trips` times (a whole number) by operations, which `body` adds: given the number of the trip, from 0,
   * and the state, it returns the next one. @returns the last state
   */
  loop(trips: Value, { initial, ...kind }: LoopState, body: (trip: Value, state: Value) => Value): Value {
    const id = this.#count++;
    const [trip, going, state] = [`loop.${id}.trip`, `loop.${id}.going`, `loop.${id}.state`];
    const start = this.nodes.length;
    const results = [this.op("Identity", [going]), body(trip, state)] as const;
    const node = this.nodes.splice(start); // the body's own
    const scalar = { axes: [] };
    const graph = {
      ...{ name: `loop.${id}`, docString: "", node, initializer: [] },
      input: [
        valueInfo(trip, { type: "INT64", ...scalar }),
        valueInfo(going, { type: "BOOL", ...scalar }),
        valueInfo(state, kind),
      ],
      output: [valueInfo(results[0], { type: "BOOL", ...scalar }), valueInfo(results[1], kind)],
    };
    return this.op("Loop", [trips, "", initial], { body: { graph } });
  }

  /** Three equal parts of a tensor along its first axis, each without that axis. */
  thirds(x: Value): [Value, Value, Value] {
    const third = (i: number) => this.op("Gather", [x, this.int(i)], { axis: 0 });
    return [third(0), third(1), third(2)];
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

  double(value: number): Value {
    return this.#constant(`double ${value}`, "DOUBLE", { shape: [], values: Float64Array.of(value) });
  }

  int32(value: number): Value {
    return this.#constant(`int32 ${value}`, "INT32", { shape: [], values: Int32Array.of(value) });
  }

  int(value: number): Value {
    return this.#constant(`int ${value}`, "INT64", { shape: [], values: BigInt64Array.of(BigInt(value)) });
  }

  /**
   * A weight under its own name and in its own layout, float32 in the graph. Where the storage's type is another one, the
   * graph converts it: `Cast` from float16, `DequantizeLinear` from int8, with a scale for each entry of the first axis.
   */
  weight(name: Value, weight: NamedArray): Value {
    const { shape, values } = weight;
    const { dtype, exact } = this.storage;
    if (exact.has(name)) return this.floats(name, weight);
    if (dtype === "f16") {
      this.#initializer(name, "FLOAT16", { shape, values: toFloat16(name, values) });
      return this.op("Cast", [name], { to: ONNX_TYPES.FLOAT });
    }
    if (dtype !== "int8") return this.floats(name, weight);
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

  #node({ opType, input, attributes = {} }: Operation, output: Value): void {
    const name = `${opType}.${this.#count++}`;
    this.nodes.push({ opType, name, input, output: [output], attribute: Object.entries(attributes).map(attribute) });
  }
}

type Numbers = { readonly shape: readonly number[]; readonly values: ArrayBufferView };

/** Kinds of attributes (onnx.proto, AttributeProto.AttributeType). */
const ATTRIBUTE_TYPES = { FLOAT: 1, INT: 2, GRAPH: 5, INTS: 7 } as const;

function attribute([name, value]: [string, Attributes[string]]): OnnxNode["attribute"][number] {
  if (typeof value === "number") return { name, type: ATTRIBUTE_TYPES.INT, i: value };
  if ("float" in value) return { name, type: ATTRIBUTE_TYPES.FLOAT, f: value.float };
  if ("graph" in value) return { name, type: ATTRIBUTE_TYPES.GRAPH, g: value.graph };
  return { name, type: ATTRIBUTE_TYPES.INTS, ints: value };
}
