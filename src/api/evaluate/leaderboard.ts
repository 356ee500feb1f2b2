import path from "node:path";
import { ConfigError, DataError } from "../../base/errors.js";
import { writeFileAtomic } from "../../base/files.js";
import { makeFolders, requireFolderPlace } from "../../base/folders.js";
import type { Reporter } from "../../base/types.js";
import { openDatabases } from "../../data/openDatabases.js";
import { EvaluateConfig } from "../../evaluate/config.js";
import { keyOf } from "../../evaluate/evaluate.js";
import { buildLeaderboard, type Leaderboard } from "../../evaluate/results/leaderboard.js";
import { BOOTSTRAP_SEED } from "../../evaluate/statistics/bootstrap.js";
import { compareRuns, type Comparison, type TrainingSizes } from "../../evaluate/statistics/compareRuns.js";
import { databaseTitle } from "../../evaluate/tables/benchmarkTable.js";
import { formatLeaderboard } from "../../evaluate/tables/leaderboardTable.js";
import { loadConfig } from "../config.js";
import { openSplit } from "../openModel.js";
import { evaluateCheckpoint, type EvaluateOptions, type Evaluation } from "./evaluate.js";
import { type JudgeOptions, judgePredictions } from "./judge.js";
import { policyOf } from "./seenImages.js";
import { reporterOf } from "../work.js";

type Entrant = Evaluation & Parameters<typeof buildLeaderboard>[0][number];

/** Options of `leaderboard`: those of `evaluate`, for several checkpoints on the same images. */
export interface LeaderboardOptions extends Omit<EvaluateOptions, "save" | "seed"> {
  /** Checkpoint that the others are compared with; by default all are compared in pairs. */
  readonly against?: string | undefined;
  /** Folder for the leaderboard and each checkpoint's results; by default these go into each run's own. */
  readonly out?: string | undefined;
}

/**
 * Evaluates checkpoints on the same lists in the same way, and compares them by paired tests.
 * @throws {@link ConfigError} where neither a config nor a list is named, or one checkpoint twice, or checkpoints of
 * several splits without a split to compare them on
 * @throws {@link CheckpointError}, {@link DataError}, {@link EngineError} as `evaluate`
 */
export async function leaderboard(checkpoints: readonly string[], options: LeaderboardOptions): Promise<Leaderboard> {
  const { against, out } = options;
  const names = [...checkpoints, ...(against === undefined ? [] : [against])];
  requireOnce("--checkpoint", names);
  const same = { ...sameWay(options, names), seen: policyOf(options, "drop"), rivals: names } as const;
  if (options.config !== undefined && options.split === undefined) await requireOneSplit(names);
  if (out !== undefined) await requireFolderPlace(out);
  const folders = out === undefined ? [] : foldersIn(out, names);
  const evaluations: Entrant[] = [];
  for (const [i, name] of names.entries()) {
    const save = folders[i] ?? true;
    evaluations.push({ ...(await evaluateCheckpoint(name, { ...same, save })), checkpoint: name });
  }
  const board = buildLeaderboard(evaluations, await compareAll(evaluations, against, options));
  await writeLeaderboard(board, out, reporterOf(options));
  return board;
}

/**
 * Leaderboard of files of predictions, measured on the same lists and compared by paired tests.
 * @throws as `evaluate`; {@link DataError} where a file's databases or splits are not the first one's, which is measured then
 */
export async function predictionLeaderboard(
  files: readonly string[],
  { against, out, ...options }: JudgeOptions & { readonly against?: string | undefined },
): Promise<Leaderboard> {
  const names = [...files, ...(against === undefined ? [] : [against])];
  requireOnce("--predictions", names);
  if (out !== undefined) await requireFolderPlace(out);
  const folders = out === undefined ? [] : foldersIn(out, names);
  const evaluations: Entrant[] = [];
  for (const [i, name] of names.entries()) {
    const judged = { ...(await judgePredictions(name, { ...options, out: folders[i] })), checkpoint: name };
    requireSameLists(evaluations[0] ?? judged, judged);
    evaluations.push(judged);
  }
  const board = buildLeaderboard(evaluations, await compareAll(evaluations, against, options));
  if (out !== undefined) await writeLeaderboard(board, out, reporterOf(options));
  return board;
}

/** @throws {ConfigError} naming a file or folder that is named twice, in whichever way */
export function requireOnce(option: string, names: readonly string[]): void {
  const places = names.map((name) => path.resolve(name));
  const twice = names.find((_, i) => places.indexOf(places[i] ?? "") < i);
  if (twice !== undefined) throw new ConfigError(`${option} ${twice}: is named twice; name each once`);
}

/** @throws {ConfigError} where each checkpoint would be tested on its own split, before any of them is */
async function requireOneSplit(names: readonly string[]): Promise<void> {
  const splits = await Promise.all(names.map((name) => openSplit(name)));
  if (new Set(splits.map((split) => split ?? 1)).size === 1) return;
  const each = names.map((name, i) => `${name} of split ${splits[i] ?? "1, as it names none"}`).join(", ");
  throw new ConfigError(`--checkpoint: checkpoints are compared on the same images; name a split by --split (${each})`);
}

/** @throws {DataError} where two files of predictions are of other databases or splits */
function requireSameLists(one: Entrant, other: Entrant): void {
  const keys = ({ measured }: Entrant) => measured.map(({ database }) => keyOf(database));
  const isSame = [...keys(one)].sort().join("\n") === [...keys(other)].sort().join("\n");
  if (isSame) return;
  const lists = ({ measured }: Entrant) => measured.map(({ database }) => databaseTitle(database)).join("; ");
  throw new DataError(
    `${other.checkpoint}: its lists (${lists(other)}) are not those of ${one.checkpoint} (${lists(one)}); models are compared ` +
      "on the same databases and splits: give both files these columns, or labels for both by --list or --config",
  );
}

/** Options with one set of lists, protocol, crops and seed for all. @throws {ConfigError} where lists would differ */
function sameWay(options: LeaderboardOptions, names: readonly string[]): EvaluateOptions {
  if (options.config !== undefined) return options;
  if (options.list === undefined) {
    throw new ConfigError(
      `--checkpoint: ${names.length} checkpoints are compared on the same images; give --config FILE, or --list FILE with --images DIR`,
    );
  }
  const { crops, protocol } = EvaluateConfig.parse({});
  return {
    ...options,
    crops: options.crops ?? crops,
    protocol: options.protocol ?? protocol,
    small: options.small ?? ("error" as const),
    seed: BOOTSTRAP_SEED,
  };
}

/** Compares each evaluation with the named one, or all pairs: the lower by rank less the higher. */
async function compareAll(
  evaluations: readonly Entrant[],
  against: string | undefined,
  options: Pick<LeaderboardOptions, "config" | "set" | "split">,
): Promise<Comparison[]> {
  const ranked = buildLeaderboard(evaluations, []).entries.flatMap(({ checkpoint }) =>
    evaluations.filter((one) => one.checkpoint === checkpoint),
  );
  const references = against === undefined ? ranked : ranked.filter(({ checkpoint }) => checkpoint === against);
  const [first] = references;
  if (first === undefined) throw new Error("internal: compareAll: the reference was not evaluated");
  const sizes = await trainingSizes(options, first);
  const { protocol, seed } = first.results;
  const how = { protocol, seed, labels: first.labels, trainingSizes: sizes };
  return references.flatMap((reference) => {
    const others = against === undefined ? ranked.slice(ranked.indexOf(reference) + 1) : ranked;
    return others.filter((one) => one !== reference).map((one) => compareRuns(one, reference, how));
  });
}

/** Numbers of training images by split, which correct a test over splits; null for one split alone. */
async function trainingSizes(
  { config, set, split }: Pick<LeaderboardOptions, "config" | "set" | "split">,
  { measured, tables }: Evaluation,
): Promise<TrainingSizes | null> {
  const splits = split === undefined ? [] : [split].flat();
  if (config === undefined || splits.length < 2) return null;
  const { data } = loadConfig(config, set).config;
  const sizes = new Map<string, number | { readonly reason: string }>();
  for (const n of splits) {
    const own = measured.filter(({ database }) => database.split === n);
    try {
      const databases = await openDatabases(data, n, { tables, subsets: ["train"] });
      for (const { database } of own) {
        const size = databases.find(({ name }) => name === database.name)?.train.length;
        if (size !== undefined) sizes.set(keyOf(database), size);
      }
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      for (const { database } of own) sizes.set(keyOf(database), { reason: `no training lists: ${error.message}` });
    }
  }
  return sizes;
}

async function writeLeaderboard(board: Leaderboard, out: string | undefined, { note }: Reporter): Promise<void> {
  if (out === undefined) {
    note("the leaderboard was not written; --out DIR names a folder");
    return;
  }
  await makeFolders(out);
  await writeFileAtomic(path.join(out, BOARD_FILES.json), `${JSON.stringify(board, null, 2)}\n`);
  const { csv, markdown } = formatLeaderboard(board);
  await writeFileAtomic(path.join(out, BOARD_FILES.csv), csv);
  await writeFileAtomic(path.join(out, BOARD_FILES.markdown), markdown);
  note(`${path.join(out, BOARD_FILES.json)}, ${BOARD_FILES.csv} and ${BOARD_FILES.markdown} written`);
}

const BOARD_FILES = { json: "leaderboard.json", csv: "leaderboard.csv", markdown: "leaderboard.md" } as const;

/** Folders in `out`, one for each checkpoint or file: its path in one word, with a number where two come out alike. */
function foldersIn(out: string, names: readonly string[]): string[] {
  const taken = new Set<string>(Object.values(BOARD_FILES));
  return names.map((name) => {
    const word = oneWord(name);
    let folder = word;
    for (let n = 2; taken.has(folder); n++) folder = `${word}-${n}`;
    taken.add(folder);
    return path.join(out, folder);
  });
}

/** Bytes of a folder's name at most, the last ones of the path: file systems take 255, and a number may follow. */
const MOST_BYTES = 240;

function oneWord(name: string): string {
  const relative = path.relative(process.cwd(), path.resolve(name));
  const letters = Array.from(relative.replaceAll(/[^\p{L}\p{M}\p{N}._-]+/gu, "-"));
  while (Buffer.byteLength(letters.join("")) > MOST_BYTES) letters.shift();
  return letters.join("").replaceAll(/^[.-]+|-+$/g, "") || "checkpoint";
}
