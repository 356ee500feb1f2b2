/** `liqe evaluate`: a checkpoint against the test lists of a config, or against one list. */
import { existsSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { ConfigError } from "../base/errors.js";
import { parseSplits } from "../cli/arguments.js";
import { EXIT } from "../cli/exitCodes.js";
import type { EngineOptions } from "../cli/options.js";
import type { Progress } from "../cli/progress.js";
import { createProgress } from "../cli/progress.js";
import type { ImageOptions } from "../data/images/loadImage.js";
import { DEFAULT_IMAGE_OPTIONS } from "../data/images/loadImage.js";
import { readList } from "../data/lists/readList.js";
import { openDatabases } from "../data/openDatabases.js";
import type { Sample } from "../data/sample.js";
import type { EngineConfig } from "../engine/config.js";
import type { EngineInfo } from "../engine/engine.js";
import { startEngine } from "../engine/engine.js";
import { EvaluateConfig } from "../evaluate/config.js";
import type { MeasuredDatabase, Results } from "../evaluate/evaluate.js";
import { measureEvaluated, resultsOf } from "../evaluate/evaluate.js";
import type { ProtocolName } from "../evaluate/protocols.js";
import type { EvaluatedDatabase } from "../evaluate/results/databaseResults.js";
import type { LabelNames } from "../evaluate/scoring/predictions.js";
import { predictSamples } from "../evaluate/scoring/predictions.js";
import type { ScoreOptions } from "../evaluate/scoring/scoreImages.js";
import { EVALUATION_BATCH } from "../evaluate/scoring/scoreImages.js";
import { ParallelScorer, openWorkerPool } from "../evaluate/scoring/workerPool.js";
import { BOOTSTRAP_SEED } from "../evaluate/statistics/bootstrap.js";
import { benchmarkTable } from "../evaluate/tables/benchmarkTable.js";
import type { LabelTables } from "../model/prompts/labels.js";
import { RUN_FILES, splitOf } from "../train/checkpoint/runFolder.js";
import type { RunConfig } from "../train/runConfig.js";
import { loadConfig, parseConfig } from "./config.js";
import type { OpenedModel, WeightSource } from "./load.js";
import { openModel } from "./load.js";
import { reportSplits } from "./report/splitReport.js";
import { writeResults } from "./report/writeReport.js";

export interface EvaluateCommandOptions extends EngineOptions {
  readonly checkpoint: string;
  readonly config: string | undefined;
  readonly set: readonly string[];
  readonly split: string | undefined;
  readonly list: string | undefined;
  readonly images: string | undefined;
  readonly protocol: ProtocolName | undefined;
  readonly crops: number | undefined;
  /** Undefined: the config's. */
  readonly processes?: number | undefined;
  readonly small: ImageOptions["small"] | undefined;
  readonly out: string | undefined;
  /** Of the intervals; undefined: the config's. */
  readonly seed?: number;
}

/** A checkpoint that was evaluated. */
export interface Evaluation {
  readonly results: Results;
  readonly measured: readonly MeasuredDatabase[];
  readonly labels: LabelNames;
  readonly tables: LabelTables;
  /** The databases that the checkpoint's own config names; null for weights without one. */
  readonly trainedOn: readonly string[] | null;
}

/** What the command line and the config together ask for. */
interface Settings {
  /** Null: the checkpoint's own. */
  readonly config: RunConfig | null;
  readonly evaluate: EvaluateConfig;
  readonly images: ImageOptions;
  readonly seed: number;
}

/** Prints the benchmark table and writes `results.json`, `predictions.csv` and `report.html`. Failed images make the exit code 3. */
export async function evaluateRun(options: EvaluateCommandOptions): Promise<Evaluation> {
  const given = options.config === undefined ? null : loadConfig(options.config, options.set).config;
  const splits = options.split === undefined ? [null] : parseSplits(options.split);
  const progress = createProgress();
  try {
    const engine = await start(options, given?.engine, progress);
    const evaluated: EvaluatedDatabase[] = [];
    let last: { source: WeightSource; settings: Settings; labels: LabelTables; trainedOn: string[] | null } | undefined;
    for (const split of splits) {
      const opened = await openModel(options.checkpoint, split);
      try {
        const settings = settingsOf(options, given, opened);
        const labels = opened.model.grid.labels;
        evaluated.push(...(await evaluateSplit(options, settings, split, { opened, engine }, progress)));
        last = { source: opened.source, settings, labels, trainedOn: trainedOn(opened) };
      } finally {
        opened.dispose();
      }
    }
    if (last === undefined) throw new Error("internal: evaluateRun: no split was evaluated");
    const { evaluate, seed } = last.settings;
    const labels = { scenes: last.labels.scenes, distortions: Object.keys(last.labels.distortions) };
    const how = {
      protocol: evaluate.protocol,
      checkpoint: nameOf(last.source, splits.length > 1 ? options.checkpoint : null),
      crops: evaluate.crops,
      labels,
      seed,
    };
    const measured = measureEvaluated(evaluated, how);
    const results = resultsOf(measured, how);
    progress.stop();
    process.stdout.write(benchmarkTable(results));
    const folder = outFolder(options, last.source, splits.length > 1);
    const reported = { results, evaluated, images: last.settings.images };
    await writeResults(folder, reported, splits.length > 1 ? null : last.source, progress);
    if (splits.length > 1) await reportSplits(results, { checkpoint: results.checkpoint, folder }, progress);
    if (evaluated.some(({ failed }) => failed.length > 0)) process.exitCode = EXIT.data;
    return { results, measured, labels, tables: last.labels, trainedOn: last.trainedOn };
  } finally {
    progress.stop();
  }
}

async function start({ engine, threads }: EngineOptions, config: EngineConfig | undefined, progress: Progress) {
  const started = await startEngine(engine, { threads: threads ?? config?.threads ?? "auto" });
  if (started.notice !== null) progress.note(started.notice);
  return started;
}

/** @throws {ConfigError} where neither the command line nor the checkpoint names lists */
function settingsOf(
  options: EvaluateCommandOptions,
  given: RunConfig | null,
  { state, source }: OpenedModel,
): Settings {
  const own = given === null && state !== null ? ownConfig(state.config, source, options.set) : given;
  if (own === null && options.list === undefined) {
    throw new ConfigError(
      `--checkpoint ${options.checkpoint}: has no config of its own; give --config FILE, or --list FILE with --images DIR`,
    );
  }
  if (own === null && options.set.length > 0) {
    throw new ConfigError(
      `--set ${options.set.join(" ")}: --checkpoint ${options.checkpoint} has no config that this could change; ` +
        "leave it out, or give what is an option of evaluate as one",
    );
  }
  const evaluate = own?.evaluate ?? EvaluateConfig.parse({});
  const images = own?.data ?? DEFAULT_IMAGE_OPTIONS;
  return {
    config: own,
    evaluate: {
      ...evaluate,
      crops: options.crops ?? evaluate.crops,
      processes: options.processes ?? evaluate.processes,
      protocol: options.protocol ?? evaluate.protocol,
    },
    images: {
      small: options.small ?? images.small,
      maxMegapixels: images.maxMegapixels,
      stallSeconds: images.stallSeconds,
    },
    seed: options.seed ?? own?.seed ?? BOOTSTRAP_SEED,
  };
}

/** The config that a checkpoint carries, checked like any other. */
function ownConfig(saved: unknown, source: WeightSource, set: readonly string[]): RunConfig {
  const where = source.kind === "checkpoint" ? path.join(source.folder, "state.json") : source.file;
  return parseConfig(JSON.stringify(saved), `${where}: config`, set); // JSON is YAML too
}

/** Scores the lists of one split. */
async function evaluateSplit(
  options: EvaluateCommandOptions,
  { config, evaluate, images }: Settings,
  wanted: number | null,
  { opened, engine }: { readonly opened: OpenedModel; readonly engine: EngineInfo },
  progress: Progress,
): Promise<EvaluatedDatabase[]> {
  const { model, state } = opened;
  const tables = model.grid.labels;
  const split = options.list === undefined ? (wanted ?? state?.split ?? 1) : null;
  const lists = await openLists(options, config, split, tables);
  const labels = { scenes: tables.scenes, distortions: Object.keys(tables.distortions) };
  const scoring: ScoreOptions = { crops: evaluate.crops, microBatch: EVALUATION_BATCH, order: "name", images };
  const crops = evaluate.crops * lists.reduce((sum, { samples }) => sum + samples.length, 0);
  const processes = openWorkerPool(evaluate.processes, engine, crops);
  const parallel = processes === null ? null : await ParallelScorer.open(model, opened.weights, processes);
  const evaluated: EvaluatedDatabase[] = [];
  try {
    for (const { name, samples } of lists) {
      const report: Progress["report"] = (event) => {
        progress.report({ ...event, label: `${event.label} ${name}` });
      };
      const predicted = await predictSamples(samples, parallel ?? opened.scorer, labels, scoring, report);
      evaluated.push({ name, split, subset: "test", ...predicted });
    }
  } finally {
    parallel?.close();
  }
  return evaluated;
}

interface NamedList {
  readonly name: string;
  readonly samples: readonly Sample[];
}

/** The lists to score: that of `--list`, or the config's test lists. */
async function openLists(
  { list, images }: EvaluateCommandOptions,
  config: RunConfig | null,
  split: number | null,
  tables: LabelTables,
): Promise<NamedList[]> {
  if (list !== undefined && images !== undefined) {
    const folder = path.resolve(images);
    const name = path.basename(folder);
    return [{ name, samples: await readList(list, { database: name, folder, tables, published: new Map() }) }];
  }
  if (config === null || split === null) throw new Error("internal: openLists: neither a list nor a config");
  const databases = await openDatabases(config.data, split, { tables, subsets: ["test"] });
  return databases.map(({ name, test }) => ({ name, samples: test }));
}

function trainedOn({ state }: OpenedModel): string[] | null {
  const parsed = z
    .object({ data: z.object({ databases: z.array(z.object({ name: z.string() })) }) })
    .safeParse(state?.config);
  return parsed.success ? parsed.data.data.databases.map(({ name }) => name) : null;
}

/** What results call the weights: the run where several of its splits were evaluated. */
function nameOf(source: WeightSource, run: string | null): string {
  return run ?? (source.kind === "checkpoint" ? source.folder : source.file);
}

/** `--out`, else the folder of the run that the checkpoint is part of; null where it is part of none. */
function outFolder({ out }: EvaluateCommandOptions, source: WeightSource, hasSeveralSplits: boolean): string | null {
  if (out !== undefined) return path.resolve(out);
  if (source.kind === "file") return null;
  const folder = path.dirname(path.resolve(source.folder));
  if (!existsSync(path.join(folder, RUN_FILES.config))) return null;
  return hasSeveralSplits && splitOf(folder) !== null ? path.dirname(folder) : folder;
}
