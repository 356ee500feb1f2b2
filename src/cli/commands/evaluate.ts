import type { CrossOptions } from "../../api/evaluate/crossEvaluate.js";
import type { JudgePairsOptions, PairResults } from "../../api/evaluate/judgePairs.js";
import type { MergedRun } from "../../api/launch/mergeRuns.js";
import type { WorkEvent } from "../../api/work.js";
import { ConfigError } from "../../base/errors.js";
import { plural } from "../../base/text.js";
import type { SplitSummary } from "../../evaluate/results/splitSummary.js";
import { PROTOCOL_NAMES } from "../../evaluate/protocols.js";
import { parseSplits } from "../arguments.js";
import { defineCommand, outputColumns, printReport } from "../command.js";
import { EXIT } from "../exitCodes.js";
import {
  engineOptions,
  flagOption,
  followLinksOption,
  kindOptions,
  listOption,
  megapixelsOption,
  precisionOption,
  promptsOption,
  textOption,
  wholeNumberOption,
} from "../options.js";
import { createProgress, theOnlyRun, withProgress } from "../progress.js";

const CHECKPOINT =
  "a run, a split's folder, a checkpoint folder or a weight file; several make a leaderboard  " +
  "[default: the only run under checkpoints/, where no --predictions are given]";
const PREDICTIONS =
  "a file of any model's scores (CSV or JSON lines), measured without weights; several make a leaderboard";
const AGAINST =
  "a checkpoint, or file of predictions, that the others are tested against, in pairs  [default: all pairs of several]";
const CONFIG = "use the test lists of this config; several make a matrix of train sets by test sets";
const PAIRS = "judge by pairs of images: CSV of a,b,p, p the share of people who prefer a";
const CROPS = "windows an image is scored by  [default: the config's, or 15]";

export const evaluateCommand = defineCommand({
  command: "evaluate",
  describe: "measure a model on labeled images: the benchmark table",
  builder: (yargs) =>
    kindOptions(engineOptions(yargs))
      .option("checkpoint", { ...listOption(CHECKPOINT), nargs: 1 })
      .option("predictions", listOption(PREDICTIONS))
      .option(
        "column",
        textOption("the column of the scores in --predictions  [default: quality, score or prediction]"),
      )
      .option("against", textOption(AGAINST))
      .option("config", { ...listOption(CONFIG), nargs: 1 })
      .option("prompts", promptsOption())
      .option("set", { ...listOption("change the config, as in --set data.root=/data"), nargs: 1 })
      .option("split", textOption("a split or a range, 1-10"))
      .option("list", textOption("use this list (with --images)"))
      .option("images", textOption("the folder of the list's, or the pairs', images"))
      .option("pairs", textOption(PAIRS))
      .option("runs", textOption("merge the results of the runs in this folder, and name what is missing"))
      .option("protocol", {
        choices: PROTOCOL_NAMES,
        requiresArg: true,
        describe: "how predictions are mapped to MOS before PLCC and RMSE  [default: the config's, or liqe]",
      })
      .option("crops", wholeNumberOption("crops", 1, CROPS))
      .option("precision", precisionOption)
      .option("small", {
        choices: ["error", "resize"] as const,
        describe: "resize: enlarge images below the model's window  [default: the config's, or error]",
      })
      .option("max-megapixels", megapixelsOption("the config's, or 64"))
      .option("follow-links", followLinksOption)
      .option("seen", {
        choices: ["refuse", "drop", "keep"] as const,
        requiresArg: true,
        describe:
          "what becomes of images that the checkpoint was trained on  [default: refuse; of several checkpoints, drop]",
      })
      .option("subset", {
        choices: ["train", "val", "test"] as const,
        requiresArg: true,
        describe: "which lists of the config  [default: test]",
      })
      .option("json", flagOption("the results as JSON on standard output"))
      .option("out", textOption("folder for the results  [default: the run's]"))
      .conflicts("list", ["split", "pairs"])
      .conflicts("pairs", ["split", "against", "out"])
      .conflicts("runs", ["split", "against", "out", "list", "pairs"])
      .check(checkSources)
      .example("$0 evaluate --checkpoint checkpoints/kadid", "the test lists that the run's own config names")
      .example("$0 evaluate --checkpoint checkpoints/kadid --config koniq --split 1-10", "another database")
      .example("$0 evaluate --checkpoint ViT.safetensors --list mine.csv --images photos", "your own list")
      .example("$0 evaluate --predictions scores.csv --list mine.csv", "another program's scores")
      .example("$0 evaluate --checkpoint A --checkpoint B --config a --config b --out ab", "each on each")
      .example("$0 evaluate --checkpoint checkpoints/kadid --pairs p.csv --images photos", "choices of two")
      .example("$0 evaluate --runs checkpoints", "what many runs left behind, one table a run")
      .example("$0 evaluate --checkpoint new --against old --config kadid --out compared", "is it better?"),
  writes: ({ predictions, pairs, runs, out }) => {
    if (out !== undefined) return [out];
    if (predictions.length > 0 || pairs !== undefined || runs !== undefined) return []; // these print alone
    throw new ConfigError("--isolate: name the folder of the results by --out: the run's own is not to be written to");
  },
  handler: async ({
    checkpoint: named,
    predictions,
    against,
    split,
    out,
    json,
    config: configs,
    pairs,
    runs,
    ...given
  }) => {
    if (runs !== undefined) return showRuns(runs, json);
    const checkpoint = named.length + predictions.length > 0 ? named : [await theOnlyRun()];
    const options = { ...given, config: configs[0] };
    if (pairs !== undefined) return evaluatePairs(pairs, { checkpoint, predictions, json, ...options });
    if (configs.length > 1) return evaluateMatrix(checkpoint, configs, { ...given, split, out, json });
    const { benchmarkTable } = await import("../../evaluate/tables/benchmarkTable.js");
    const { agreementNotes } = await import("../../evaluate/tables/agreementNotes.js");
    const names = [...checkpoint, ...predictions, ...(against === undefined ? [] : [against])];
    const splitNumbers = split === undefined ? undefined : parseSplits(split);
    let evaluated = 0;
    await withProgress(async (progress) => {
      const onProgress = (event: WorkEvent) => {
        progress.onEvent(event);
        if (event.kind !== "results") return;
        progress.stop();
        if (event.results.databases.some(({ failed }) => failed.length > 0)) process.exitCode = EXIT.data;
        if (json) return;
        const heading = names.length > 1 ? `${evaluated++ === 0 ? "" : "\n"}${event.checkpoint}\n` : "";
        process.stdout.write(heading + benchmarkTable(event.results) + agreementNotes(event.results));
      };
      const settings = { ...options, split: splitNumbers, onProgress };
      const [first = "", ...others] = names;
      if (others.length === 0 && predictions.length > 0) {
        const { judgePredictions } = await import("../../api/evaluate/judge.js");
        const { results } = await judgePredictions(first, { ...settings, out });
        if (json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
      } else if (others.length === 0) {
        const { evaluateCheckpoint } = await import("../../api/evaluate/evaluate.js");
        const { results, splits } = await evaluateCheckpoint(first, { ...settings, save: out ?? true });
        if (json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
        if (splits === null || json) return;
        const { splitTable } = await import("../../evaluate/tables/splitTable.js");
        process.stdout.write(splitTable(splits));
      } else {
        const { leaderboard, predictionLeaderboard } = await import("../../api/evaluate/leaderboard.js");
        const board =
          predictions.length > 0
            ? await predictionLeaderboard(predictions, { ...settings, against, out })
            : await leaderboard(checkpoint, { ...settings, against, out });
        if (json) {
          process.stdout.write(`${JSON.stringify(board, null, 2)}\n`);
          return;
        }
        const { formatLeaderboard } = await import("../../evaluate/tables/leaderboardTable.js");
        process.stdout.write(`\n${formatLeaderboard(board, outputColumns()).text}`);
      }
    });
  },
});

/** Merges the results in a folder of runs, and prints a table a run; what is missing makes the exit code 3. */
async function showRuns(folder: string, json: boolean): Promise<void> {
  const { mergeRuns } = await import("../../api/launch/mergeRuns.js");
  const { splitTable } = await import("../../evaluate/tables/splitTable.js");
  const runs = await mergeRuns(folder, createProgress());
  if (runs.some(({ missing }) => missing.length > 0)) process.exitCode = EXIT.data;
  printReport({ runs }, { json }, () => runs.map((run) => describeRun(run, splitTable)).join("\n"));
}

function describeRun({ run, missing, summary }: MergedRun, tableOf: (summary: SplitSummary) => string): string {
  const none = missing.length > 0 ? "" : "  its splits were evaluated in different ways, so no table over them\n";
  const lines = missing.map(({ split, reason }) => `  missing: split ${split} ${reason}\n`);
  return `${run}\n${summary === null ? none : tableOf(summary)}${lines.join("")}`;
}

/** Evaluates each checkpoint on each config, and prints the matrix. */
async function evaluateMatrix(
  checkpoints: readonly string[],
  configs: readonly string[],
  {
    json,
    split,
    ...options
  }: Omit<CrossOptions, "split"> & { readonly json: boolean; readonly split: string | undefined },
): Promise<void> {
  const { crossEvaluate } = await import("../../api/evaluate/crossEvaluate.js");
  const { crossTable } = await import("../../evaluate/tables/crossTable.js");
  await withProgress(async (progress) => {
    const onProgress = (event: WorkEvent) => {
      progress.onEvent(event);
      const isFailed = event.kind === "results" && event.results.databases.some(({ failed }) => failed.length > 0);
      if (isFailed) process.exitCode = EXIT.data;
    };
    const asked = split === undefined ? {} : { split: parseSplits(split) };
    const matrix = await crossEvaluate(checkpoints, configs, { ...options, ...asked, onProgress });
    progress.stop();
    printReport(matrix, { json }, crossTable);
  });
}

type PairOptions = Omit<JudgePairsOptions, "predictions" | "checkpoint" | "small"> & {
  readonly small: JudgePairsOptions["small"] | undefined;
  readonly checkpoint: readonly string[];
  readonly predictions: readonly string[];
  readonly json: boolean;
};

/** Judges one model by a list of pairs, and prints the agreement. */
async function evaluatePairs(
  list: string,
  { checkpoint, predictions, json, small, ...options }: PairOptions,
): Promise<void> {
  const { judgePairs } = await import("../../api/evaluate/judgePairs.js");
  await withProgress(async (progress) => {
    const models = {
      checkpoint: checkpoint[0],
      predictions: predictions[0],
      ...(small === undefined ? {} : { small }),
    };
    const found = await judgePairs(list, { ...options, ...models, onProgress: progress.onEvent });
    progress.stop();
    printReport(found, { json }, describePairs);
    for (const { error } of found.failed) progress.note(error);
    if (found.failed.length > 0) process.exitCode = EXIT.data;
  });
}

function describePairs({ pairs, images, twoAlternative, accuracy, ceiling, failed, seen }: PairResults): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return [
    `${plural(pairs, "pair")} of ${plural(images, "image")}`,
    `  two-alternative  ${percent(twoAlternative)} of people make the model's choice (at most ${percent(ceiling)})`,
    `  accuracy         ${percent(accuracy)} of pairs as most people choose; undecided ones count one half`,
    ...(failed.length === 0
      ? []
      : [`  left out         the pairs of ${plural(failed.length, "image")} without a score`]),
    ...(seen === null || seen.images === 0
      ? []
      : [`  trained on       ${plural(seen.images, "image")} (--seen ${seen.policy})`]),
    "",
  ].join("\n");
}

/** @throws {ConfigError} where not one kind of source is named, or something has no effect on it */
function checkSources(call: Sources): true {
  const { checkpoint, predictions, list, images, config, pairs, against, runs } = call;
  if (runs !== undefined) {
    const isAlone =
      checkpoint.length + predictions.length + config.length === 0 && idleIn(call, MEASURING).length === 0;
    if (isAlone) return true;
    throw new ConfigError("liqe evaluate: --runs goes with --json alone; the runs have their results already");
  }
  if (images !== undefined && list === undefined && pairs === undefined)
    throw new ConfigError("liqe evaluate: --images belongs to --list or --pairs; give one of them");
  if (list !== undefined && config.length > 0) throw new ConfigError("liqe evaluate: --list and --config do not go together"); // prettier-ignore
  if (pairs !== undefined && checkpoint.length + predictions.length > 1)
    throw new ConfigError("liqe evaluate: --pairs judges one --checkpoint, or one file of --predictions");
  if (config.length > 1 && (against !== undefined || predictions.length > 0))
    throw new ConfigError("liqe evaluate: several --config go with one or several --checkpoint alone");
  if (checkpoint.length > 0 && predictions.length > 0) {
    throw new ConfigError("liqe evaluate: --checkpoint and --predictions do not go together");
  }
  if (list !== undefined && images === undefined && predictions.length === 0) {
    throw new ConfigError('liqe evaluate: --list needs --images beside it\nSee "liqe evaluate --help".');
  }
  refuseIdle(call);
  return true;
}

/** Options of scoring by a model, and those of measuring whatever scores there are. */
const SCORING = ["crops", "small", "max-megapixels", "seen", "prompts", "heads", "activation"] as const;
const MEASURING = [...SCORING, "set", "subset", "split", "column", "images", "protocol", "follow-links"] as const;

/** @throws {ConfigError} naming options that would silently do nothing beside another one, or without it */
function refuseIdle(call: Sources): void {
  const { predictions, config, pairs } = call;
  const isFile = predictions.length > 0;
  const rules: readonly (readonly [boolean, readonly (typeof MEASURING)[number][], string])[] = [
    [isFile, SCORING, "with --predictions, whose scores are there already"],
    [!isFile, ["column"], "without --predictions"],
    [isFile && config.length === 0 && pairs === undefined, ["set", "subset", "split"], "on --predictions without --config"],
    [pairs !== undefined, ["set", "subset", "protocol"], "with --pairs"],
    [pairs !== undefined && isFile, ["images", "follow-links"], "with --pairs and --predictions, as no image is opened"],
  ]; // prettier-ignore
  for (const [isSo, options, where] of rules) {
    const idle = isSo ? idleIn(call, options) : [];
    if (idle.length === 0) continue;
    const names = idle.map((name) => `--${name}`).join(", ");
    throw new ConfigError(`liqe evaluate: ${names} ${idle.length === 1 ? "has" : "have"} no effect ${where}`);
  }
}

/** Those of the options that are given. */
function idleIn(call: Sources, options: readonly (typeof MEASURING)[number][]): readonly string[] {
  return options.filter((name) => (Array.isArray(call[name]) ? call[name].length > 0 : call[name] !== undefined));
}

interface Sources extends Readonly<Record<Exclude<(typeof MEASURING)[number], "images">, unknown>> {
  readonly checkpoint: readonly string[];
  readonly predictions: readonly string[];
  readonly list: string | undefined;
  readonly images: string | undefined;
  readonly config: readonly string[];
  readonly pairs: string | undefined;
  readonly against: string | undefined;
  readonly runs: string | undefined;
}
