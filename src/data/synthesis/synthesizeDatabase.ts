import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { ConfigError } from "../../base/errors.js";
import { isCode, sha256OfFile } from "../../base/files.js";
import { createFolderAtomically } from "../../base/folders.js";
import { jsonOf } from "../../base/text.js";
import type { Reporter } from "../../base/types.js";
import { DISTORTIONS } from "../../model/prompts/labels.js";
import { drawSplits } from "../lists/randomSplit.js";
import { writeLists } from "../lists/writeLists.js";
import {
  classOf,
  type CombinationOptions,
  combinationsOf,
  type DistortedImage,
  PROXY_MOS_RECIPE,
} from "./distortPhotograph.js";
import { distortAll } from "./distortAll.js";
import { openPhotographs, type PhotographOptions, readScenes } from "./photographs.js";

/** Raised whenever equal settings give other pictures or other proxy MOS than before. */
const RECIPE = 2;

/** Splits by default, as many as the published databases have. */
const DEFAULT_SPLITS = 10;

/** Photographs, distortions and folder of a database to make. */
export interface SynthesisOptions extends PhotographOptions, CombinationOptions {
  /** File of scene labels: path, scene1, scene2, scene3, tab-separated. Without it no image has a scene. */
  readonly scenes?: string | undefined;
  /** Folder of the database; its own name is the database's. */
  readonly out: string;
  /** Number of splits by content; 10 by default. */
  readonly splits?: number | undefined;
  readonly version: string;
  /** Threads, one a core by default; the database does not depend on it. */
  readonly workers?: number | undefined;
  /** Aborted: unfinished work is removed. */
  readonly signal?: AbortSignal | undefined;
}

/** Database that was made, or was there already. */
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
 * Makes a database of distorted photographs with proxy scores, laid out like the published ones. The images depend on
 * the seed and the photographs alone. All is checked before the first picture is made, and unfinished work is removed.
 * @throws {ConfigError} on settings out of range, or where `out` holds anything but the very same database
 * @throws {DataError} on photographs or scene labels that do not serve, all of them named
 */
export async function synthesizeDatabase(
  options: SynthesisOptions,
  reporter: Pick<Reporter, "note" | "progress">,
): Promise<SynthesisResult> {
  const { seed, splits = DEFAULT_SPLITS, scenes: sceneList } = options;
  const { photographs, sha256: photographsSha256 } = await openPhotographs(options, reporter);
  const contents = photographs.map(({ content }) => content);
  const scenes = sceneList === undefined ? new Map<string, string[]>() : await readScenes(sceneList, photographs);
  const { levels, perContent, byContent } = combinationsOf(contents, options);
  const settings: SynthesisSettings = {
    recipe: RECIPE,
    seed,
    photographs: photographs.length,
    photographsSha256,
    scenesSha256: sceneList === undefined ? null : await sha256OfFile(sceneList),
    levels,
    perContent,
    splits,
  };
  const folder = path.resolve(options.out);
  const unlabeled = contents.filter((content) => (scenes.get(content) ?? []).length === 0).length;
  const total = photographs.length * perContent;
  const result = { folder, photographs: photographs.length, unlabelled: unlabeled, images: total };
  if ((await stateOf(folder, settings)) === "complete") return { status: "complete", ...result };

  await createFolderAtomically(folder, async (partial) => {
    let done = 0;
    const onImage = () => {
      reporter.progress({ label: "distorting", done: ++done, total, unit: "images" });
    };
    const jobs = photographs.map(({ content, file }) => {
      const combinations = byContent.get(content) ?? [];
      return { seed, content, file, maxMegapixels: options.maxMegapixels, combinations, folder: partial };
    });
    const images = await distortAll(jobs, { workers: options.workers ?? "auto", onImage, signal: options.signal });
    const listed = images.map(({ content, image, type, mos }) => {
      return { image, mos: mos.toFixed(4), distortion: type, scenes: scenes.get(content) ?? [], part: content };
    });
    const lists = { folder: path.join(partial, "splits2"), name: path.basename(folder) };
    await writeLists(listed, { ...lists, splits: drawSplits(contents, seed, splits) });
    await writeRecord(partial, images, { version: options.version, settings });
  });
  return { status: "made", ...result };
}

const RECORD = "synthesis.json";

/** Everything that a synthesized database depends on; equal settings give equal databases. */
const SynthesisSettings = z.strictObject({
  recipe: z.int().describe("raised whenever equal settings would give other pictures than before"),
  seed: z.int(),
  photographs: z.int().positive(),
  photographsSha256: z.string(),
  scenesSha256: z.string().nullable(),
  levels: z.array(z.int()),
  perContent: z.int().positive(),
  splits: z.int().positive(),
});
type SynthesisSettings = Readonly<z.output<typeof SynthesisSettings>>;

/** `synthesis.json`, which is written last: a database that has it is whole. */
const SynthesisRecord = z.looseObject({ version: z.string(), settings: SynthesisSettings });

async function writeRecord(
  folder: string,
  images: readonly DistortedImage[],
  { version, settings }: z.input<typeof SynthesisRecord>,
): Promise<void> {
  const classes = images.map(({ type }) => classOf(type));
  const counts = DISTORTIONS.map((name) => [name, classes.filter((other) => other === name).length] as const);
  const record = {
    seed: settings.seed,
    version,
    images: images.length,
    countsPerClass: Object.fromEntries(counts),
    proxyMos: PROXY_MOS_RECIPE,
    settings,
  };
  await writeFile(path.join(folder, RECORD), `${JSON.stringify(record, null, 2)}\n`);
}

/** State of `folder`: "complete" where the very same database is. @throws {ConfigError} where anything else is */
async function stateOf(folder: string, settings: SynthesisSettings): Promise<"free" | "complete"> {
  const entries = await readdir(folder).catch((error: unknown): string[] => {
    if (isCode(error, "ENOENT")) return [];
    throw new ConfigError(`--out: ${folder} is not a folder (${String(error)}); choose another one`);
  });
  if (entries.length === 0) return "free";
  const otherwise = "choose another folder with --out, or remove this one";
  if (!entries.includes(RECORD)) {
    throw new ConfigError(`--out: ${folder} holds something else than a synthesized database; ${otherwise}`);
  }
  const text = await readFile(path.join(folder, RECORD), "utf8");
  const record = SynthesisRecord.safeParse(jsonOf(text));
  if (!record.success) throw new ConfigError(`--out: ${folder}/${RECORD} cannot be read; ${otherwise}`);
  const theirs = record.data.settings;
  const keys = Object.keys(SynthesisSettings.shape) as (keyof SynthesisSettings)[]; // keys of the schema
  const different = keys.filter((key) => !isDeepStrictEqual(theirs[key], settings[key]));
  if (different.length === 0) return "complete";
  const changes = different.map((key) => describeChange(key, theirs[key], settings[key]));
  const what = `holds a database of other settings, left as it is (${changes.join("; ")})`;
  throw new ConfigError(`--out: ${folder} ${what}; ${otherwise}`);
}

function describeChange(key: string, before: unknown, now: unknown): string {
  if (key.endsWith("Sha256")) return `other ${key.slice(0, -"Sha256".length)}`; // "other photographs", "other scenes"
  return `${key} ${JSON.stringify(before)}, now ${JSON.stringify(now)}`;
}
