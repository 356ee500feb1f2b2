import path from "node:path";
import { z } from "zod";
import { ConfigError } from "../../base/errors.js";
import { requireFolderPlace } from "../../base/folders.js";
import { plural } from "../../base/text.js";
import { findOtherCase, requireInside } from "../../data/audit/fileChecks.js";
import { DamageLog } from "../../data/images/damage.js";
import { DEFAULT_IMAGE_OPTIONS, type ImageOptions } from "../../data/images/loadImage.js";
import { withFoundNames } from "../../data/lists/foundNames.js";
import { readList } from "../../data/lists/readList.js";
import { type Database, isUnscored } from "../../data/sample.js";
import { openDatabases } from "../../data/openDatabases.js";
import type { Precision } from "../../engine/compile/compile.js";
import { kindAsked } from "../../model/weights/kind/encoderKind.js";
import { requirePrecision } from "../../engine/precision.js";
import { EvaluateConfig } from "../../evaluate/config.js";
import { evaluate as evaluateLists, type EvaluationPart } from "../../evaluate/evaluate.js";
import type { MeasuredDatabase } from "../../evaluate/metrics/computeMetrics.js";
import type { ProtocolName } from "../../evaluate/protocols.js";
import type { Results } from "../../evaluate/results/results.js";
import type { SplitSummary } from "../../evaluate/results/splitSummary.js";
import { labelNames, type LabelNames, type NamedList } from "../../evaluate/scoring/predictions.js";
import { EVALUATION_BATCH, type ScoreSamples } from "../../evaluate/scoring/scoreImages.js";
import { BOOTSTRAP_SEED } from "../../evaluate/statistics/bootstrap.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { RunConfig } from "../../train/runConfig.js";
import { loadConfig, parseConfig } from "../config.js";
import { type Model } from "../load.js";
import {
  choiceOf,
  type KindOptions,
  type OpenedModel,
  openModel,
  openSeen,
  type WeightSource,
  promptsIn,
} from "../openModel.js";
import { resultsFolder } from "./resultsFolder.js";
import { applySeenPolicy, policyOf, type SeenPolicy } from "./seenImages.js";
import { summarizeResults } from "../report/splitReport.js";
import { writeResults } from "../report/writeReport.js";
import { openEngine, reporterOf, type WorkOptions } from "../work.js";

/** Options of `evaluate`: the lists to score and the way of measuring; by default those of the checkpoint's config. */
export interface EvaluateOptions extends WorkOptions, KindOptions {
  /** Config whose test lists are scored: a path or a name from configs/. */
  readonly config?: string | undefined;
  /** Changes of the config, `path=value` each. */
  readonly set?: readonly string[];
  /** Splits of the config, each scored by the run's weights of that split. */
  readonly split?: number | readonly number[] | undefined;
  /** List in place of a config's; needs `images`. */
  readonly list?: string | undefined;
  /** Folder of the list's images. */
  readonly images?: string | undefined;
  /** Mapping of predictions to MOS before PLCC and RMSE. */
  readonly protocol?: ProtocolName | undefined;
  /** Windows scored of each image, 1 or more. */
  readonly crops?: number | undefined;
  /** Precision of matrix products; `bfloat16` is quicker where the processor has units for it, and differs a little. */
  readonly precision?: Precision | undefined;
  /** `resize` enlarges images below the model's window. */
  readonly small?: ImageOptions["small"] | undefined;
  /** Larger images are refused undecoded; the config's number, else 64, by default. */
  readonly maxMegapixels?: number | undefined;
  /** False refuses links that lead out of the images' folder; the config's, else true, by default. */
  readonly followLinks?: boolean | undefined;
  /**
   * Treatment of images that the checkpoint has learned from; by default `keep` for training lists, and for others `drop`
   * where several checkpoints are evaluated, else `refuse`.
   */
  readonly seen?: SeenPolicy | undefined;
  /** Lists of the config; `test` by default. */
  readonly subset?: "train" | "val" | "test" | undefined;
  /** YAML file of prompts; by default the checkpoint's own, else the config's, else the published ones. */
  readonly prompts?: string | undefined;
  /** Seed of the bootstrap intervals. */
  readonly seed?: number | undefined;
  /** Folder for `results.json`, `predictions.csv` and `report.html`, true for the run's own; none by default. */
  readonly save?: string | boolean;
}

/** Results of a checkpoint, and the predictions and labels that comparisons need. */
export interface Evaluation {
  readonly results: Results;
  /** Statistics over the splits; null for one. */
  readonly splits: SplitSummary | null;
  /** Images that could not be scored. */
  readonly failed: number;
  readonly measured: readonly MeasuredDatabase[];
  readonly labels: LabelNames;
  readonly tables: LabelTables;
  /** Databases that the checkpoint's own config names; null for weights without one. */
  readonly trainedOn: readonly string[] | null;
}

/**
 * Scores test lists and measures SRCC, PLCC, KRCC, RMSE and accuracies with 95 % intervals. An image that cannot be read
 * is listed in the results.
 * @param model  a run, a split, a checkpoint, an export or a weight file, or a loaded model, which stays the caller's
 * @throws {@link CheckpointError}, {@link ConfigError}, {@link DataError}, {@link EngineError} before anything is scored
 * @example
 * ```ts
 * import { evaluate, train } from "liqe-train";
 *
 * const run = await train("kadid.yaml"); // a finished run is not trained again
 * const results = await evaluate(run.best, { config: "koniq.yaml", crops: 5 });
 * for (const { name, images, srcc } of results.databases) console.log(name, images, srcc.value);
 * ```
 */
export async function evaluate(model: string | Model, options: EvaluateOptions = {}): Promise<Results> {
  return (await evaluateCheckpoint(model, options)).results;
}

/** Options of one checkpoint among several. */
interface CheckpointOptions extends EvaluateOptions {
  /** Way of scoring with the opened weights; this process alone scores by default. */
  readonly scoring?: ((opened: OpenedModel) => ScoreSamples) | undefined;
  /** Checkpoints that it is compared with: what they have learned from counts too. */
  readonly rivals?: readonly string[];
}

/** Does the work of `evaluate` and keeps predictions and labels. */
export async function evaluateCheckpoint(model: string | Model, options: CheckpointOptions): Promise<Evaluation> {
  const name = typeof model === "string" ? model : model.name;
  const isRun = options.split !== undefined && [options.split].flat().length > 1;
  if (typeof options.save === "string") await requireFolderPlace(options.save);
  const { results, measured, evaluated, last } = await evaluateLists(openParts(model, options));
  const { source, images, tables, trainedOn } = last;
  const { checkpoint } = results;
  options.onProgress?.({ kind: "results", checkpoint: name, results });
  const { protocol, crops } = last.measuring;
  const splitNumbers = [...new Set(evaluated.map(({ split }) => split))];
  const prompts = promptsIn(options.prompts);
  const asked = { precision: options.precision ?? "float32", prompts } as const;
  const isCompared = options.rivals !== undefined;
  const way = { lists: last.lists, isCompared, data: last.data, splits: splitNumbers, protocol, crops, ...asked };
  const folder = typeof options.save === "string" ? path.resolve(options.save) : resultsFolder(last, way);
  const reporter = reporterOf(options);
  if (options.save !== undefined && options.save !== false) {
    await writeResults({ folder, source: isRun ? null : source }, { results, evaluated, images }, reporter);
  }
  const splits = isRun ? await summarizeResults(results, { checkpoint, folder }, reporter) : null;
  const failed = evaluated.reduce((sum, database) => sum + database.failed.length, 0);
  return { results, splits, failed, measured, labels: last.measuring.labels, tables, trainedOn };
}

/** One split's lists and scorer, with what the results say of its weights. */
interface Part extends EvaluationPart, Pick<Evaluation, "tables" | "trainedOn">, Pick<OpenedModel, "source" | "state"> {
  readonly images: ImageOptions;
  /** Null where a list is scored. */
  readonly data: RunConfig["data"] | null;
}

/** Opens the splits that were asked for, one after the other; each is closed when the next one is asked for. */
async function* openParts(model: string | Model, options: CheckpointOptions): AsyncGenerator<Part, void> {
  const given = options.config === undefined ? null : loadConfig(options.config, options.set).config;
  const splits = options.split === undefined ? [null] : [options.split].flat();
  const { prompts, precision = "float32", heads, activation } = options;
  if (typeof model !== "string") refuseChoices({ prompts, precision: options.precision, heads, activation });
  const usual = given === null ? null : choiceOf(given.prompts);
  const kind = kindAsked({ heads, activation }, given?.model.architecture);
  const { note } = reporterOf(options);
  const choices = { asked: promptsIn(prompts), usual, precision, kind, note };
  await requirePrecision(precision, await openEngine(options, given?.engine));
  const name = typeof model === "string" ? model : model.name;
  for (const split of splits) {
    const opened = typeof model === "string" ? await openModel(model, { split, ...choices }) : model.opened;
    try {
      const settings = settingsOf(options, given, { ...opened, name });
      yield* openPart(opened, settings, { options, split, name: splits.length > 1 ? name : null });
    } finally {
      if (typeof model === "string") opened.dispose();
    }
  }
}

/** @throws {ConfigError} for choices that a model has made when it was loaded */
function refuseChoices(choices: Readonly<Record<string, unknown>>): void {
  const given = Object.keys(choices).filter((name) => choices[name] !== undefined);
  if (given.length === 0) return;
  throw new ConfigError(`evaluate: ${given.join(", ")}: the model is loaded already; give these to load`);
}

/** Settings by the options and the config together. */
interface Settings {
  /** Null where a list is scored. */
  readonly config: RunConfig | null;
  readonly evaluate: EvaluateConfig;
  readonly images: ImageOptions;
  readonly seed: number;
}

/** @throws {ConfigError} where neither the options nor the checkpoint name lists */
function settingsOf(
  options: EvaluateOptions,
  given: RunConfig | null,
  { state, source, name, scorer }: OpenedModel & { readonly name: string },
): Settings {
  const set = options.set ?? [];
  const own = given === null && state !== null ? ownConfig(state.config, source, set) : given;
  if (own === null && options.list === undefined) {
    throw new ConfigError(
      `--checkpoint ${name}: has no config of its own; give --config FILE, or --list FILE with --images DIR`,
    );
  }
  if (own === null && set.length > 0) {
    throw new ConfigError(
      `--set ${set.join(" ")}: --checkpoint ${name} has no config that this could change; ` +
        "leave it out, or give what is an option of evaluate as one",
    );
  }
  const evaluate = own?.evaluate ?? EvaluateConfig.parse({});
  const { small, maxMegapixels, stallSeconds, onDamage } = own?.data ?? DEFAULT_IMAGE_OPTIONS;
  return {
    config: own,
    evaluate: {
      ...evaluate,
      crops: options.crops ?? evaluate.crops,
      protocol: options.protocol ?? evaluate.protocol,
    },
    images: {
      ...{ stallSeconds, onDamage, window: scorer.window },
      small: options.small ?? small,
      maxMegapixels: options.maxMegapixels ?? maxMegapixels,
    },
    seed: options.seed ?? own?.seed ?? BOOTSTRAP_SEED,
  };
}

/** Config that a checkpoint carries, checked like any other. */
function ownConfig(saved: unknown, source: WeightSource, set: readonly string[]): RunConfig {
  const where = source.kind === "checkpoint" ? path.join(source.folder, "state.json") : source.file;
  return parseConfig(JSON.stringify(saved), `${where}: config`, set); // JSON is YAML too
}

/** One split's lists, to be scored. */
interface SplitWork {
  readonly options: CheckpointOptions;
  /** Null: the checkpoint's own. */
  readonly split: number | null;
  /** Name of the run in the results; null: the weights' own. */
  readonly name: string | null;
}

async function* openPart(opened: OpenedModel, settings: Settings, work: SplitWork): AsyncGenerator<Part, void> {
  const { evaluate: how, images, seed } = settings;
  const { source, state } = opened;
  const tables = opened.model.grid.labels;
  const split = work.options.list === undefined ? (work.split ?? opened.state?.split ?? 1) : null;
  const { note, progress } = reporterOf(work.options);
  const listed = await openLists(settings.config, { ...work, split }, tables);
  noteOtherCase(listed, note);
  const lists = await underPolicy(listed, opened, { ...work, stallSeconds: images.stallSeconds });
  const { scorer } = opened;
  const labels = labelNames(tables);
  const checkpoint = work.name ?? (source.kind === "checkpoint" ? source.folder : source.file);
  const damage = new DamageLog(note);
  const read = { ...images, onDamaged: damage.onDamaged };
  const order = { crops: how.crops, microBatch: EVALUATION_BATCH, order: "name", images: read } as const;
  const scoring = { ...order, labels, report: progress, score: work.options.scoring?.(opened) };
  const measuring = {
    protocol: how.protocol,
    checkpoint,
    assumed: opened.assumed,
    crops: how.crops,
    labels,
    seed,
    report: progress,
  };
  try {
    const data = work.options.list === undefined ? (settings.config?.data ?? null) : null;
    yield { scorer, lists, scoring, measuring, source, state, images, data, tables, trainedOn: trainedOn(opened) };
  } finally {
    damage.close();
  }
}

/** Lists without the images that `--seen` leaves out, by the records of the checkpoint and of those it is compared with. */
async function underPolicy(
  lists: readonly NamedList[],
  { seen }: OpenedModel,
  { options, split, stallSeconds }: SplitWork & { readonly stallSeconds: number },
): Promise<NamedList[]> {
  const rivals = await Promise.all((options.rivals ?? []).map((name) => openSeen(name, split)));
  const records = [seen, ...rivals].filter((record) => record !== null);
  const policy = policyOf(options, "refuse");
  return applySeenPolicy(lists, records, { policy, stallSeconds, reporter: reporterOf(options) });
}

/** Lists to score: the one that the options name, or the config's test lists. */
async function openLists(
  config: RunConfig | null,
  { options, split }: Pick<SplitWork, "options" | "split">,
  tables: LabelTables,
): Promise<NamedList[]> {
  const { list, images, subset = "test", followLinks } = options;
  const { note } = reporterOf(options);
  const isFollowed = followLinks ?? config?.data.followLinks ?? true;
  if (list !== undefined && images !== undefined) {
    const folder = path.resolve(images);
    const name = path.basename(folder);
    const read = await readList(list, { database: name, folder, tables, published: new Map() });
    const samples = await withFoundNames(read);
    if (!isFollowed) await requireInside(samples);
    return [{ name, split, subset: "test", samples }];
  }
  if (config === null || split === null) throw new ConfigError("evaluate: a list needs the folder of its images");
  const databases = await openDatabases(config.data, split, { tables, subsets: [subset] });
  const isEmpty = (one: Database) => one[subset].length === 0 && isUnscored(one);
  for (const { name } of databases.filter(isEmpty))
    note(`${name}: has no ${subset} list of scores; liqe evaluate --pairs LIST judges choices between two images`);
  const scored = databases.filter((one) => !isEmpty(one));
  const opened = scored.map(({ name, ...lists }) => ({ name, split, subset, samples: lists[subset] }));
  if (!isFollowed) await requireInside(opened.flatMap(({ samples }) => samples));
  return opened;
}

/** Notes how many images' names differ in case from their files', and the first. */
function noteOtherCase(lists: readonly NamedList[], note: (line: string) => void): void {
  const found = findOtherCase(lists.flatMap(({ samples }) => samples));
  const [first] = found;
  if (first !== undefined) note(`${plural(found.length, "name")} in other case, such as ${first.message}`);
}

/** Part of a config that names its databases. */
const TrainedConfig = z.object({ data: z.object({ databases: z.array(z.object({ name: z.string() })) }) });

function trainedOn({ state }: OpenedModel): string[] | null {
  const parsed = TrainedConfig.safeParse(state?.config);
  return parsed.success ? parsed.data.data.databases.map(({ name }) => name) : null;
}
