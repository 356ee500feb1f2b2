import path from "node:path";
import { groupBy } from "../../../base/collections.js";
import { hasMember, splitMember } from "../../archives/archive.js";
import { normalizePath, pathProblem } from "../entries.js";
import { createNameFinder } from "../foundNames.js";
import { filesBelow } from "./findLists.js";

/** Folders below the images' own that are looked into. */
const DEEPEST = 8;

/**
 * Places of listed images in a folder: the written path where something is there, else the only file of that name below
 * the folder, or the one that has most of the path's folders.
 */
export function createPlaceFinder(folder: string) {
  const find = createNameFinder(folder);
  let byName: Map<string, string[]> | null = null;
  return async (written: string): Promise<{ readonly image: string; readonly isThere: boolean }> => {
    const image = written.trim().replaceAll("\\", "/");
    const isInside = pathProblem(image) === null;
    if (splitMember(image) !== null) return { image, isThere: isInside && (await hasMember(path.join(folder, image))) };
    if (isInside && (await find(image)).kind !== "none") return { image, isThere: true };
    byName ??= groupBy(await relativeFiles(folder), (file) => path.posix.basename(file).toLowerCase());
    const named = byName.get(path.posix.basename(image).toLowerCase()) ?? [];
    const best = bestOf(image, named);
    return best === null ? { image, isThere: false } : { image: best, isThere: true };
  };
}

async function relativeFiles(folder: string): Promise<string[]> {
  const files = await filesBelow(folder, DEEPEST);
  return files.map((file) => path.relative(folder, file).split(path.sep).join("/"));
}

/** The file that shares most of the last folders with a path; null where two share as many. */
function bestOf(image: string, files: readonly string[]): string | null {
  const shared = files.map((file) => sharedEnd(normalizePath(image).split("/"), file.split("/")));
  const most = shared.reduce((a, b) => Math.max(a, b), 0);
  const best = files.filter((_, i) => shared[i] === most);
  return best.length === 1 ? (best[0] ?? null) : null;
}

function sharedEnd(a: readonly string[], b: readonly string[]): number {
  let n = 0;
  while (n < Math.min(a.length, b.length) && a.at(-1 - n)?.toLowerCase() === b.at(-1 - n)?.toLowerCase()) n++;
  return n;
}
