/** Files that listed names mean. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { groupBy } from "../../base/collections.js";
import { KeyIndex } from "../keyIndex.js";
import { PackedTexts } from "../packedTexts.js";
import type { ListedImage } from "../sample.js";
import { normalizePath } from "./entries.js";
import { unpacked } from "./packSamples.js";

/** Characters that no screen shows: soft hyphen, zero widths and joiners, directions, byte order marks. */
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/gu;

/** Entry that a listed path comes to on the disk; `path` is relative to the database's folder. */
type Found =
  /** The name as listed, or one that differs in case alone from the only such name. */
  | { readonly kind: "exact" | "case"; readonly path: string }
  /** A name that looks the same, and is another. */
  | { readonly kind: "alike"; readonly path: string; readonly why: string }
  | { readonly kind: "none" };

/** Finder of listed paths below a folder, which reads each folder once and opens no file. */
export function createNameFinder(root: string): (image: string) => Promise<Found> {
  const folders = new Map<string, Promise<Folder>>();
  const folderAt = (relative: string) => {
    const known = folders.get(relative) ?? readFolder(path.join(root, relative));
    folders.set(relative, known);
    return known;
  };
  return async (image) => {
    let [kind, place, why]: ["exact" | "case" | "alike", string, string] = ["exact", "", ""];
    for (const name of normalizePath(image).split("/")) {
      const folder = await folderAt(place);
      const found = findIn(folder, name);
      if (found === null) return { kind: "none" };
      if (found.why !== "") [kind, why] = ["alike", found.why];
      else if (found.name !== name && kind === "exact") kind = "case";
      place = place === "" ? found.name : `${place}/${found.name}`;
    }
    return kind === "alike" ? { kind, path: place, why } : { kind, path: place };
  };
}

interface Folder {
  readonly has: (name: string) => boolean;
  /** Names by their lower case, and by what a screen shows of them: asked for where a name is not there. */
  readonly folded: () => ReadonlyMap<string, readonly string[]>;
  readonly shown: () => ReadonlyMap<string, readonly string[]>;
}

/** Entries of a folder; none where it cannot be read, so that its images are missing. */
async function readFolder(folder: string): Promise<Folder> {
  const names = new PackedTexts(await readdir(folder).catch((): string[] => []));
  const index = new KeyIndex((at) => names.at(at));
  for (let at = 0; at < names.length; at++) index.claim(names.at(at), at);
  return {
    has: (name) => index.find(name) !== null,
    folded: once(() => groupBy(names, (name) => name.toLowerCase())),
    shown: once(() => groupBy(names, shownAs)),
  };
}

function once<T extends object>(make: () => T): () => T {
  let made: T | null = null;
  return () => (made ??= make());
}

function shownAs(name: string): string {
  return name.replace(INVISIBLE, "").normalize("NFC").trim().toLowerCase();
}

function findIn({ has, folded, shown }: Folder, name: string): { name: string; why: string } | null {
  if (has(name)) return { name, why: "" };
  const [other, ...others] = folded().get(name.toLowerCase()) ?? [];
  if (other !== undefined && others.length === 0) return { name: other, why: "" };
  const alike = other ?? shown().get(shownAs(name))?.[0];
  return alike === undefined ? null : { name: alike, why: differenceOf(name, alike) };
}

/** Difference of two names that look alike. */
function differenceOf(listed: string, there: string): string {
  const hidden = [listed, there].map((name) => [...name.matchAll(INVISIBLE)].map(([character]) => codeOf(character)));
  const [inList = [], onDisk = []] = hidden;
  if (inList.length > 0) return `the list's name holds the invisible ${inList.join(", ")}; write the name again`;
  if (onDisk.length > 0) return `the file's name holds the invisible ${onDisk.join(", ")}; rename the file`;
  if (listed.normalize("NFC").toLowerCase() === there.normalize("NFC").toLowerCase()) {
    if (listed.toLowerCase() === there.toLowerCase())
      return "several files differ from it in case alone; write one's name";
    return `the file's name is in Unicode form ${formOf(there)}, the list's in ${formOf(listed)}; write both in one form`;
  }
  return "blanks stand at the beginning or end of one name; write both the same";
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? NaN).toString(16).toUpperCase().padStart(4, "0")}`;
}

function formOf(name: string): string {
  if (name === name.normalize("NFC")) return "NFC";
  return name === name.normalize("NFD") ? "NFD" : "neither NFC nor NFD";
}

/**
 * Samples with the files that their names mean: a name that differs in case alone from the only such file gets that
 * file, and says so in `foundAs`. Others stay as they are; files that are not there show when they are looked for.
 */
export async function withFoundNames<I extends ListedImage>(samples: readonly I[]): Promise<I[]> {
  const finders = new Map<string, ReturnType<typeof createNameFinder>>();
  const found: I[] = [];
  for (const sample of samples) {
    const find = finders.get(sample.folder) ?? createNameFinder(sample.folder);
    finders.set(sample.folder, find);
    const { kind, path: place } = { path: "", ...(await find(sample.image)) };
    const file = `${sample.folder}${path.sep}${place}`;
    found.push(kind === "case" ? { ...unpacked(sample), file, foundAs: place } : sample);
  }
  return found;
}
