import { concatenated as joined } from "../../base/collections.js";
import { rejectFile } from "./byteSource.js";
import { TOKEN_EMBEDDING } from "../parameters/parameters.js";
import { openContainer } from "./container.js";
import { type Dtype, type StoredTensor, type StoredTensors, toFloat32 } from "./dtypes.js";
import { keptTokens, wholeShape, wholeTable } from "./keptTokens.js";
import { OPEN_CLIP_SIGLIP, openClipName } from "./openClipNames.js";
import { type Change, isLogitScalar, openAiName, transposedValues } from "./transformersNames.js";

export interface ReadWeightsOptions {
  /** Lets NaN and infinite values through, to look at a broken file. False by default. */
  readonly allowNonFinite?: boolean;
}

/** Open weight file: names, shapes and types are known, values are read on request. */
export interface Weights {
  readonly file: string;
  readonly format: "safetensors" | "torch.save" | "TorchScript";
  readonly naming: "OpenAI" | "Hugging Face" | "open_clip";
  /** Wrappers removed around the weights: keys of wrapping dicts, prefixes of all names. */
  readonly wrappers: readonly string[];
  /** A safetensors file's own notes. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Shapes and types under OpenAI's names, in OpenAI's layouts. */
  readonly names: ReadonlyMap<string, { readonly shape: readonly number[]; readonly dtype: Dtype }>;
  /** Name and shape of features of prompts that were stored beside the weights, [prompts, embedding]; null for none. */
  readonly storedFeatures: { readonly name: string; readonly shape: readonly number[] } | null;
  /** Reads a weight from the file, row-major float32, given to the caller. */
  readonly read: (name: string) => Promise<Float32Array>;
  readonly close: () => Promise<void>;
}

/**
 * Opens a weight file: safetensors, `torch.save` or TorchScript, told apart by content and not by name, or the index of
 * several such files, under OpenAI's or Hugging Face's names. The caller closes it.
 * @throws {CheckpointError} when the file is refused: not there, damaged, hostile, or of another format
 */
export async function readWeights(file: string, { allowNonFinite = false }: ReadWeightsOptions = {}): Promise<Weights> {
  const { format, tensors, wrappers, metadata, close } = await openContainer(file);
  try {
    const { naming, prefixes, weights: named } = toOpenAiNames(file, tensors);
    const weights = withWholeTokens(file, named, metadata);
    const read = async (name: string) => {
      const weight = weights.get(name) ?? rejectFile(file, `has no ${name}`);
      const values = await weight.read();
      if (!allowNonFinite) checkFinite(`${file}: ${name}`, values);
      return values;
    };
    const stored = [...weights].find(([name, { shape }]) => STORED_FEATURES.test(name) && shape.length === 2);
    const names = new Map([...weights].filter(([name]) => name !== stored?.[0]));
    const storedFeatures = stored === undefined ? null : { name: stored[0], shape: stored[1].shape };
    const found = { storedFeatures, names, read, close };
    return { file, format, naming, wrappers: [...wrappers, ...prefixes], metadata, ...found };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Weights with their token table whole, of a file that keeps some rows alone. */
function withWholeTokens(file: string, weights: NamedWeights["weights"], metadata: Weights["metadata"]) {
  const tokens = keptTokens(file, metadata);
  const table = weights.get(TOKEN_EMBEDDING);
  if (tokens === null || table === undefined) return weights;
  const { dtype, shape, read } = table;
  const whole = { dtype, shape: wholeShape(file, tokens, shape), read: async () => wholeTable(tokens, await read()) };
  return new Map([...weights, [TOKEN_EMBEDDING, whole]]);
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

/** Weight under OpenAI's name, in its layout. */
interface NamedWeight {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Reads the values, row-major float32, given to the caller. */
  readonly read: () => Promise<Float32Array<ArrayBuffer>>;
}

interface NamedWeights {
  readonly naming: Weights["naming"];
  /** Prefixes that were removed from every name. */
  readonly prefixes: readonly string[];
  readonly weights: ReadonlyMap<string, NamedWeight>;
}

/** Prefixes that programs put before every name: data parallelism, compilation, a module around CLIP. */
const PREFIXES = ["module.", "_orig_mod.", "model.", "clip_model.", "clip."];

/** Names under which programs store what the text tower made of a model's prompts. */
const STORED_FEATURES = /^(text|prompt)_feat(ure)?s?$/;

/** Names of tensors that are no weights: sizes in OpenAI's archives, positions, masks and counts of batches elsewhere. */
const NO_WEIGHTS = /^(input_resolution|context_length|vocab_size|(.*\.)?(attn_mask|position_ids|num_batches_tracked))$/;

/**
 * Converts a file's tensors to OpenAI's names and layouts, from any of the three namings. Prefixes of all names are
 * removed; unknown names are kept, for the caller to refuse.
 * @throws {CheckpointError} when two tensors claim one name, or queries, keys and values are not all there
 */
function toOpenAiNames(where: string, tensors: StoredTensors): NamedWeights {
  const { names, prefixes } = stripPrefixes(tensors);
  const parts = new Map<string, (StoredTensor | undefined)[]>();
  const weights = new Map<string, NamedWeight>();
  let naming: NamedWeights["naming"] = "OpenAI";
  const isOpenClip = names.has(OPEN_CLIP_SIGLIP);
  const nameOf = isOpenClip ? openClipName : openAiName;
  for (const [name, tensor] of names) {
    const [target, change] = nameOf(name);
    if (target !== name) naming = isOpenClip ? "open_clip" : "Hugging Face";
    const place = parts.get(target) ?? [];
    const pieces = piecesOf(where, name, tensor, change);
    const isTaken = pieces === null ? place.length > 0 : pieces.some(([at]) => place[at] !== undefined);
    if (isTaken || weights.has(target)) rejectFile(where, `two tensors are ${target}, one of them called ${name}`);
    if (pieces === null) weights.set(target, wholeOf(where, name, tensor, change));
    else {
      for (const [at, piece] of pieces) place[at] = piece;
      parts.set(target, place);
    }
  }
  for (const [target, three] of parts) {
    if (weights.has(target)) rejectFile(where, `has ${target} both whole and in parts`);
    weights.set(target, concatenated(where, target, three));
  }
  return { naming, prefixes, weights };
}

/** Parts of three that a tensor is, with their places; null where it is a whole. */
function piecesOf(
  where: string,
  name: string,
  tensor: StoredTensor,
  change: Change,
): (readonly [number, StoredTensor])[] | null {
  if (typeof change === "number") return [[change, tensor]];
  if (change !== "second and third") return null;
  const [rows = 0, ...others] = tensor.shape;
  if (rows % 2 !== 0) rejectFile(where, `${name} has ${rows} rows, which are not keys and values alike`);
  return [0, 1].map((half) => {
    const read = async () => {
      const bytes = await tensor.read();
      return bytes.subarray((half * bytes.length) / 2, ((half + 1) * bytes.length) / 2);
    };
    return [half + 1, { ...tensor, shape: [rows / 2, ...others], read }];
  });
}

function wholeOf(where: string, name: string, tensor: StoredTensor, change: Change): NamedWeight {
  if (change === "transposed") return transposed(where, name, tensor);
  if (change !== "first of one") return asIs(where, name, unboxed(name, tensor));
  const [only, ...others] = tensor.shape;
  return only === 1 ? asIs(where, name, { ...tensor, shape: others }) : rejectFile(where, `${name} has ${only ?? 0} entries, not one`); // prettier-ignore
}

function stripPrefixes(tensors: StoredTensors): { names: StoredTensors; prefixes: string[] } {
  const prefixes: string[] = [];
  let names = tensors;
  for (;;) {
    const prefix = PREFIXES.find((word) => {
      const others = [...names.keys()].filter((name) => !STORED_FEATURES.test(name)); // which are beside the model
      return others.length > 0 && others.every((name) => name.startsWith(word));
    });
    if (prefix === undefined) break;
    prefixes.push(prefix);
    names = new Map(
      [...names].map(([name, tensor]) => [name.startsWith(prefix) ? name.slice(prefix.length) : name, tensor]),
    );
  }
  return { names: new Map([...names].filter(([name]) => !NO_WEIGHTS.test(name))), prefixes };
}

/** Scale and bias of logits as the scalars that they are: some programs store it with an axis of 1. */
function unboxed(name: string, tensor: StoredTensor): StoredTensor {
  return isLogitScalar(name) && tensor.shape.every((size) => size === 1) ? { ...tensor, shape: [] } : tensor;
}

function asIs(where: string, name: string, { dtype, shape, read }: StoredTensor): NamedWeight {
  return { dtype, shape, read: async () => toFloat32(`${where}: ${name}`, dtype, await read()) };
}

/** [out, in] → [in, out] */
function transposed(where: string, name: string, tensor: StoredTensor): NamedWeight {
  const [rows = 0, cols = 0] = tensor.shape;
  if (tensor.shape.length !== 2) rejectFile(where, `${name} has ${tensor.shape.length} axes, not 2`);
  const { dtype, read } = asIs(where, name, tensor);
  return { dtype, shape: [cols, rows], read: async () => transposedValues(await read(), cols) };
}

/** Three tensors of one shape, one after the other along the first axis. */
function concatenated(where: string, target: string, parts: readonly (StoredTensor | undefined)[]): NamedWeight {
  const [q, k, v] = parts;
  if (q === undefined || k === undefined || v === undefined) {
    return rejectFile(where, `${target} needs queries, keys and values; not all three are there`);
  }
  const three = [q, k, v].map((part) => asIs(where, target, part));
  if (three.some(({ shape }) => shape.join() !== q.shape.join()))
    rejectFile(where, `${target} has parts of unequal shape`);
  const read = async () => {
    const arrays = [];
    for (const part of three) arrays.push(await part.read());
    return joined(Float32Array, arrays);
  };
  return { dtype: q.dtype, shape: [3 * (q.shape[0] ?? 0), ...q.shape.slice(1)], read };
}
