import { stat } from "node:fs/promises";
import path from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { ConfigError } from "../base/errors.js";

/** Endings of image files in folders and patterns; a file named by itself is always tried. */
const IMAGE_NAME = /\.(jpe?g|png|webp|tiff?|bmp)$/i;

interface Expanded {
  /** Files as they are named, missing ones too: these fail when their turn comes. */
  readonly files: readonly string[];
  /** Paths that name no image, with the reason. */
  readonly problems: readonly { readonly file: string; readonly error: string }[];
}

interface ExpandOptions {
  /** True looks into folders of folders too. */
  readonly recursive: boolean;
  /** Reads the list that `STANDARD_INPUT` stands for. */
  readonly readList?: (() => Promise<string>) | undefined;
}

/** Path that stands for a list of paths, one a line. No argument of a program can hold a NUL character. */
export const STANDARD_INPUT = "\0-";

/**
 * Finds images in the order of the paths, those of a folder or a pattern in the order of their names. An existing file is
 * no pattern, as `photo[1].jpg`, nor is a name in the list on standard input.
 */
export async function expandPaths(paths: readonly string[], options: ExpandOptions): Promise<Expanded> {
  const files: string[] = [];
  const problems: { file: string; error: string }[] = [];
  const none = (file: string, why: string) => problems.push({ file, error: `${file}: ${why}` });
  const addNamed = async (name: string, patterns: boolean) => {
    const found = await stat(name).catch(() => null);
    const isPattern = found === null && patterns && isDynamicPattern(name);
    if (found?.isDirectory() !== true && !isPattern) {
      files.push(name);
      return;
    }
    const images = isPattern ? await matching(name) : await imagesIn(name, options.recursive);
    files.push(...images);
    if (images.length === 0) none(name, isPattern ? "matches no image" : whyEmpty(options.recursive));
  };
  for (const name of paths) {
    if (name !== STANDARD_INPUT) {
      await addNamed(name, true);
      continue;
    }
    if (options.readList === undefined)
      throw new ConfigError("paths: a list was named, but nothing reads it (readList)");
    const listed = listedPaths(await options.readList());
    for (const one of listed) await addNamed(one, false);
    if (listed.length === 0) none("-", "standard input names no image");
  }
  return { files, problems };
}

function whyEmpty(recursive: boolean): string {
  return recursive ? "holds no image" : "holds no image; --recursive looks into its folders too";
}

/** Paths of a list, one a line, or separated by NUL characters as by `find -print0`. */
function listedPaths(text: string): string[] {
  return text.split(text.includes("\0") ? "\0" : /\r?\n/).filter((line) => line !== "");
}

/** Images of a folder; hidden files are left out, links are followed. */
async function imagesIn(folder: string, recursive: boolean): Promise<string[]> {
  const found = await glob(recursive ? "**" : "*", { cwd: folder, ...PLAIN });
  return sortedImages(found).map((name) => path.join(folder, name));
}

async function matching(pattern: string): Promise<string[]> {
  return sortedImages(await glob(pattern, PLAIN));
}

const PLAIN = { onlyFiles: true, expandDirectories: false, followSymbolicLinks: true } as const;

function sortedImages(names: readonly string[]): string[] {
  return names.filter((name) => IMAGE_NAME.test(name)).sort();
}
