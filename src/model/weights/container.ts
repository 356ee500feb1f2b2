/** The files that weights come in: one, or several that an index names. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { jsonOf } from "../../base/text.js";
import { type ByteSource, openFile, quoted, rejectFile } from "./byteSource.js";
import type { StoredTensor, StoredTensors } from "./dtypes.js";
import { looksLikeSafetensors, openSafetensors } from "./safetensors.js";
import { openTorchArchive } from "./torch/archive.js";

/** Open file or files: names, shapes and types are known, values are read on request. */
interface Container {
  readonly format: "safetensors" | "torch.save" | "TorchScript";
  readonly tensors: StoredTensors;
  /** Keys of dicts around the tensors. */
  readonly wrappers: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** End of the name of an index, as transformers and open_clip write it beside its files. */
const INDEX_NAME = ".index.json";

/** Name of one of several files: its number, and how many there are. */
const SHARD_NAME = /^(.*)-(\d{5})-of-(\d{5})(\.\w+)$/;

/** Weights in the folders of transformers and open_clip, the form to read first before the others; each may be parted. */
const MODEL_FILES = [
  "model.safetensors",
  "open_clip_model.safetensors",
  "pytorch_model.bin",
  "open_clip_pytorch_model.bin",
];

/** Weight file, or index, in a folder as transformers or open_clip lay one out; null where it has none. */
export async function weightFileIn(folder: string): Promise<string | null> {
  const names = new Set(await readdir(folder).catch(() => []));
  const found = MODEL_FILES.flatMap((name) => [name, name + INDEX_NAME]).find((name) => names.has(name));
  return found === undefined ? null : path.join(folder, found);
}

/** Opens a weight file, or by its index the files of one that is parted. @throws {CheckpointError} where it is refused */
export async function openContainer(file: string): Promise<Container> {
  if (file.endsWith(INDEX_NAME)) return openShards(file);
  const [, name = "", , count = "", ending = ""] = SHARD_NAME.exec(path.basename(file)) ?? [];
  const source = await openFile(file); // says first where there is none
  if (Number(count) <= 1) return openWhole(file, source);
  await source.close();
  const index = path.join(path.dirname(file), `${name}${ending}${INDEX_NAME}`);
  return rejectFile(file, `is one of ${Number(count)} files of a model; name ${index}`);
}

async function openWhole(file: string, source: ByteSource): Promise<Container> {
  try {
    return { ...(await openOne(file, source)), close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Most bytes of an index, and most files that it names: the largest published models have 0.2 MB and 200. */
const MAX_INDEX_BYTES = 16 * 2 ** 20;
const MAX_SHARDS = 1000;

/** Index of weights in several files: the file of each tensor. */
const ShardIndex = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

async function openShards(index: string): Promise<Container> {
  const fileOf = await readIndex(index);
  const files = [...new Set(fileOf.values())];
  const open: Container[] = [];
  const close = async () => {
    for (const shard of open) await shard.close();
  };
  try {
    const byFile = new Map<string, Container>();
    for (const name of files) {
      const file = path.join(path.dirname(index), name);
      const shard = await openWhole(file, await openFile(file));
      open.push(shard);
      byFile.set(name, shard);
    }
    const tensors = new Map<string, StoredTensor>();
    for (const [tensor, file] of fileOf) {
      const stored = byFile.get(file)?.tensors.get(tensor);
      tensors.set(tensor, stored ?? rejectFile(index, `${file} does not hold ${quoted(tensor)}; get both again`));
    }
    const stray = open.flatMap((shard) => [...shard.tensors.keys()]).find((name) => !tensors.has(name));
    if (stray !== undefined) rejectFile(index, `does not name ${quoted(stray)}, which its files hold; get both again`);
    const [first] = open;
    if (first === undefined) return rejectFile(index, "names no file");
    return { format: first.format, tensors, wrappers: first.wrappers, metadata: first.metadata, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Files that a weight file's tensors are in: itself or, of an index, those that it names, with the index before them. */
export async function tensorFiles(file: string): Promise<string[]> {
  if (!file.endsWith(INDEX_NAME)) return [file];
  const names = new Set((await readIndex(file)).values());
  return [file, ...[...names].map((name) => path.join(path.dirname(file), name))];
}

/** File of each tensor, all of them beside the index. */
async function readIndex(index: string): Promise<ReadonlyMap<string, string>> {
  const source = await openFile(index);
  try {
    if (source.size > MAX_INDEX_BYTES) rejectFile(index, `${source.size} bytes are too many for an index of weights`);
    const text = Buffer.from(await source.read(0, source.size)).toString("utf8");
    const parsed = ShardIndex.safeParse(jsonOf(text));
    if (!parsed.success) return rejectFile(index, "is no index of weights (weight_map: the file of each tensor)");
    const fileOf = new Map(Object.entries(parsed.data.weight_map));
    const files = new Set(fileOf.values());
    if (files.size > MAX_SHARDS) rejectFile(index, `names ${files.size} files, more than ${MAX_SHARDS}`);
    for (const file of files) {
      if (path.basename(file) !== file || file.includes("\\") || file.endsWith(INDEX_NAME)) {
        rejectFile(index, `names the file ${quoted(file)}; the files of a model lie beside its index`);
      }
    }
    return fileOf;
  } finally {
    await source.close();
  }
}

/** Bytes that tell the formats apart. */
const START_BYTES = 16;

/** First bytes of a zip archive. */
const ZIP_START = [0x50, 0x4b, 3, 4];

/** Format, tensors, wrappers and metadata of one file. */
async function openOne(file: string, source: ByteSource) {
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
  return { format: "safetensors" as const, tensors, wrappers: [], metadata };
}

/** Keys of which one begins a model's second field (onnx.proto, ModelProto). */
const SECOND_FIELDS = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];

/** True where a file's first bytes may be an ONNX model's: field 1, the format's version, then another field. */
export function looksLikeOnnx(start: Uint8Array): boolean {
  return start[0] === 0x08 && (start[1] ?? 0x80) < 0x80 && SECOND_FIELDS.includes(start[2] ?? 0);
}
