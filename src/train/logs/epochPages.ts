/** Pages on a run's epochs: `results.csv`, and `report.html` until the evaluation writes its own. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { isMissing, writeFileAtomic } from "../../base/files.js";
import { csvRow } from "../../base/text.js";
import { CHOOSING_MEASURES, chosenBy } from "../../evaluate/chosenBy.js";
import { RUN_FILES } from "../checkpoint/runFolder.js";
import type { RunPlan } from "../plan.js";
import type { Validation } from "../progress.js";
import type { RunValidation } from "../validate.js";
import type { EpochMetrics } from "./metricsLog.js";

/** Seconds after which a browser that shows a run at work reads its report again. */
const REFRESH_SECONDS = 15;

/** Line of metrics.jsonl on an epoch, as `RunLogs` wrote it. */
type EpochLine = Omit<EpochMetrics, "validation"> & {
  readonly validation: (Validation & Partial<RunValidation>) | null;
};

/** Writes both files from the run's metrics.jsonl, whose newest line is of the epoch that ended. */
export async function writeEpochPages(
  { folder, split, config: { train } }: RunPlan,
  { isTraining }: { readonly isTraining: boolean },
): Promise<void> {
  const metrics = await readFile(path.join(folder, RUN_FILES.metrics), "utf8");
  const epochs = epochLines(metrics);
  await writeFileAtomic(path.join(folder, RUN_FILES.epochs), epochsCsv(epochs));
  const { progressPage } = await import("../../evaluate/report/progressPage.js"); // its charts take a second to load
  const { trainingHistory } = await import("../../evaluate/report/training.js");
  const page = progressPage({
    ...{ folder, split, epochs: train.epochs, table: epochTable(epochs), training: trainingHistory(metrics) },
    measure: CHOOSING_MEASURES[isOfPairs(epochs) ? "pairs" : "srcc"],
    firstBatch: existsSync(path.join(folder, RUN_FILES.firstBatch)) ? RUN_FILES.firstBatch : null,
    refreshSeconds: isTraining ? REFRESH_SECONDS : undefined,
  });
  await writeFileAtomic(path.join(folder, RUN_FILES.report), page);
}

/** Takes the refreshing out of a report of training: nothing trains any more. */
export async function stopRefreshing(folder: string): Promise<void> {
  const file = path.join(folder, RUN_FILES.report);
  try {
    const text = await readFile(file, "utf8");
    const still = text.replace(/\n *<meta http-equiv="refresh"[^>]*>/, "");
    if (still !== text) await writeFileAtomic(file, still);
  } catch (error) {
    if (!isMissing(error)) throw error; // no epoch has ended yet
  }
}

function epochLines(metrics: string): EpochLine[] {
  return metrics
    .split("\n")
    .filter((line) => line.startsWith('{"kind":"epoch"'))
    .map((line) => JSON.parse(line) as EpochLine); // our own file
}

/** Names and values of an epoch's columns, the same names in each line of a run. */
function columnsOf(epochs: readonly EpochLine[]) {
  const tasks = Object.keys(epochs[0]?.losses ?? {});
  const databases = [
    ...new Set(epochs.flatMap(({ validation }) => validation?.databases?.map(({ name }) => name) ?? [])),
  ];
  type Read = (line: EpochLine) => number | string | null | undefined;
  const ofDatabase = (name: string) => {
    const found = ({ validation }: EpochLine) => validation?.databases?.find((database) => database.name === name);
    if (epochs.some((line) => found(line)?.pairs !== undefined)) {
      return [[`${name}_pair_accuracy`, (line: EpochLine) => found(line)?.pairAccuracy]] as [string, Read][];
    }
    return [
      [`${name}_srcc`, (line: EpochLine) => found(line)?.srcc],
      [`${name}_scene_accuracy`, (line: EpochLine) => found(line)?.sceneAccuracy],
      [`${name}_distortion_accuracy`, (line: EpochLine) => found(line)?.distortionAccuracy],
    ] as [string, Read][];
  };
  return [
    ["epoch", ({ epoch }) => epoch + 1],
    ["steps", ({ step }) => step],
    ["loss", ({ loss }) => loss],
    ...tasks.map((task): [string, Read] => [`loss_${task}`, ({ losses }) => losses[task]]),
    ...tasks.map((task): [string, Read] => [`weight_${task}`, ({ weights }) => weights[task]]),
    ["learning_rate", ({ learningRate }) => learningRate],
    ["val_srcc", ({ validation }) => validation?.srcc],
    ...(isOfPairs(epochs) ? [["val_pairs", ({ validation }) => validation?.pairs] as [string, Read]] : []),
    ["val_average", ({ validation }) => validation?.average],
    ...databases.flatMap(ofDatabase),
    ["seconds", ({ time }) => time.seconds],
  ] as [string, Read][];
}

/** True for a run that is validated on pairs alone. */
function isOfPairs(epochs: readonly EpochLine[]): boolean {
  return epochs.some(({ validation }) => validation?.pairs !== undefined);
}

/** CSV with a header and a line an epoch; a value that there is not is empty. */
function epochsCsv(epochs: readonly EpochLine[]): string {
  const columns = columnsOf(epochs);
  const rows = epochs.map((line) => csvRow(columns.map(([, read]) => read(line) ?? "")));
  return csvRow(columns.map(([name]) => name)) + rows.join("");
}

/** Epochs with what a person looks at first. */
function epochTable(
  epochs: readonly EpochLine[],
): { readonly epoch: number; readonly loss: number; readonly validation: number | null }[] {
  return epochs.map(({ epoch, loss, validation }) => ({
    epoch: epoch + 1,
    loss,
    validation: validation === null ? null : chosenBy(validation).value,
  }));
}
