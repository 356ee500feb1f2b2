import { type ByteSource, openFile, rejectFile } from "./byteSource.js";
import type { Dtype, StoredTensors } from "./dtypes.js";
import { toOpenAiNames } from "./names.js";
import { looksLikeSafetensors, openSafetensors } from "./safetensors.js";
import { openTorchArchive } from "./torch/archive.js";

export interface ReadWeightsOptions {
  /** Lets NaN and infinite values through, to look at a broken file. False by default. */
  readonly allowNonFinite?: boolean;
}

/** Open weight file: names, shapes and types are known, values are read on request. */
export interface Weights {
  readonly file: string;
  readonly format: "safetensors" | "torch.save" | "TorchScript";
  readonly naming: "OpenAI" | "Hugging Face";
  /** Wrappers removed around the weights: keys of wrapping dicts, prefixes of all names. */
  readonly wrappers: readonly string[];
  /** A safetensors file's own notes. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Shapes and types under OpenAI's names, in OpenAI's layouts. */
  readonly names: ReadonlyMap<string, { readonly shape: readonly number[]; readonly dtype: Dtype }>;
  /** Reads a weight from the file, row-major float32, given to the caller. */
  readonly read: (name: string) => Promise<Float32Array>;
  readonly close: () => Promise<void>;
}

/** Bytes that tell the formats apart. */
const START_BYTES = 16;

/**
 * Opens a weight file: safetensors, `torch.save` or TorchScript, told apart by content and not by name, under OpenAI's
 * or Hugging Face's names. The caller closes it.
 *
 * @throws {CheckpointError} when the file is refused: not there, damaged, hostile, or of another format
 */
export async function readWeights(file: string, { allowNonFinite = false }: ReadWeightsOptions = {}): Promise<Weights> {
  const source = await openFile(file);
  try {
    const { format, tensors, wrappers, metadata } = await openContainer(file, source);
    const { naming, prefixes, weights } = toOpenAiNames(file, tensors);
    const read = async (name: string) => {
      const weight = weights.get(name) ?? rejectFile(file, `has no ${name}`);
      const values = await weight.read();
      if (!allowNonFinite) checkFinite(`${file}: ${name}`, values);
      return values;
    };
    const opened = { file, format, naming, wrappers: [...wrappers, ...prefixes], metadata, names: weights, read };
    return { ...opened, close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** First bytes of a zip archive. */
const ZIP_START = [0x50, 0x4b, 3, 4];

interface Container {
  readonly format: Weights["format"];
  readonly tensors: StoredTensors;
  readonly wrappers: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

async function openContainer(file: string, source: ByteSource): Promise<Container> {
  if (source.size === 0) rejectFile(file, "is empty; download or save it again");
  const start = await source.read(0, Math.min(START_BYTES, source.size));
  if (ZIP_START.every((byte, i) => start[i] === byte)) {
    return { ...(await openTorchArchive(file, source)), metadata: {} };
  }
  if (start[0] === 0x80 && (start[1] ?? 0) <= 5) {
    return rejectFile(file, "is a bare pickle, as PyTorch wrote before 1.6; save it again with a newer one");
  }
  if (!looksLikeSafetensors(start) && looksLikeOnnx(start)) {
    return rejectFile(file, "is an ONNX model, which has no text tower; name what it was exported from");
  }
  if (!looksLikeSafetensors(start)) rejectFile(file, "is neither a safetensors file nor a zip archive of PyTorch's");
  const { tensors, metadata } = await openSafetensors(file, source);
  return { format: "safetensors", tensors, wrappers: [], metadata };
}

function checkFinite(where: string, values: Float32Array): void {
  let poison = 0; // 0 · x is NaN for NaN and infinities alone; one pass without a branch
  for (let i = 0; i < values.length; i++) poison += 0 * (values[i] ?? 0);
  if (poison === 0) return;
  const first = values.findIndex((value) => !Number.isFinite(value));
  const count = values.reduce((sum, value) => sum + (Number.isFinite(value) ? 0 : 1), 0);
  rejectFile(
    where,
    `${count} of ${values.length} values are not finite, the first ${values[first] ?? NaN} at ${first}`,
  );
}

/** Keys of which one begins a model's second field (onnx.proto, ModelProto). */
const SECOND_FIELDS = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];

/** True where a file's first bytes may be an ONNX model's: field 1, the format's version, then another field. */
export function looksLikeOnnx(start: Uint8Array): boolean {
  return start[0] === 0x08 && (start[1] ?? 0x80) < 0x80 && SECOND_FIELDS.includes(start[2] ?? 0);
}
