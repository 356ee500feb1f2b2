import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { ConfigError, DataError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import { SCENES } from "../../model/prompts/labels.js";
import { NOT_KNOWN } from "../lists/entries.js";
import { SCENES_PER_LINE } from "../lists/readList.js";
import { SUBSETS } from "../sample.js";

const EXTENSIONS: readonly string[] = [".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"];

/** Shortest side that a model's window of 224 x 224 fits into. */
const SHORTEST_SIDE = 224;

interface Photograph {
  /** Name without the extension: the content that splits are made by. */
  readonly content: string;
  readonly file: string;
  /** Name in the folder, as scene lists have it. */
  readonly name: string;
}

export interface PhotographOptions {
  /** Folder that the undistorted photographs lie directly in: three at least, 224 pixels a side or more. */
  readonly photos: string;
  /** Number of photographs, drawn by the seed; all by default. */
  readonly contents?: number | undefined;
  readonly seed: number;
}

/**
 * Chooses photographs of a folder, sorted by name, and looks at each before hours are spent.
 * @returns the photographs, and the SHA-256 of their names and bytes, 64 hexadecimal digits
 * @throws {ConfigError} where there are fewer photographs than asked for
 * @throws {DataError} on fewer than three photographs, on names that a list cannot hold, and on unusable photographs
 */
export async function openPhotographs(
  options: PhotographOptions,
): Promise<{ readonly photographs: readonly Photograph[]; readonly sha256: string }> {
  const photographs = choosePhotographs(await findPhotographs(options.photos), options);
  return { photographs, sha256: await inspectPhotographs(photographs) };
}

async function findPhotographs(folder: string): Promise<Photograph[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new DataError(`--photos: ${folder} cannot be read (${String(error)}); name a folder of photographs`);
  });
  const photographs = names
    .filter((name) => EXTENSIONS.includes(path.extname(name).toLowerCase()))
    .sort()
    .map((name) => ({ content: path.parse(name).name, file: path.join(folder, name), name }));
  if (photographs.length === 0) {
    const hint = `put files in it that end in ${EXTENSIONS.join(", ")}`;
    throw new DataError(`--photos: ${folder} holds no photograph; ${hint}`);
  }
  checkNames(folder, photographs);
  return photographs;
}

function checkNames(folder: string, photographs: readonly Photograph[]): void {
  const problems = photographs.flatMap(({ content, name }, i) => {
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for: a list's own marks
    if (/[\u0000-\u001f\u007f]/.test(name)) return [`${JSON.stringify(name)} has a control character in its name`];
    const twin = photographs.slice(0, i).find((other) => other.content.toLowerCase() === content.toLowerCase());
    return twin === undefined ? [] : [`${twin.name} and ${name} would be one content; rename one of them`];
  });
  if (problems.length > 0) throw new DataError(`--photos: ${folder}:\n  ${problems.join("\n  ")}`);
}

function choosePhotographs(found: readonly Photograph[], { contents, seed, photos }: PhotographOptions): Photograph[] {
  if (contents !== undefined && contents > found.length) {
    const what = `${contents} photographs asked for, ${photos} holds ${found.length}`;
    throw new ConfigError(`--contents: ${what}; ask for fewer`);
  }
  const count = contents ?? found.length;
  if (count < SUBSETS.length) {
    const what = `${count} photograph(s) cannot be split by content into ${SUBSETS.join(", ")}`;
    throw new DataError(`--photos: ${what}; at least ${SUBSETS.length} are needed`);
  }
  const chosen = new Set(seededRandom(seed, "contents").shuffle(found).slice(0, count));
  return found.filter((photograph) => chosen.has(photograph));
}

async function inspectPhotographs(photographs: readonly Photograph[]): Promise<string> {
  const hash = createHash("sha256");
  const problems: string[] = [];
  for (const { file, name } of photographs) {
    const bytes = await readFile(file);
    hash.update(`${name}\n${bytes.length}\n`).update(bytes);
    const problem = await problemOf(bytes);
    if (problem !== undefined) problems.push(`${name}: ${problem}`);
  }
  if (problems.length > 0) {
    const what = `${problems.length} of ${photographs.length} photographs do not serve; replace them or take them out`;
    throw new DataError(`--photos: ${what}:\n  ${problems.join("\n  ")}`);
  }
  return hash.digest("hex");
}

async function problemOf(bytes: Buffer): Promise<string | undefined> {
  try {
    const { width, height } = await sharp(bytes).metadata();
    if (Math.min(width, height) >= SHORTEST_SIDE) return undefined;
    return `${width} x ${height} pixels, the shorter side must be at least ${SHORTEST_SIDE}`;
  } catch (error) {
    return `not an image that can be read (${error instanceof Error ? error.message : String(error)})`;
  }
}

/**
 * Reads scene labels by content from a tab-separated list: path, scene1, scene2, scene3. Paths are names in the
 * photographs' folder, with or without `images/` before them; lines about other photographs are left out.
 * @throws {DataError} naming every line with another number of columns, an unknown scene or a photograph seen before
 */
export async function readScenes(
  file: string,
  photographs: readonly Photograph[],
): Promise<ReadonlyMap<string, readonly string[]>> {
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
