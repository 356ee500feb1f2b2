import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { FILES_AT_ONCE, mapConcurrent } from "../base/concurrency.js";
import { ConfigError, DataError } from "../base/errors.js";
import { encodingProblem, plural, STANDARD_INPUT } from "../base/text.js";
import { describeBytes, readStart, sniffFormat } from "../data/images/loadImage.js";

/** Endings of image files, which are tried whatever they hold; others of a folder are tried where their bytes are an image's. */
const IMAGE_NAME = /\.(jpe?g|png|webp|tiff?|bmp)$/i;

interface Expanded {
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
  const addNamed = async (name: string, patterns: boolean) => {
    const found = await stat(name).catch(() => null);
    const isPattern = found === null && patterns && isDynamicPattern(name);
    if (found?.isDirectory() !== true && !isPattern) {
      files.push(name);
      return;
    }
    const images = isPattern ? await matching(name) : await imagesIn(name, options.recursive, notes);
    for (const image of images) files.push(image);
    if (images.length === 0) none(name, isPattern ? "matches no image" : whyEmpty(options.recursive));
  };
  for (const name of paths) {
    if (name !== STANDARD_INPUT) {
      await addNamed(name, true);
      continue;
    }
    if (options.readList === undefined)
      throw new ConfigError("paths: a list was named, but nothing reads it (readList)");
    const list = await options.readList();
    const wrong = encodingProblem(list);
    const listed = wrong === null ? listedPaths(list) : [];
    for (const one of listed) await addNamed(one, false);
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

/** Images of a folder by their names or bytes; hidden files are left out, links are followed, other files are noted. */
async function imagesIn(folder: string, recursive: boolean, notes: string[]): Promise<string[]> {
  const names = (await filesIn(folder, recursive)).sort();
  const reasons = await mapConcurrent(names, FILES_AT_ONCE, (name) => whyNoImage(path.join(folder, name)));
  const left = names.flatMap((name, i) => (reasons[i] == null ? [] : [`${name} (${reasons[i]})`]));
  if (left.length > 0) {
    const more = left.length > NAMED_FILES ? `, and ${left.length - NAMED_FILES} more` : "";
    const named = left.slice(0, NAMED_FILES).join(", ");
    notes.push(`${folder}: left out ${left.length} of ${plural(names.length, "file")}, no images: ${named}${more}`);
  }
  return names.filter((_, i) => reasons[i] == null).map((name) => path.join(folder, name));
}

/** Files of a folder that a note names; the others are counted. */
const NAMED_FILES = 5;

/** Reason why a file of a folder is not tried; null for images, and for what cannot be read, which fails in its turn. */
async function whyNoImage(file: string): Promise<string | null> {
  if (IMAGE_NAME.test(file)) return null;
  try {
    const found = await stat(file);
    if (!found.isFile()) return "it is no regular file"; // opening a pipe would wait for its writer
    const start = await readStart(file);
    return sniffFormat(start) === null ? describeBytes(start) : null;
  } catch (error) {
    if (error instanceof DataError || error instanceof Error) return null;
    throw error;
  }
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

async function matching(pattern: string): Promise<string[]> {
  return sortedImages(await glob(pattern, PLAIN));
}

const PLAIN = { onlyFiles: true, expandDirectories: false, followSymbolicLinks: true } as const;

function sortedImages(names: readonly string[]): string[] {
  return names.filter((name) => IMAGE_NAME.test(name)).sort();
}
