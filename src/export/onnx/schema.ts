import protobuf from "protobufjs/light.js";

/** Element types of ONNX tensors (onnx.proto, TensorProto.DataType). */
export const ONNX_TYPES = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  INT32: 6,
  INT64: 7,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
} as const;

const one = (type: string, id: number) => ({ type, id });
const many = (type: string, id: number) => ({ rule: "repeated", type, id });

/** ONNX's messages, as far as they are written and read here, with the field numbers of onnx.proto. */
const root = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: one("int64", 1),
        producerName: one("string", 2),
        producerVersion: one("string", 3),
        graph: one("GraphProto", 7),
        opsetImport: many("OperatorSetIdProto", 8),
        metadataProps: many("StringStringEntryProto", 14),
      },
    },
    OperatorSetIdProto: { fields: { domain: one("string", 1), version: one("int64", 2) } },
    StringStringEntryProto: { fields: { key: one("string", 1), value: one("string", 2) } },
    GraphProto: {
      fields: {
        node: many("NodeProto", 1),
        name: one("string", 2),
        initializer: many("TensorProto", 5),
        docString: one("string", 10),
        input: many("ValueInfoProto", 11),
        output: many("ValueInfoProto", 12),
      },
    },
    NodeProto: {
      fields: {
        input: many("string", 1),
        output: many("string", 2),
        name: one("string", 3),
        opType: one("string", 4),
        attribute: many("AttributeProto", 5),
      },
    },
    AttributeProto: {
      fields: {
        name: one("string", 1),
        f: one("float", 2),
        i: one("int64", 3),
        g: one("GraphProto", 6),
        ints: { ...many("int64", 8), options: { packed: false } },
        type: one("int32", 20),
      },
    },
    TensorProto: {
      fields: {
        dims: { ...many("int64", 1), options: { packed: false } },
        dataType: one("int32", 2),
        name: one("string", 8),
        rawData: one("bytes", 9),
      },
    },
    ValueInfoProto: { fields: { name: one("string", 1), type: one("TypeProto", 2), docString: one("string", 3) } },
    TypeProto: { fields: { tensorType: one("TensorTypeProto", 1) } },
    TensorTypeProto: { fields: { elemType: one("int32", 1), shape: one("TensorShapeProto", 2) } },
    TensorShapeProto: { fields: { dim: many("DimensionProto", 1) } },
    DimensionProto: { fields: { dimValue: one("int64", 1), dimParam: one("string", 2) } },
  },
});
const modelType = root.lookupType("ModelProto");

/** A tensor inside a model: little-endian, row-major. */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData: Uint8Array;
}

interface OnnxAttribute {
  readonly name: string;
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly g?: OnnxGraph;
  readonly ints?: readonly number[];
}

/** An input or output of a graph; a word among the dims stands for any size. */
export interface OnnxValue {
  readonly name: string;
  readonly docString: string;
  readonly type: {
    readonly tensorType: {
      readonly elemType: number;
      readonly shape: { readonly dim: readonly ({ readonly dimValue: number } | { readonly dimParam: string })[] };
    };
  };
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[];
  readonly metadataProps: readonly { readonly key: string; readonly value: string }[];
  readonly graph: OnnxGraph;
}

/** Operations with their inputs and outputs; also the body of a loop, which sees the values of the graph around it. */
export interface OnnxGraph {
  readonly name: string;
  readonly docString: string;
  readonly node: readonly {
    readonly opType: string;
    readonly name: string;
    readonly input: readonly string[];
    readonly output: readonly string[];
    readonly attribute: readonly OnnxAttribute[];
  }[];
  readonly initializer: readonly OnnxTensor[];
  readonly input: readonly OnnxValue[];
  readonly output: readonly OnnxValue[];
}

export function encodeOnnx(model: OnnxModel): Uint8Array {
  return modelType.encode(modelType.fromObject(model)).finish();
}

/** @throws {Error} by protobufjs where the bytes are no such message */
export function decodeOnnx(bytes: Uint8Array): OnnxModel {
  const options = { longs: Number, arrays: true, objects: true };
  const model = modelType.toObject(modelType.decode(bytes), options) as OnnxModel; // of this shape by the schema
  const initializer = model.graph.initializer.map((tensor) => ({ ...NO_BYTES, ...tensor }));
  const opsetImport = model.opsetImport.map((opset) => ({ ...OWN_DOMAIN, ...opset }));
  return { ...model, opsetImport, graph: { ...model.graph, initializer } };
}

/** Values that a message leaves out as they are empty: the bytes of an empty tensor, and ONNX's own domain, "". */
const NO_BYTES: Pick<OnnxTensor, "rawData"> = { rawData: new Uint8Array() };
const OWN_DOMAIN: Pick<OnnxModel["opsetImport"][number], "domain"> = { domain: "" };
