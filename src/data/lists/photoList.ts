import { stat } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { plural, problemsError } from "../../base/text.js";
import { hasImageName } from "../images/imageFiles.js";
import type { ListedImage } from "../sample.js";
import { normalizePath, pathProblem } from "./entries.js";
import { withFoundNames } from "./foundNames.js";
import { filesBelow } from "./formats/findLists.js";
import { readLines } from "./lines.js";
import { headerOf, readCommaRows } from "./rows.js";

/** Folders below a folder of photographs that are looked into. */
const DEEPEST = 8;

/** Column of a list of photographs in CSV. */
const IMAGE_COLUMN = "image";

type Line = { readonly line: number; readonly image: string };

/**
 * Reads the names of photographs without scores: the image files of a folder, by their endings and sorted by name, or a
 * list, CSV with a column `image` or text of one path a line.
 * @param place   folder or list
 * @param folder  absolute folder that listed paths begin in
 * @throws {DataError} where there is none, or listing every wrong line at once
 */
export async function readPhotos(
  place: string,
  { database, folder }: { readonly database: string; readonly folder: string },
): Promise<ListedImage[]> {
  const found = await stat(place).catch(() => null);
  if (found === null) throw new DataError(`data.databases: ${database}: photos: there is no ${place}; check the path`);
  const lines = found.isDirectory() ? await linesOfFolder(place) : await linesOfList(place);
  if (lines.length === 0) throw new DataError(`${place}: holds no photograph; name a folder or a list of them`);
  const first = new Map<string, number>();
  const problems: string[] = [];
  for (const { line, image } of lines) {
    const twice = first.get(normalizePath(image));
    const wrong = pathProblem(image) ?? (twice === undefined ? null : `${image} stands in line ${twice} already`);
    if (wrong !== null) problems.push(`${place}:${line}: ${wrong}`);
    first.set(normalizePath(image), line);
  }
  if (problems.length > 0) throw problemsError(`${place}: ${plural(problems.length, "problem")}`, problems);
  return withFoundNames(
    lines.map(({ line, image }): ListedImage => {
      const file = `${folder}${path.sep}${normalizePath(image)}`;
      return { database, image, file, folder, distortion: null, scenes: [], list: place, line };
    }),
  );
}

async function linesOfFolder(folder: string): Promise<Line[]> {
  const files = (await filesBelow(folder, DEEPEST)).filter(hasImageName);
  const names = files.map((file) => path.relative(folder, file).split(path.sep).join("/")).sort();
  return names.map((image, i) => ({ line: i + 1, image }));
}

async function linesOfList(file: string): Promise<Line[]> {
  const lines: Line[] = [];
  const column = (await headerOf(file)).indexOf(IMAGE_COLUMN);
  if (column < 0) {
    await readLines(file, (text, line) => {
      const image = text.trim();
      if (image !== "") lines.push({ line, image });
    });
    return lines;
  }
  let isHeader = true;
  await readCommaRows(file, ({ line, cells }) => {
    if (!isHeader) lines.push({ line, image: cells[column] ?? "" });
    isHeader = false;
  });
  return lines;
}
