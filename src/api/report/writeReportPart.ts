/** `report.html`: gathers what it shows from files, and writes it. Charts take a second to load: import it when needed. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeFileAtomic } from "../../base/files.js";
import type { ImageOptions } from "../../data/images/loadImage.js";
import type { Results } from "../../evaluate/evaluate.js";
import type { ReportedDatabase } from "../../evaluate/report/reportPage.js";
import { reportPage } from "../../evaluate/report/reportPage.js";
import type { TrainingHistory } from "../../evaluate/report/training.js";
import { trainingHistory } from "../../evaluate/report/training.js";
import { worstImages } from "../../evaluate/report/worstImages.js";
import type { EvaluatedDatabase } from "../../evaluate/results/databaseResults.js";
import { RUN_FILES } from "../../train/checkpoint/runFolder.js";
import type { WeightSource } from "../load.js";
import { readPictures } from "./readPictures.js";

/** Thumbnails on a page: at most `MOST` in all, so that it stays small, and this many of a database. */
const THUMBNAILS = { ofDatabase: 12, fewest: 2, most: 96 };
const THUMBNAIL_SIDE = 360;
const THUMBNAIL_QUALITY = 75;

export interface ReportSource {
  readonly results: Results;
  /** In the order of the results' databases. */
  readonly evaluated: readonly EvaluatedDatabase[];
  /** How images were read. */
  readonly images: ImageOptions;
  readonly training: TrainingHistory;
}

/** @returns the file */
export async function writeReport(folder: string, { results, evaluated, images, training }: ReportSource) {
  const { ofDatabase, fewest, most } = THUMBNAILS;
  const shown = Math.max(fewest, Math.min(ofDatabase, Math.floor(most / Math.max(1, evaluated.length))));
  const databases = results.databases.map((database, i): ReportedDatabase => {
    const predictions = evaluated[i]?.predictions ?? [];
    return { results: database, predictions, worst: worstImages(database, predictions, shown) };
  });
  const files = databases.flatMap(({ worst }) => worst.map(({ prediction }) => prediction.file));
  const pictures = await readPictures(files, images, { side: THUMBNAIL_SIDE, quality: THUMBNAIL_QUALITY });
  const file = path.join(folder, RUN_FILES.report);
  await writeFileAtomic(file, reportPage({ results, databases, pictures, training }));
  return file;
}

/** The history of the run that a checkpoint is part of. */
export async function historyOf(source: WeightSource): Promise<TrainingHistory> {
  if (source.kind === "file") return { ok: false, reason: "a weight file has no record of its training" };
  const file = path.join(path.dirname(path.resolve(source.folder)), RUN_FILES.metrics);
  if (!existsSync(file)) return { ok: false, reason: `the checkpoint has no ${RUN_FILES.metrics} beside it` };
  return trainingHistory(await readFile(file, "utf8"));
}
