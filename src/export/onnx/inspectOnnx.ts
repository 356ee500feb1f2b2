import { open, readFile } from "node:fs/promises";
import { CheckpointError } from "../../base/errors.js";
import { sha256OfFile } from "../../base/files.js";
import { sizeOf } from "../../model/parameters/shapes.js";
import { looksLikeOnnx } from "../../model/weights/container.js";
import { looksLikeSafetensors } from "../../model/weights/safetensors.js";
import { ManifestSchema } from "../exportManifest.js";
import { METADATA_KEY } from "./buildModels.js";
import { decodeOnnx, ONNX_TYPES, type OnnxModel, type OnnxTensor, type OnnxValue } from "./schema.js";

const Metadata = ManifestSchema.pick({ dtype: true, model: true, prompts: true, preprocessing: true, score: true });

/** An input or output, as in `image UINT8 [rows, cols, 3]`. */
interface OnnxEnd {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
  readonly meaning: string;
}

/** Report of `liqe weights inspect` on an ONNX model. */
export interface OnnxReport {
  readonly file: string;
  readonly format: "ONNX";
  readonly sha256: string;
  readonly producer: string;
  readonly opset: number;
  /** Null where `liqe export` did not write it. */
  readonly liqe: ReturnType<typeof Metadata.parse> | null;
  readonly inputs: readonly OnnxEnd[];
  readonly outputs: readonly OnnxEnd[];
  readonly nodes: number;
  /** Count of numbers in its tensors. */
  readonly parameters: number;
  readonly dtypes: Readonly<Record<string, number>>;
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
}

/** Number of bytes by which formats are told apart. */
const START_BYTES = 16;

/** True where a file is an ONNX model by its first bytes; false where it cannot be read. */
export async function isOnnx(file: string): Promise<boolean> {
  const handle = await open(file, "r").catch(() => null);
  if (handle === null) return false;
  try {
    const start = new Uint8Array(START_BYTES);
    const { bytesRead } = await handle.read(start, 0, START_BYTES, 0).catch(() => ({ bytesRead: 0 })); // a folder
    const bytes = start.subarray(0, bytesRead);
    return looksLikeOnnx(bytes) && !looksLikeSafetensors(bytes);
  } finally {
    await handle.close();
  }
}

/** @throws {CheckpointError} where it is damaged: it cannot be decoded, or a tensor does not fill its shape */
export async function inspectOnnx(file: string): Promise<OnnxReport> {
  const { graph, ...model } = await decoded(file);
  for (const { name, dims, dataType, rawData } of graph.initializer) {
    const expected = sizeOf(dims) * (ITEM_BYTES[dataType] ?? NaN);
    if (rawData.length === expected) continue;
    throw new CheckpointError(`${file}: tensor ${name} has ${rawData.length} bytes, its shape asks for ${expected}`);
  }
  const tensors = graph.initializer.map(({ name, dims, dataType }) => ({
    name,
    dtype: typeName(dataType),
    shape: dims,
  }));
  const count = (dtype: string) => tensors.filter((tensor) => tensor.dtype === dtype).length;
  return {
    ...{ file, format: "ONNX", sha256: await sha256OfFile(file) },
    producer: `${model.producerName} ${model.producerVersion}`.trim(),
    opset: model.opsetImport.find(({ domain }) => domain === "")?.version ?? NaN,
    liqe: metadataOf(file, model.metadataProps),
    inputs: graph.input.map(endOf),
    outputs: graph.output.map(endOf),
    nodes: graph.node.length,
    parameters: graph.initializer.filter(isWeight).reduce((sum, { dims }) => sum + sizeOf(dims), 0),
    dtypes: Object.fromEntries([...new Set(tensors.map(({ dtype }) => dtype))].map((dtype) => [dtype, count(dtype)])),
    tensors,
  };
}

async function decoded(file: string): Promise<OnnxModel> {
  try {
    return decodeOnnx(await readFile(file));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(`${file}: cannot be read as an ONNX model (${why}); is it whole?`, { cause: error });
  }
}

/** True for weights and their quantized forms; other numbers are shapes, axes and constants of the resizing. */
function isWeight({ dataType }: OnnxTensor): boolean {
  return ![ONNX_TYPES.INT32, ONNX_TYPES.INT64, ONNX_TYPES.DOUBLE].some((type) => type === dataType);
}

const ITEM_BYTES: Readonly<Record<number, number>> = {
  [ONNX_TYPES.FLOAT]: 4,
  [ONNX_TYPES.UINT8]: 1,
  [ONNX_TYPES.INT8]: 1,
  [ONNX_TYPES.INT32]: 4,
  [ONNX_TYPES.INT64]: 8,
  [ONNX_TYPES.BOOL]: 1,
  [ONNX_TYPES.FLOAT16]: 2,
  [ONNX_TYPES.DOUBLE]: 8,
};

function typeName(dataType: number): string {
  return Object.entries(ONNX_TYPES).find(([, number]) => number === dataType)?.[0] ?? `type ${dataType}`;
}

function endOf({ name, docString, type }: OnnxValue): OnnxEnd {
  const { elemType, shape } = type.tensorType;
  const axes = shape.dim.map((dim) => ("dimParam" in dim ? dim.dimParam : dim.dimValue));
  return { name, type: typeName(elemType), shape: axes, meaning: docString };
}

function metadataOf(file: string, props: OnnxModel["metadataProps"]): OnnxReport["liqe"] {
  const text = props.find(({ key }) => key === METADATA_KEY)?.value;
  if (text === undefined) return null;
  try {
    return Metadata.parse(JSON.parse(text));
  } catch (error) {
    throw new CheckpointError(`${file}: its metadata are not what liqe export writes; is it whole?`, { cause: error });
  }
}
