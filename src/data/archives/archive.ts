/** Images inside tar shards and Parquet files, which are read in place and never unpacked. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import path from "node:path";
import { sha256OfFile } from "../../base/files.js";
import { openParquetImages } from "./parquetImages.js";
import { type Archive, openTar } from "./tar.js";

/** Sign between an archive and a member in a path: `shards/train-000000.tar::0001.jpg`. */
export const INSIDE = "::";

const MEMBER = /^(.*?\.(?:tar|parquet))::(.+)$/is;

/** Parts of the path of an archive's member; null for the path of any other file. */
export function splitMember(file: string): { readonly archive: string; readonly member: string } | null {
  const [, archive, member] = MEMBER.exec(file) ?? [];
  return archive === undefined || member === undefined ? null : { archive, member };
}

/** Path of an image in its archive; the path itself where it is in none. */
export function nameInside(image: string): string {
  return splitMember(image)?.member ?? image;
}

/** File on the disk that holds an image: its archive, or itself. */
export function fileOnDisk(file: string): string {
  return splitMember(file)?.archive ?? file;
}

const opened = new Map<string, { readonly state: string; readonly archive: Promise<Archive> }>();

/**
 * Opens an archive and reads its index, once as long as its size and time stay the same.
 * @throws {DataError} where it cannot be read, is cut off, or has a name twice; else the file system's own error
 */
export async function openArchive(file: string): Promise<Archive> {
  const place = path.resolve(file);
  const { size, mtimeMs } = await stat(place);
  const state = `${size} ${mtimeMs}`;
  const known = opened.get(place);
  if (known?.state === state) return known.archive;
  const archive = place.toLowerCase().endsWith(".tar") ? openTar(file) : openParquetImages(file);
  opened.set(place, { state, archive });
  return archive;
}

/** Bytes of an archive's member. @throws {DataError} where it cannot be read */
export async function readMember(file: string, most?: number): Promise<Buffer> {
  const { archive, member } = splitMember(file) ?? { archive: file, member: "" };
  const known = opened.get(path.resolve(archive))?.archive ?? openArchive(archive); // as it was when its list was read
  return (await known).read(member, most);
}

/** True where an archive is there and has the member. @throws {DataError} where it is there and cannot be read */
export async function hasMember(file: string): Promise<boolean> {
  const found = splitMember(file);
  if (found === null || (await stat(found.archive).catch(() => null)) === null) return false;
  return (await openArchive(found.archive)).has(found.member);
}

/** SHA-256 of an image's bytes, in a file of its own or in an archive, hexadecimal. */
export async function sha256OfImage(file: string): Promise<string> {
  if (splitMember(file) === null) return sha256OfFile(file);
  return createHash("sha256").update(await readMember(file)).digest("hex"); // prettier-ignore
}
