import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { ConfigError, DataError } from "../../base/errors.js";
import { createFolderAtomically } from "../../base/folders.js";
import { seededRandom } from "../../base/random.js";
import type { ReportProgress } from "../../base/types.js";
import { DISTORTIONS } from "../../model/prompts/labels.js";
import { type Level, LEVELS } from "../distortions/types.js";
import { SUBSETS } from "../sample.js";
import { distortAll } from "./distortAll.js";
import type { DistortedImage } from "./distortPhotograph.js";
import { allCombinations, classOf, type Combination, pickCombinations, spreadLevels } from "./distortPhotograph.js";
import { findPhotographs, inspectPhotographs, type Photograph } from "./photographs.js";
import { PROXY_MOS_RECIPE } from "./proxyMos.js";
import { stateOf, type SynthesisSettings, writeRecord } from "./record.js";
import { readScenes, type ScenesByContent, writeLists } from "./scenes.js";

/** Raised whenever equal settings give other pictures or other proxy MOS than before. */
const RECIPE = 1;

/** As many as the published databases have. */
export const DEFAULT_SPLITS = 10;

export interface SynthesisOptions {
  /** The folder of undistorted photographs. */
  readonly photos: string;
  /** Scene labels: path, scene1, scene2, scene3, tab-separated. Without it no image has a scene. */
  readonly scenes?: string | undefined;
  /** The database's folder; its own name is the database's. */
  readonly out: string;
  readonly seed: number;
  /** How many photographs, drawn by the seed; all by default. */
  readonly contents?: number | undefined;
  /** How many levels of each type, 1 to 5, spread evenly; 5 by default. */
  readonly levels?: number | undefined;
  readonly splits?: number | undefined;
  /** How many images of each photograph, even over the classes of distortion; all by default. */
  readonly perContent?: number | undefined;
  /** The package's version, to be noted in `synthesis.json`. */
  readonly version: string;
  /** Threads, one a core by default; the database does not depend on it. */
  readonly workers?: number | undefined;
  /** Aborted: the work ends, and nothing is left of it. */
  readonly signal?: AbortSignal | undefined;
}

export interface SynthesisResult {
  /** "complete" where the same database lay there already. */
  readonly status: "made" | "complete";
  readonly folder: string;
  readonly photographs: number;
  /** Photographs without a scene label. */
  readonly unlabelled: number;
  readonly images: number;
}

/**
 * Makes a database of distorted photographs with proxy scores, laid out like the published ones.
 *
 * The images depend on the seed and the photographs alone. All is checked before the first picture is made; what was
 * begun and not finished is removed, and an existing folder is never written into.
 *
 * @throws {ConfigError} on settings out of range, or where `out` holds anything but the very same database
 * @throws {DataError} on photographs or scene labels that do not serve, all of them named
 */
export async function synthesizeDatabase(options: SynthesisOptions, report: ReportProgress): Promise<SynthesisResult> {
  const photographs = choosePhotographs(await findPhotographs(options.photos), options);
  const photographsSha256 = await inspectPhotographs(photographs);
  const scenes: ScenesByContent =
    options.scenes === undefined ? new Map() : await readScenes(options.scenes, photographs);
  const all = allCombinations(spreadLevels(options.levels ?? LEVELS.length));
  const picked = pickedCombinations(photographs, all, options);
  const settings: SynthesisSettings = {
    recipe: RECIPE,
    seed: options.seed,
    photographs: photographs.length,
    photographsSha256,
    scenesSha256: options.scenes === undefined ? null : await sha256(options.scenes),
    levels: levelsOf(all),
    perContent: options.perContent ?? all.length,
    splits: options.splits ?? DEFAULT_SPLITS,
  };
  const folder = path.resolve(options.out);
  const unlabelled = photographs.filter(({ content }) => (scenes.get(content) ?? []).length === 0).length;
  const total = photographs.length * settings.perContent;
  const result = { folder, photographs: photographs.length, unlabelled, images: total };
  if ((await stateOf(folder, settings)) === "complete") return { status: "complete", ...result };

  await createFolderAtomically(folder, async (partial) => {
    let done = 0;
    const onImage = () => {
      report({ label: "distorting", done: ++done, total, unit: "images" });
    };
    const jobs = photographs.map(({ content, file }) => ({
      seed: options.seed,
      content,
      file,
      combinations: picked.get(content) ?? [],
      folder: partial,
    }));
    const images = await distortAll(jobs, { workers: options.workers ?? "auto", onImage, signal: options.signal });
    const { seed, splits } = settings;
    await writeLists({ folder: partial, name: path.basename(folder), images, scenes, seed, splits });
    const countsPerClass = countClasses(images);
    const { version } = options;
    await writeRecord(partial, {
      version,
      settings,
      images: images.length,
      countsPerClass,
      proxyMos: PROXY_MOS_RECIPE,
    });
  });
  return { status: "made", ...result };
}

function choosePhotographs(found: readonly Photograph[], { contents, seed, photos }: SynthesisOptions): Photograph[] {
  if (contents !== undefined && contents > found.length) {
    throw new ConfigError(
      `--contents: ${contents} photographs asked for, ${photos} holds ${found.length}; ask for fewer`,
    );
  }
  const count = contents ?? found.length;
  if (count < SUBSETS.length) {
    throw new DataError(
      `--photos: ${count} photograph(s) cannot be split by content into ${SUBSETS.join(", ")}; ` +
        `at least ${SUBSETS.length} are needed`,
    );
  }
  const chosen = new Set(seededRandom(seed, "contents").shuffle(found).slice(0, count));
  return found.filter((photograph) => chosen.has(photograph));
}

function pickedCombinations(
  photographs: readonly Photograph[],
  all: readonly Combination[],
  { seed, perContent }: SynthesisOptions,
): ReadonlyMap<string, readonly Combination[]> {
  const pick = (content: string) =>
    perContent === undefined ? all : pickCombinations(all, perContent, seededRandom(seed, "combinations", content));
  return new Map(photographs.map(({ content }) => [content, pick(content)]));
}

function levelsOf(combinations: readonly Combination[]): Level[] {
  return LEVELS.filter((level) => combinations.some((combination) => combination.level === level));
}

function countClasses(images: readonly DistortedImage[]): Record<string, number> {
  const classes = images.map(({ type }) => classOf(type));
  return Object.fromEntries(DISTORTIONS.map((name) => [name, classes.filter((other) => other === name).length]));
}

async function sha256(file: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
}
