import { pushAll } from "../base/collections.js";
import { CheckpointError } from "../base/errors.js";
import * as tf from "../engine/tf.js";
import { MANIFEST_FILE, readManifest, type TfjsManifest } from "./manifest.js";
import { MODEL_FILE, readWeightSpecs, ROW_SCALE, type WeightSpecs } from "./weightSpecs.js";

/** Told the number of the weights' bytes that have come. */
export type LoadProgress = (doneBytes: number, totalBytes: number) => void;

interface LoadedWeights {
  readonly manifest: TfjsManifest;
  /** By name, float32, given to the caller, on the device and kept. */
  readonly tensors: ReadonlyMap<string, tf.Tensor>;
}

/** Number of shards that are requested at once. */
const AT_ONCE = 4;

/** An export whose manifest and model.json were read, and fit each other. */
interface OpenExport {
  readonly manifest: TfjsManifest;
  readonly specs: WeightSpecs;
  /** Reads all shards and checks the size and SHA-256 of each. @throws {CheckpointError} where one was changed */
  readonly shards: (report?: LoadProgress) => Promise<ArrayBuffer[]>;
}

/**
 * Reads an export's manifest, model.json and shards, and checks the size and SHA-256 of each.
 * @throws {CheckpointError} where a file is missing, does not fit the others or was changed
 */
export async function loadWeights(folder: Folder, report?: LoadProgress): Promise<LoadedWeights> {
  const { manifest, specs, shards } = await openExport(folder);
  const tensors = decode(await shards(report), specs);
  for (const tensor of tensors.values()) tf.keep(tensor);
  return { manifest, tensors };
}

/** Reads an export's manifest and model.json. @throws {CheckpointError} where one is missing or does not fit the other */
export async function openExport(folder: Folder): Promise<OpenExport> {
  const address = folder.where(MANIFEST_FILE);
  const manifest = readManifest(address, parse(address, await folder.read(MANIFEST_FILE)));
  const file = new CheckedFiles(folder, manifest);
  const where = folder.where(MODEL_FILE);
  const specs = readWeightSpecs(where, parse(where, await file.read(MODEL_FILE)), manifest);
  return { manifest, specs, shards: (report) => readShards(file, specs.paths, report) };
}

/** Tensors with their rows' scales applied; the caller keeps them. */
function decode(shards: ArrayBuffer[], { weights }: WeightSpecs): Map<string, tf.Tensor> {
  const tensors = tf.tidy(() => {
    const decoded = tf.io.decodeWeights(shards, [...weights]);
    for (const [name, tensor] of Object.entries(decoded)) {
      const scale = decoded[name + ROW_SCALE];
      if (scale !== undefined)
        decoded[name] = tf.mul(tensor, tf.reshape(scale, [-1, ...tensor.shape.slice(1).map(() => 1)]));
    }
    return Object.fromEntries(Object.entries(decoded).filter(([name]) => !name.endsWith(ROW_SCALE)));
  });
  return new Map(Object.entries(tensors));
}

async function readShards(file: CheckedFiles, paths: readonly string[], report?: LoadProgress): Promise<ArrayBuffer[]> {
  const total = paths.reduce((sum, path) => sum + file.bytesOf(path), 0);
  const shards: ArrayBuffer[] = [];
  let done = 0;
  for (let first = 0; first < paths.length; first += AT_ONCE) {
    const reads = paths.slice(first, first + AT_ONCE).map(async (path) => {
      const shard = await file.read(path);
      done += shard.byteLength;
      report?.(done, total);
      return shard;
    });
    pushAll(shards, await Promise.all(reads));
  }
  return shards;
}

/** Files of a folder, checked against its manifest. */
class CheckedFiles {
  constructor(
    private readonly folder: Folder,
    private readonly manifest: TfjsManifest,
  ) {}

  bytesOf(name: string): number {
    return this.manifest.files[name]?.bytes ?? NaN;
  }

  /** @throws {CheckpointError} where the file differs from the manifest */
  async read(name: string): Promise<ArrayBuffer> {
    const where = this.folder.where(name);
    const expected = this.manifest.files[name];
    if (expected === undefined) throw new CheckpointError(`${where}: is not in the manifest; export it again`);
    const content = await this.folder.read(name);
    if (content.byteLength !== expected.bytes) {
      throw new CheckpointError(
        `${where}: has ${content.byteLength} bytes, ${expected.bytes} were written; copy the export again`,
      );
    }
    const found = await sha256(content);
    if (found !== null && found !== expected.sha256) {
      throw new CheckpointError(`${where}: was changed since it was written; copy the export again`);
    }
    return content;
  }
}

function parse(where: string, content: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch (error) {
    throw new CheckpointError(`${where}: is not JSON; is this a folder that \`liqe export\` wrote?`, { cause: error });
  }
}

/** SHA-256 in hexadecimal; null where the browser has no digests, on pages without https. */
async function sha256(content: ArrayBuffer): Promise<string | null> {
  const subtle = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle; // missing there, against its type
  if (subtle === undefined) return null;
  const digest = new Uint8Array(await subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Reads a file of the export's folder by its name; messages show the reason that it throws. */
export type ReadFile = (name: string) => Promise<Uint8Array | ArrayBuffer>;

/** Address of an export's folder, absolute or relative to the page; or a function that reads its files. */
export type LiqeSource = string | URL | ReadFile;

interface Folder {
  /** Name of a file with its folder, for messages. */
  readonly where: (name: string) => string;
  /** @throws {CheckpointError} where the file cannot be read */
  readonly read: (name: string) => Promise<ArrayBuffer>;
}

/** @throws {CheckpointError} where the address is invalid */
export function openSource(source: LiqeSource): Folder {
  if (typeof source === "function") {
    const read = async (name: string) => exactBuffer(await source(name).catch((error: unknown) => refuse(name, error)));
    return { where: (name) => name, read };
  }
  const base = folderAddress(source);
  const where = (name: string) => new URL(name, base).href;
  return { where, read: (name) => download(where(name)) };
}

/** Address that ends in a slash, so that names of files resolve below it. */
function folderAddress(source: string | URL): URL {
  const page = (globalThis as { readonly location?: { readonly href: string } }).location?.href; // none in Node
  const text = String(source);
  if (!URL.canParse(text, page)) {
    throw new CheckpointError(
      `Liqe.load: "${text}" is no address; begin it with https://, or give a function that reads`,
    );
  }
  const url = new URL(text, page);
  url.search = "";
  url.hash = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

async function download(address: string): Promise<ArrayBuffer> {
  const response = await fetch(address).catch((error: unknown) => refuse(address, error));
  if (!response.ok) refuse(address, new Error(`the server answers ${response.status}`));
  return response.arrayBuffer().catch((error: unknown) => refuse(address, error));
}

function refuse(where: string, error: unknown): never {
  const reason = error instanceof Error ? error.message : String(error);
  throw new CheckpointError(`${where}: cannot be read (${reason}); is this a folder that \`liqe export\` wrote?`, {
    cause: error,
  });
}

/** A copy where the bytes are a view: Node's buffers are parts of larger ones. */
function exactBuffer(bytes: Uint8Array | ArrayBuffer): ArrayBuffer {
  return bytes instanceof ArrayBuffer ? bytes : new Uint8Array(bytes).buffer;
}
