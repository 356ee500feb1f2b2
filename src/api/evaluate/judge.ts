import path from "node:path";
import { ConfigError, DataError } from "../../base/errors.js";
import { requireFolderPlace } from "../../base/folders.js";
import type { Reporter } from "../../base/types.js";
import { requireInside } from "../../data/audit/fileChecks.js";
import { DEFAULT_IMAGE_OPTIONS } from "../../data/images/loadImage.js";
import { pathProblem } from "../../data/lists/entries.js";
import { readList } from "../../data/lists/readList.js";
import { openDatabases } from "../../data/openDatabases.js";
import { NO_FILE, type Sample, type Subset } from "../../data/sample.js";
import { measureDatabases } from "../../evaluate/evaluate.js";
import { buildResults } from "../../evaluate/results/results.js";
import { type PredictedRow, readPredictions, rowsOf } from "../../evaluate/scoring/predictionFile.js";
import { type EvaluatedDatabase, labelNames, predictionWithout } from "../../evaluate/scoring/predictions.js";
import { BOOTSTRAP_SEED } from "../../evaluate/statistics/bootstrap.js";
import { type LabelTables, PUBLISHED_LABELS } from "../../model/prompts/labels.js";
import { loadConfig } from "../config.js";
import type { EvaluateOptions, Evaluation } from "./evaluate.js";
import { writeResults } from "../report/writeReport.js";
import { reporterOf } from "../work.js";

/** Options of judging predictions: where their labels are from, and the way of measuring. */
export interface JudgeOptions extends Pick<
  EvaluateOptions,
  "config" | "set" | "split" | "subset" | "list" | "images" | "protocol" | "followLinks" | "onProgress"
> {
  /** Column of the scores; by default `quality`, else `score`, else `prediction`. */
  readonly column?: string | undefined;
  /** Folder for `results.json`, `predictions.csv` and `report.html`; by default nothing is written. */
  readonly out?: string | undefined;
}

/** Name of a file's own list: the same for every file, so that models can be compared. */
const UNNAMED = "predictions";

/** Images named in a note; the others are counted. */
const SHOWN_IMAGES = 5;

/**
 * Measures the predictions of any model, by the protocols, intervals and tables of `evaluate`, without weights or engine.
 * Images of the lists without a prediction are listed as failed, predictions without a label are counted and named.
 * @throws {DataError} where the file cannot be read, or names an image twice; where images lead out of their folder by
 * links that the options or the config do not follow
 * @throws {ConfigError} where neither the file nor the options have labels
 */
export async function judgePredictions(file: string, options: JudgeOptions): Promise<Evaluation> {
  const { protocol = "liqe", out, onProgress } = options;
  const reporter = reporterOf({ onProgress });
  if (out !== undefined) await requireFolderPlace(out);
  const rows = await readPredictions(file, options.column);
  const labeled = await labelsOf(file, rows, options);
  if (!(options.followLinks ?? labeled.followLinks))
    await requireInside(labeled.lists.flatMap(({ samples }) => samples));
  const { lists, tables } = labeled;
  noteStrays(rows, lists, reporter);
  const evaluated = lists.map((list) => joinLists(list, rows, { file, tables, reporter }));
  const labels = labelNames(tables);
  const measuring = {
    protocol,
    checkpoint: file,
    crops: null,
    labels,
    seed: BOOTSTRAP_SEED,
    report: reporter.progress,
  };
  const measured = measureDatabases(evaluated, measuring);
  const results = buildResults(measured, measuring);
  onProgress?.({ kind: "results", checkpoint: file, results });
  if (out !== undefined) {
    const target = { folder: path.resolve(out), source: "predictions" } as const;
    await writeResults(target, { results, evaluated, images: DEFAULT_IMAGE_OPTIONS }, reporter);
  }
  const failed = evaluated.reduce((sum, database) => sum + database.failed.length, 0);
  return { results, splits: null, failed, measured, labels, tables, trainedOn: null };
}

/** Samples of one database and split, with labels but without scores. */
interface LabeledList {
  readonly name: string;
  readonly split: number | null;
  readonly subset: Subset;
  readonly samples: readonly Sample[];
  /** True for the one list of `--list`, whose images decide, whatever database and split the predictions name. */
  readonly isOnly?: boolean;
}

interface Labels {
  readonly lists: readonly LabeledList[];
  readonly tables: LabelTables;
  /** False where the config follows no links out of a database's folder. */
  readonly followLinks: boolean;
}

/** Labels of the predictions: from the file itself, a list, or a config's lists. */
async function labelsOf(file: string, rows: readonly PredictedRow[], options: JudgeOptions): Promise<Labels> {
  const { config: name, list, images, set, subset = "test" } = options;
  if (list !== undefined) {
    const folder = path.resolve(images ?? path.dirname(list));
    const context = { database: path.basename(list, path.extname(list)), folder };
    const samples = await readList(list, { ...context, tables: PUBLISHED_LABELS, published: new Map() });
    const only = { name: context.database, split: null, subset: "test", samples, isOnly: true } as const;
    return { lists: [only], tables: PUBLISHED_LABELS, followLinks: true };
  }
  if (name !== undefined) {
    const { config } = loadConfig(name, set);
    const tables = config.prompts;
    const splits = [options.split ?? 1].flat();
    const opened = await Promise.all(
      splits.map(async (split) => {
        const databases = await openDatabases(config.data, split, { tables, subsets: [subset] });
        return databases.map(({ name: database, ...parts }) => ({ name: database, split, subset, samples: parts[subset] })); // prettier-ignore
      }),
    );
    return { lists: opened.flat(), tables, followLinks: config.data.followLinks };
  }
  if (rows.every(({ mos }) => mos === null)) {
    throw new ConfigError(`${file}: has no column mos; give its labels by --list FILE or --config FILE`);
  }
  return { lists: ownLists(file, rows), tables: PUBLISHED_LABELS, followLinks: true };
}

/** Lists of a file that has its own labels: one a database and split. */
function ownLists(file: string, rows: readonly PredictedRow[]): LabeledList[] {
  const lists = new Map<string, { name: string; split: number | null; samples: Sample[] }>();
  for (const { line, image, mos, mosStd, split, database, group } of rows) {
    if (mos === null) throw new DataError(`${file}:${line}: ${image}: has no mos; leave it out, or give all of them`);
    const name = database ?? UNNAMED;
    const list = lists.get(`${name}/${split ?? ""}`) ?? { name, split, samples: [] };
    lists.set(`${name}/${split ?? ""}`, list);
    const folder = path.dirname(file);
    const isInside = pathProblem(image) === null; // others are measured, and no file of them is opened for the report
    const place = { database: name, image, file: isInside ? path.resolve(folder, image) : NO_FILE, folder };
    const labels = { mos, mosStd, distortion: null, scenes: [], list: file, line };
    list.samples.push({ ...place, ...labels, ...(group === null ? {} : { content: group }) });
  }
  return [...lists.values()].map((list) => ({ ...list, subset: "test" }));
}

/** A list's samples with the scores that the file has for them. */
function joinLists(
  { samples, ...list }: LabeledList,
  rows: readonly PredictedRow[],
  { file, tables, reporter }: { readonly file: string; readonly tables: LabelTables; readonly reporter: Reporter },
): EvaluatedDatabase {
  const { name, split, subset } = list;
  const own = rows.filter((row) => isOf(row, list));
  const scores = rowsOf(samples, own, file);
  const found = samples.filter((sample) => scores.has(sample));
  const missing = samples.filter((sample) => !scores.has(sample));
  const used = new Set([...scores.values()].map(({ image }) => image));
  noteNames(
    reporter,
    `${name}: images without a prediction`,
    missing.map(({ image }) => image),
  );
  noteNames(
    reporter,
    `${name}: predictions for images that are not in the list`,
    own.flatMap(({ image }) => (used.has(image) ? [] : [image])),
  );
  if (found.length === 0)
    throw new DataError(
      `${file}: has a prediction for none of the ${samples.length} images of ${name}; do the names agree?`,
    );
  const labels = labelNames(tables);
  return {
    ...{ name, split, subset, seen: null },
    predictions: found.map((sample) => predictionWithout(sample, labels, scores.get(sample)?.quality ?? NaN)),
    failed: missing.map(({ database, image }) => ({ database, image, error: "no prediction" })),
  };
}

/** True where a row names this list's database and split, or none. */
function isOf(
  row: PredictedRow,
  { name, split, isOnly = false }: Pick<LabeledList, "name" | "split" | "isOnly">,
): boolean {
  if (isOnly) return true;
  return (row.database ?? name) === name && (row.split ?? split) === split;
}

/** Counts and names predictions of a database or split that no list has. */
function noteStrays(rows: readonly PredictedRow[], lists: readonly LabeledList[], reporter: Reporter): void {
  const strays = rows.filter((row) => !lists.some((list) => isOf(row, list)));
  const names = strays.map(({ image, database, split }) =>
    [database, split, image].filter((one) => one !== null).join("/"),
  );
  noteNames(reporter, "predictions of databases or splits without a list", names);
}

function noteNames({ note }: Reporter, what: string, images: readonly string[]): void {
  if (images.length === 0) return;
  const more = images.length > SHOWN_IMAGES ? ", …" : "";
  note(`${what}: ${images.length} (${images.slice(0, SHOWN_IMAGES).join(", ")}${more})`);
}
