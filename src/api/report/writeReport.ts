/** What an evaluation leaves: `results.json`, `predictions.csv` and `report.html`. */
import path from "node:path";
import { writeFileAtomic } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import type { Progress } from "../../cli/progress.js";
import { predictionsCsv } from "../../evaluate/scoring/predictions.js";
import { RUN_FILES } from "../../train/checkpoint/runFolder.js";
import type { WeightSource } from "../load.js";
import type { ReportSource } from "./writeReportPart.js";

const SEVERAL_RUNS = { ok: false, reason: "each split has a run of its own; see its folder" } as const;

/**
 * @param folder  null: nowhere, and that is said
 * @param source  whose training the report shows; null for several runs
 */
export async function writeResults(
  folder: string | null,
  reported: Omit<ReportSource, "training">,
  source: WeightSource | null,
  progress: Progress,
): Promise<void> {
  if (folder === null) {
    progress.note("nothing was written: the weights belong to no run; --out DIR names a folder");
    return;
  }
  await makeFolders(folder);
  const { results, evaluated } = reported;
  const file = path.join(folder, RUN_FILES.results);
  await writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`);
  const predictions = evaluated.flatMap((database) => database.predictions);
  await writeFileAtomic(path.join(folder, RUN_FILES.predictions), predictionsCsv(predictions));
  const { historyOf, writeReport } = await import("./writeReportPart.js");
  await writeReport(folder, { ...reported, training: source === null ? SEVERAL_RUNS : await historyOf(source) });
  progress.note(`${file}, ${RUN_FILES.predictions} and ${RUN_FILES.report} written`);
}
