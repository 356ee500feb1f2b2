import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { FILES_AT_ONCE, mapConcurrent } from "../base/concurrency.js";
import { ConfigError, DataError } from "../base/errors.js";
import { encodingProblem, STANDARD_INPUT } from "../base/text.js";
import { INSIDE, openArchive } from "../data/archives/archive.js";
import { hasImageName, leftOutNote, whyNoImage } from "../data/images/imageFiles.js";

/** Images that paths name. */
export interface Expanded {
  /** Files as they are named, missing ones too: these fail when their turn comes. */
  readonly files: readonly string[];
  /** Paths that name no image, with the reason. */
  readonly problems: readonly { readonly file: string; readonly error: string }[];
  /** Line for each folder that has files which are no images: how many, and which. */
  readonly notes: readonly string[];
}

interface ExpandOptions {
  /** True looks into folders of folders too. */
  readonly recursive: boolean;
  /** Reads the list that `STANDARD_INPUT` stands for. */
  readonly readList?: (() => Promise<string>) | undefined;
}

/**
 * Finds images in the order of the paths, those of a folder or a pattern in the order of their names. An existing file is
 * no pattern, as `photo[1].jpg`, nor is a name in the list on standard input.
 */
export async function expandPaths(paths: readonly string[], options: ExpandOptions): Promise<Expanded> {
  const files: string[] = [];
  const problems: { file: string; error: string }[] = [];
  const notes: string[] = [];
  const none = (file: string, why: string) => problems.push({ file, error: `${file}: ${why}` });
  const addArchive = async (name: string) => {
    const images = await imagesInside(name);
    if (typeof images === "string") problems.push({ file: name, error: images });
    else for (const image of images) files.push(image);
    if (images.length === 0) none(name, "holds no image");
  };
  const add = async (name: string, kind: Named) => {
    if (kind === "archive") return addArchive(name);
    if (kind === "file") {
      files.push(name);
      return;
    }
    const isPattern = kind === "pattern";
    const inside = isPattern ? (await glob(name, PLAIN)).sort() : await pathsIn(name, options.recursive);
    const named = (file: string) => (isPattern ? file : path.relative(name, file));
    const { images, note } = await imagesOf(name, inside, named);
    if (note !== null) notes.push(note);
    for (const image of images) files.push(image);
    if (images.length === 0) none(name, isPattern ? "matches no image" : whyEmpty(options.recursive));
  };
  for (const name of paths) {
    if (name !== STANDARD_INPUT) {
      await add(name, await kindOf(name, true));
      continue;
    }
    if (options.readList === undefined)
      throw new ConfigError("paths: a list was named, but nothing reads it (readList)");
    const list = await options.readList();
    const wrong = encodingProblem(list);
    const listed = wrong === null ? listedPaths(list) : [];
    const kinds = await mapConcurrent(listed, FILES_AT_ONCE, (one) => kindOf(one, false));
    for (const [i, one] of listed.entries()) await add(one, kinds[i] ?? "file");
    if (listed.length === 0) none("-", wrong === null ? "standard input names no image" : `standard input ${wrong}`);
  }
  return { files, problems, notes };
}

function whyEmpty(recursive: boolean): string {
  return recursive ? "holds no image" : "holds no image; --recursive looks into its folders too";
}

/** Paths of a list, one a line, or separated by NUL characters as by `find -print0`. */
function listedPaths(text: string): string[] {
  const plain = text.replace(/^\uFEFF/, "");
  return plain.split(plain.includes("\0") ? "\0" : /\r?\n/).filter((line) => line !== "");
}

/** Images in an archive, in its order; else what is wrong with it. */
async function imagesInside(archive: string): Promise<readonly string[] | string> {
  try {
    const { names } = await openArchive(archive);
    const isParquet = /\.parquet$/i.test(archive); // whose members are images, whatever their names
    return names.filter((name) => isParquet || hasImageName(name)).map((name) => `${archive}${INSIDE}${name}`);
  } catch (error) {
    if (error instanceof DataError) return error.message;
    throw error;
  }
}

type Named = "file" | "folder" | "pattern" | "archive";

/** Kind of a path as it was named; what is not there is a file, which fails in its turn. */
async function kindOf(name: string, mayBePattern: boolean): Promise<Named> {
  const found = await stat(name).catch(() => null);
  if (found === null) return mayBePattern && isDynamicPattern(name) ? "pattern" : "file";
  if (found.isDirectory()) return "folder";
  return /\.(?:tar|parquet)$/i.test(name) ? "archive" : "file";
}

/** Those of the files that are images by their names or bytes, and a note on the others. */
async function imagesOf(place: string, files: readonly string[], named: (file: string) => string) {
  const reasons = await mapConcurrent(files, FILES_AT_ONCE, whyNoImage);
  const left = files.flatMap((file, i) => {
    const why = reasons[i] ?? null;
    return why === null ? [] : [{ name: named(file), why }];
  });
  return { images: files.filter((_, i) => reasons[i] === null), note: leftOutNote(place, files.length, left) };
}

/** Paths of a folder's files in the order of their names; hidden ones are left out, links are followed. */
async function pathsIn(folder: string, recursive: boolean): Promise<string[]> {
  return (await filesIn(folder, recursive)).sort().map((name) => path.join(folder, name));
}

/** Names, from the folder, of all that is no folder in it, dangling links and pipes too; a folder is entered once. */
async function filesIn(folder: string, recursive: boolean): Promise<string[]> {
  const names: string[] = [];
  const entered = new Set<string>();
  const open = [""];
  for (let inner = open.pop(); inner !== undefined; inner = open.pop()) {
    const place = path.join(folder, inner);
    const real = await realpath(place);
    if (entered.has(real)) continue;
    entered.add(real);
    for (const entry of await readdir(place, { withFileTypes: true })) {
      if (entry.name.startsWith(".")) continue;
      const name = path.join(inner, entry.name);
      if (!(await isFolder(place, entry))) names.push(name);
      else if (recursive) open.push(name);
    }
  }
  return names;
}

async function isFolder(place: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const target = await stat(path.join(place, entry.name)).catch(() => null); // a dangling link fails in its turn
  return target?.isDirectory() ?? false;
}

const PLAIN = { onlyFiles: true, expandDirectories: false, followSymbolicLinks: true } as const;
