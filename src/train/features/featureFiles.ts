import { createHash, randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { isMissing } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import { PACKED_LOOK } from "../../data/images/look.js";

/** Features of an image's evaluation windows, and what the image looks like. */
export interface ImageFeatures {
  /** [crops, embedding], row-major: unit rows, in the order of the windows. */
  readonly values: Float32Array;
  readonly crops: number;
  /** As `packLook` has it. */
  readonly look: string;
}

/** Raised whenever the same image and weights give other features than before; entries of other versions are not found. */
const FEATURES_VERSION = 1;

/** An entry begins with magic, number of crops and SHA-256 of all that follows: the look, then the values. */
const MAGIC = "LIQEFEA1";
const SUM_AT = 12;
const HEADER_BYTES = 44;

/** Path of the entry of a key: the text of everything that features depend on. */
export function featureFile(folder: string, key: string): string {
  const name = createHash("sha256").update(`${FEATURES_VERSION} ${key}`).digest("hex").slice(0, 40);
  return path.join(folder, `${name}.features`);
}

/** Writes an entry, whole or not at all. @throws the file system's error, such as for a full disk */
export async function writeFeatures(file: string, { values, crops, look }: ImageFeatures): Promise<void> {
  const contents = Buffer.concat([
    Buffer.from(look, "latin1"),
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  ]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, "latin1");
  header.writeUInt32LE(crops, MAGIC.length);
  createHash("sha256").update(contents).digest().copy(header, SUM_AT);
  const passing = path.join(path.dirname(file), `.tmp-${randomUUID()}`);
  try {
    await makeFolders(path.dirname(file));
    await writeFile(passing, [header, contents]);
    await rename(passing, file);
  } finally {
    await rm(passing, { force: true });
  }
}

/** Reads an entry; null where there is none, or it is damaged, or of another width than `embedding`. */
export async function readFeatures(file: string, embedding: number): Promise<ImageFeatures | null> {
  const bytes = await readFile(file).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (bytes === null || bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) return null;
  const crops = bytes.readUInt32LE(MAGIC.length);
  const contents = bytes.subarray(HEADER_BYTES);
  const isWhole = createHash("sha256").update(contents).digest().equals(bytes.subarray(SUM_AT, HEADER_BYTES));
  if (!isWhole || contents.length !== PACKED_LOOK + crops * embedding * Float32Array.BYTES_PER_ELEMENT) return null;
  const values = Uint8Array.from(contents.subarray(PACKED_LOOK)); // a copy of its own begins at a whole number
  return { values: new Float32Array(values.buffer), crops, look: contents.toString("latin1", 0, PACKED_LOOK) };
}
