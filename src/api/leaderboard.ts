/** `liqe evaluate` of several checkpoints: each by itself, then a leaderboard with paired tests between them. */
import path from "node:path";
import { ConfigError, DataError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import { parseSplits } from "../cli/arguments.js";
import { openDatabases } from "../data/openDatabases.js";
import { EvaluateConfig } from "../evaluate/config.js";
import { keyOf } from "../evaluate/evaluate.js";
import type { Entrant, Leaderboard } from "../evaluate/results/leaderboard.js";
import { buildLeaderboard } from "../evaluate/results/leaderboard.js";
import { BOOTSTRAP_SEED } from "../evaluate/statistics/bootstrap.js";
import type { Comparison, TrainingSizes } from "../evaluate/statistics/compareRuns.js";
import { compareRuns } from "../evaluate/statistics/compareRuns.js";
import { formatLeaderboard } from "../evaluate/tables/leaderboardTable.js";
import { loadConfig } from "./config.js";
import type { EvaluateCommandOptions, Evaluation } from "./evaluate.js";
import { evaluateRun } from "./evaluate.js";

export interface EvaluateSeveralOptions extends Omit<EvaluateCommandOptions, "checkpoint" | "seed"> {
  readonly checkpoint: readonly string[];
  readonly against: string | undefined;
}

/** One checkpoint alone is evaluated as it is; several on the same lists, in the same way, and then compared. */
export async function evaluateSeveral({ checkpoint, against, ...options }: EvaluateSeveralOptions): Promise<void> {
  const [first, ...others] = checkpoint;
  if (first !== undefined && others.length === 0 && against === undefined) {
    await evaluateRun({ ...options, checkpoint: first });
    return;
  }
  const names = [...checkpoint, ...(against === undefined ? [] : [against])];
  const same = sameWay(options, names);
  const evaluations: (Evaluation & Entrant)[] = [];
  for (const name of names) {
    process.stdout.write(`${evaluations.length === 0 ? "" : "\n"}${name}\n`);
    const out = options.out === undefined ? undefined : path.join(options.out, folderOf(name));
    evaluations.push({ ...(await evaluateRun({ ...same, checkpoint: name, out })), checkpoint: name });
  }
  const comparisons = await compareAll(evaluations, against, options);
  const board = buildLeaderboard(evaluations, comparisons);
  process.stdout.write(`\n${formatLeaderboard(board).text}`);
  await writeLeaderboard(board, options.out);
}

/**
 * One set of lists, protocol, crops and seed for all.
 *
 * @throws {ConfigError} where each would be measured in a way of its own
 */
function sameWay(options: Omit<EvaluateCommandOptions, "checkpoint">, names: readonly string[]) {
  const twice = names.find((name, i) => names.slice(0, i).some((other) => folderOf(other) === folderOf(name)));
  if (twice !== undefined) throw new ConfigError(`--checkpoint ${twice}: is named twice; name each checkpoint once`);
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

/** Each against the one that is named, or the best of all. */
async function compareAll(
  evaluations: readonly (Evaluation & Entrant)[],
  against: string | undefined,
  options: Omit<EvaluateSeveralOptions, "checkpoint" | "against">,
): Promise<Comparison[]> {
  const best = against ?? buildLeaderboard(evaluations, []).entries[0]?.checkpoint;
  const reference = evaluations.find(({ checkpoint }) => checkpoint === best);
  if (reference === undefined) throw new Error("internal: compareAll: the reference was not evaluated");
  const sizes = await trainingSizes(options, reference);
  const { protocol, seed } = reference.results;
  return evaluations
    .filter((one) => one !== reference)
    .map((one) => compareRuns(one, reference, { protocol, seed, labels: reference.labels, trainingSizes: sizes }));
}

/** How many images each split trains on: what a test over splits is corrected by. Null for one split alone. */
async function trainingSizes(
  { config, set, split }: Omit<EvaluateSeveralOptions, "checkpoint" | "against">,
  { measured, tables }: Evaluation,
): Promise<TrainingSizes | null> {
  const splits = split === undefined ? [] : parseSplits(split);
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

async function writeLeaderboard(board: Leaderboard, out: string | undefined): Promise<void> {
  if (out === undefined) {
    process.stderr.write("the leaderboard was not written; --out DIR names a folder\n");
    return;
  }
  await makeFolders(out);
  await writeFileAtomic(path.join(out, "leaderboard.json"), `${JSON.stringify(board, null, 2)}\n`);
  const { csv, markdown } = formatLeaderboard(board);
  await writeFileAtomic(path.join(out, "leaderboard.csv"), csv);
  await writeFileAtomic(path.join(out, "leaderboard.md"), markdown);
  process.stderr.write(`${path.join(out, "leaderboard.json")}, leaderboard.csv and leaderboard.md written\n`);
}

/** A checkpoint's own folder under `--out`: its path in one name. */
function folderOf(checkpoint: string): string {
  const relative = path.relative(process.cwd(), path.resolve(checkpoint));
  return relative.replaceAll(/[^A-Za-z0-9._-]+/g, "-").replaceAll(/^[.-]+|-+$/g, "") || "checkpoint";
}
