import { CheckpointError } from "../base/errors.js";
import * as tf from "../engine/tf.js";
import { MANIFEST_FILE, readManifest, type TfjsManifest } from "./manifest.js";
import type { Folder } from "./source.js";
import { MODEL_FILE, readWeightSpecs, ROW_SCALE, type WeightSpecs } from "./weightSpecs.js";

/** Told how many of the weights' bytes have come. */
export type LoadProgress = (doneBytes: number, totalBytes: number) => void;

interface LoadedWeights {
  readonly manifest: TfjsManifest;
  /** By name, float32, given to the caller, on the device and kept. */
  readonly tensors: ReadonlyMap<string, tf.Tensor>;
}

/** Shards that are asked for at once. */
const AT_ONCE = 4;

/** An export whose manifest and model.json were read, and fit each other. */
interface OpenExport {
  readonly manifest: TfjsManifest;
  readonly specs: WeightSpecs;
  /** The bytes of all shards, each checked by size and SHA-256. @throws {CheckpointError} where one was changed */
  readonly shards: (report?: LoadProgress) => Promise<ArrayBuffer[]>;
}

/**
 * Reads an export's manifest, model.json and shards, and checks sizes and SHA-256 of each.
 *
 * @throws {CheckpointError} where a file is missing, does not fit the others or was changed
 */
export async function loadWeights(folder: Folder, report?: LoadProgress): Promise<LoadedWeights> {
  const { manifest, specs, shards } = await openExport(folder);
  const tensors = decode(await shards(report), specs);
  for (const tensor of tensors.values()) tf.keep(tensor);
  return { manifest, tensors };
}

/** @throws {CheckpointError} where a file is missing, or does not fit the others */
export async function openExport(folder: Folder): Promise<OpenExport> {
  const manifest = readManifest(folder.where(MANIFEST_FILE), await readJson(folder, MANIFEST_FILE));
  const file = new CheckedFiles(folder, manifest);
  const where = folder.where(MODEL_FILE);
  const specs = readWeightSpecs(where, parse(where, await file.read(MODEL_FILE)), manifest);
  return { manifest, specs, shards: (report) => readShards(file, specs.paths, report) };
}

/** The tensors, rows at their scale; runs in one tidy, whose results the caller keeps. */
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
    shards.push(...(await Promise.all(reads)));
  }
  return shards;
}

/** The files that a manifest names. */
class CheckedFiles {
  constructor(
    private readonly folder: Folder,
    private readonly manifest: TfjsManifest,
  ) {}

  bytesOf(name: string): number {
    return this.manifest.files[name]?.bytes ?? NaN;
  }

  /** @throws {CheckpointError} where the file is not as the manifest says */
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

async function readJson(folder: Folder, name: string): Promise<unknown> {
  return parse(folder.where(name), await folder.read(name));
}

function parse(where: string, content: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch (error) {
    throw new CheckpointError(`${where}: is not JSON; is this a folder that \`liqe export\` wrote?`, { cause: error });
  }
}

/** In hexadecimal; null where a browser has no digests, which is on pages that came without https. */
async function sha256(content: ArrayBuffer): Promise<string | null> {
  const subtle = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle; // missing there, whatever its type says
  if (subtle === undefined) return null;
  const digest = new Uint8Array(await subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
