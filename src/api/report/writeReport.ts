import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { FILES_AT_ONCE, mapConcurrent } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { NO_FILE } from "../../data/sample.js";
import { writeFileAtomic } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import type { Reporter } from "../../base/types.js";
import { encodeWebp } from "../../data/images/encode.js";
import { type ImageOptions, loadImage } from "../../data/images/loadImage.js";
import type { Picture } from "../../evaluate/report/html.js";
import type { TrainingHistory } from "../../evaluate/report/training.js";
import type { Results } from "../../evaluate/results/results.js";
import { type EvaluatedDatabase, predictionsCsv } from "../../evaluate/scoring/predictions.js";
import { RUN_FILES } from "../../train/checkpoint/runFolder.js";
import type { WeightSource } from "../openModel.js";

const SEVERAL_RUNS = { ok: false, reason: "each split has a run of its own; see its folder" } as const;

/** Folder, null for none, and the weights whose training the report shows, null for several runs. */
type ResultsTarget = { readonly folder: string | null; readonly source: WeightSource | "predictions" | null };

/** Writes `predictions.csv`, `report.html` and, last, `results.json`: a run that has that one is tested. */
export async function writeResults(
  { folder, source }: ResultsTarget,
  reported: Omit<ReportSource, "training">,
  { note }: Pick<Reporter, "note">,
): Promise<void> {
  if (folder === null) {
    note("nothing was written: the weights belong to no run; --out DIR names a folder");
    return;
  }
  await makeFolders(folder);
  const { results, evaluated } = reported;
  const predictions = evaluated.flatMap((database) => database.predictions);
  await writeFileAtomic(path.join(folder, RUN_FILES.predictions), predictionsCsv(predictions));
  await writeReport(folder, { ...reported, training: source === null ? SEVERAL_RUNS : await historyOf(source) });
  const file = path.join(folder, RUN_FILES.results);
  await writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`);
  note(`${file}, ${RUN_FILES.predictions} and ${RUN_FILES.report} written`);
}

/** Thumbnails on a page: about `most` in all, so that it stays small, and this many of a database's best and worst each. */
const THUMBNAILS = { mostOfKind: 8, fewest: 2, most: 96 };
const THUMBNAIL = { side: 360, quality: 75 };

/** Pictures behind the dots of a page's scatters, in all. */
const MOST_DOTS = 300;
const DOT_PICTURE = { side: 110, quality: 60 };

interface ReportSource {
  readonly results: Results;
  /** In the order of the results' databases. */
  readonly evaluated: readonly EvaluatedDatabase[];
  /** Options of reading images. */
  readonly images: ImageOptions;
  readonly training: TrainingHistory;
}

/** @returns the file */
async function writeReport(folder: string, { results, evaluated, images, training }: ReportSource) {
  const { reportPage } = await import("../../evaluate/report/reportPage.js"); // its charts take a second to load
  const { extremeImages } = await import("../../evaluate/report/extremeImages.js");
  const { picturedDots } = await import("../../evaluate/report/databaseCharts.js");
  const { mostOfKind, fewest, most } = THUMBNAILS;
  const count = Math.max(1, results.databases.length);
  const shown = Math.max(fewest, Math.min(mostOfKind, Math.floor(most / 2 / count)));
  const ofDatabase = Math.floor(MOST_DOTS / count);
  const databases = results.databases.map((database, i) => {
    const predictions = evaluated[i]?.predictions ?? [];
    const extremes = extremeImages(database, predictions, shown);
    return { results: database, predictions, extremes, pictured: picturedDots(predictions, ofDatabase) };
  });
  const judged = databases.flatMap(({ extremes: { best, worst } }) => [...best, ...worst]);
  const files = judged.map(({ prediction }) => prediction.file);
  const pictures = await readThumbnails(files, images, THUMBNAIL);
  const dots = databases.flatMap(({ pictured }) => pictured.map(({ file }) => file));
  const thumbnails = await readThumbnails(dots, images, DOT_PICTURE);
  const file = path.join(folder, RUN_FILES.report);
  await writeFileAtomic(file, reportPage({ results, databases, pictures, thumbnails, training }));
  return file;
}

/** History of the run that a checkpoint is part of. */
async function historyOf(source: WeightSource | "predictions"): Promise<TrainingHistory> {
  if (source === "predictions") return { ok: false, reason: "the scores are from a file" };
  if (source.kind === "file") return { ok: false, reason: "a weight file has no record of its training" };
  const file = path.join(path.dirname(path.resolve(source.folder)), RUN_FILES.metrics);
  if (!existsSync(file)) return { ok: false, reason: `the checkpoint has no ${RUN_FILES.metrics} beside it` };
  const { trainingHistory } = await import("../../evaluate/report/training.js");
  return trainingHistory(await readFile(file, "utf8"));
}

/** Thumbnails of files; a file that cannot be read gives its reason. */
export async function readThumbnails(
  files: readonly string[],
  images: ImageOptions,
  { side, quality }: { readonly side: number; readonly quality: number },
): Promise<Map<string, Picture>> {
  const unique = [...new Set(files)];
  const pictures = await mapConcurrent(unique, FILES_AT_ONCE, async (file): Promise<Picture> => {
    if (file === NO_FILE) return { ok: false, reason: "its path leads out of the folder of its list" };
    try {
      return { ok: true, webp: await encodeWebp(await loadImage(file, images), side, quality) };
    } catch (error) {
      if (error instanceof DataError) return { ok: false, reason: error.message };
      throw error;
    }
  });
  return new Map(unique.map((file, i) => [file, pictures[i] ?? { ok: false, reason: "not read" }]));
}
