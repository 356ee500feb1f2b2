import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import { SCENES } from "../../model/prompts/labels.js";
import { NOT_KNOWN, publishedLine, SCENES_PER_LINE } from "../lists/columns.js";
import { splitContents } from "../lists/randomSplit.js";
import { SUBSETS } from "../sample.js";
import type { DistortedImage } from "./distortPhotograph.js";
import type { Photograph } from "./photographs.js";

/** The scenes of each content; one that is missing here has none. */
export type ScenesByContent = ReadonlyMap<string, readonly string[]>;

/**
 * Scene labels of photographs from a tab-separated list: path, scene1, scene2, scene3.
 *
 * Paths are names in the photographs' folder, with or without `images/` before them. Lines about photographs that are
 * not among `photographs` are left out: a list may describe a larger collection.
 *
 * @throws {DataError} naming every line with another number of columns, an unknown scene or a photograph seen before
 */
export async function readScenes(file: string, photographs: readonly Photograph[]): Promise<ScenesByContent> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new DataError(`--scenes: ${file} cannot be read (${String(error)}); name a tab-separated list`);
  });
  const contents = new Map(photographs.map(({ name, content }) => [name, content]));
  const scenes = new Map<string, readonly string[]>();
  const seen = new Set<string>();
  const problems: string[] = [];
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    if (line === "") continue;
    const [listed = "", ...labels] = line.split("\t");
    const name = listed.replace(/^(\.\/)?(images\/)?/, "");
    const problem = seen.has(name) ? `${listed} stands on an earlier line, too` : problemOfLabels(labels);
    if (problem !== undefined) problems.push(`${file}:${index + 1}: ${problem}`);
    seen.add(name);
    const content = contents.get(name);
    if (content !== undefined) scenes.set(content, [...new Set(labels.filter((label) => label !== NOT_KNOWN))]);
  }
  if (problems.length > 0) throw new DataError(problems.join("\n"));
  return scenes;
}

function problemOfLabels(labels: readonly string[]): string | undefined {
  if (labels.length !== SCENES_PER_LINE) {
    return `a line has a path and ${SCENES_PER_LINE} scenes, got ${labels.length + 1} columns; is the file tab-separated?`;
  }
  const known: readonly string[] = [...SCENES, NOT_KNOWN];
  const unknown = labels.filter((label) => !known.includes(label));
  if (unknown.length === 0) return undefined;
  return `unknown scene ${unknown.map((label) => `"${label}"`).join(", ")}; the scenes are ${known.join(", ")}`;
}

interface Lists {
  /** The database's folder, which may still bear another name than the database's. */
  readonly folder: string;
  /** What the lists' file names begin with. */
  readonly name: string;
  readonly images: readonly DistortedImage[];
  readonly scenes: ScenesByContent;
  readonly seed: number;
  readonly splits: number;
}

/** Writes `splits2/<n>/<name>_{train,val,test}_clip.txt` for each split and `splits2/<name>_all_clip.txt`. */
export async function writeLists({ folder, name, images, scenes, seed, splits }: Lists): Promise<void> {
  const root = path.join(folder, "splits2");
  const write = async (file: string, listed: readonly DistortedImage[]) => {
    await writeFile(file, listed.map((image) => listLine(image, scenes)).join(""));
  };
  const contents = [...new Set(images.map(({ content }) => content))];
  for (let split = 1; split <= splits; split++) {
    const parts = splitContents(contents, seed, split);
    const into = path.join(root, String(split));
    await mkdir(into, { recursive: true });
    for (const subset of SUBSETS) {
      const listed = images.filter(({ content }) => parts[subset].includes(content));
      await write(path.join(into, `${name}_${subset}_clip.txt`), listed);
    }
  }
  await write(path.join(root, `${name}_all_clip.txt`), images);
}

function listLine({ image, mos, type, content }: DistortedImage, scenes: ScenesByContent): string {
  return publishedLine({ image, mos: mos.toFixed(4), distortion: type, scenes: scenes.get(content) ?? [] });
}
