import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { FILES_AT_ONCE, mapConcurrent } from "../../base/concurrency.js";
import { ConfigError, DataError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import { problemLines } from "../../base/text.js";
import type { Reporter } from "../../base/types.js";
import { SCENES } from "../../model/prompts/labels.js";
import { DamageLog } from "../images/damage.js";
import { leftOutNote, placeProblem, whyNoImage } from "../images/imageFiles.js";
import { decodeImage, DEFAULT_IMAGE_OPTIONS, type ImageOptions, readImageFile } from "../images/loadImage.js";
import { NOT_KNOWN, pathProblem } from "../lists/entries.js";
import { SCENES_PER_LINE } from "../lists/entries.js";
import { SUBSETS } from "../sample.js";

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
  /** Larger photographs are refused; 64 by default. */
  readonly maxMegapixels?: number | undefined;
}

/**
 * Chooses photographs of a folder, sorted by name, and decodes each before hours are spent.
 * @returns the photographs, and the SHA-256 of their names and bytes, 64 hexadecimal digits
 * @throws {ConfigError} where there are fewer photographs than asked for
 * @throws {DataError} on fewer than three photographs, on names that a list cannot hold, and on unusable photographs
 */
export async function openPhotographs(
  options: PhotographOptions,
  reporter: Pick<Reporter, "note" | "progress">,
): Promise<{ readonly photographs: readonly Photograph[]; readonly sha256: string }> {
  const photographs = choosePhotographs(await findPhotographs(options.photos, reporter.note), options);
  return { photographs, sha256: await inspectPhotographs(photographs, options, reporter) };
}

/** Photographs that lie directly in a folder, by their names or bytes; hidden files are left out, others are noted. */
async function findPhotographs(folder: string, note: (line: string) => void): Promise<Photograph[]> {
  const entries = await readdir(folder, { encoding: "buffer" }).catch((error: unknown) => {
    throw new DataError(`--photos: ${folder} cannot be read (${String(error)}); name a folder of photographs`);
  });
  const names = entries.map(textOfName).filter(({ name }) => !name.startsWith("."));
  const misnamed = names.filter(({ isWhole }) => !isWhole).map(({ name }) => name);
  if (misnamed.length > 0) throw misnamedFiles(folder, misnamed);
  const sorted = names.map(({ name }) => name).sort();
  const reasons = await mapConcurrent(sorted, FILES_AT_ONCE, (name) => whyNoImage(path.join(folder, name)));
  const left = sorted.flatMap((name, i) => (reasons[i] == null ? [] : [{ name, why: reasons[i] }]));
  const omission = leftOutNote(folder, sorted.length, left);
  if (omission !== null) note(omission);
  const photographs = sorted
    .filter((_, i) => reasons[i] === null)
    .map((name) => ({ content: path.parse(name).name, file: path.join(folder, name), name }));
  if (photographs.length === 0) throw new DataError(`--photos: ${folder} holds no photograph; put image files in it`);
  checkNames(folder, photographs);
  return photographs;
}

/** Name of a folder's entry, which may be any bytes: `isWhole` where they are UTF-8. */
function textOfName(bytes: Buffer): { readonly name: string; readonly isWhole: boolean } {
  const name = bytes.toString("utf8");
  return { name, isWhole: Buffer.from(name, "utf8").equals(bytes) };
}

function misnamedFiles(folder: string, names: readonly string[]): DataError {
  const what = "names that are not UTF-8, which a list cannot hold; rename them (convmv does so for whole folders)";
  return new DataError(problemLines(`--photos: ${folder}: ${what}`, names));
}

function checkNames(folder: string, photographs: readonly Photograph[]): void {
  const named = new Map<string, string>();
  const problems = photographs.flatMap(({ content, name }) => {
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for: a list's own marks
    if (/[\u0000-\u001f\u007f]/.test(name)) return [`${JSON.stringify(name)} has a control character in its name`];
    const unlisted = pathProblem(`images/${content}/`);
    if (unlisted !== null) return [unlisted];
    const twin = named.get(content.toLowerCase());
    named.set(content.toLowerCase(), twin ?? name);
    return twin === undefined ? [] : [`${twin} and ${name} would be one content; rename one of them`];
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

async function inspectPhotographs(
  photographs: readonly Photograph[],
  options: PhotographOptions,
  { note, progress }: Pick<Reporter, "note" | "progress">,
): Promise<string> {
  const damage = new DamageLog(note, "get the file again if you can");
  const images = { ...photographImages(options.maxMegapixels), onDamaged: damage.onDamaged };
  let done = 0;
  const looked = await mapConcurrent(photographs, PHOTOGRAPHS_AT_ONCE, async ({ file, name }) => {
    const found = await inspectPhotograph(file, images);
    progress({ label: "checking photographs", done: ++done, total: photographs.length, unit: "images" });
    return { ...found, name };
  });
  damage.close();
  const problems = looked.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) {
    const what = `${problems.length} of ${photographs.length} photographs do not serve; replace them or take them out`;
    throw new DataError(`--photos: ${what}:\n  ${problems.join("\n  ")}`);
  }
  const hash = createHash("sha256");
  for (const { name, sha256 } of looked) hash.update(`${name}\n${sha256}\n`);
  return hash.digest("hex");
}

/** Photographs in memory at once. */
const PHOTOGRAPHS_AT_ONCE = 2;

/** Options by which photographs are read: upright, as they were seen when they were taken. */
export function photographImages(maxMegapixels = DEFAULT_IMAGE_OPTIONS.maxMegapixels): ImageOptions {
  return { ...DEFAULT_IMAGE_OPTIONS, maxMegapixels, orientation: "apply" };
}

/** Checksum of a photograph's bytes, and what keeps it from serving. */
async function inspectPhotograph(file: string, images: ImageOptions) {
  try {
    const place = await placeProblem(file);
    if (place !== null) return { sha256: "", problem: `${file}: ${place}` };
    const bytes = await readImageFile(file);
    const { rows, cols } = await decodeImage({ name: file, bytes }, images);
    const size = `${cols} x ${rows} pixels, the shorter side must be at least ${SHORTEST_SIDE}`;
    const problem = Math.min(rows, cols) < SHORTEST_SIDE ? `${file}: ${size}` : null;
    return { sha256: createHash("sha256").update(bytes).digest("hex"), problem };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { sha256: "", problem: error.message };
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
