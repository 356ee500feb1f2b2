import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { writeNamedFile } from "../../base/folders.js";
import { readResults, type SavedResults } from "../../evaluate/results/splitSummary.js";
import { RUN_FILES, splitOf } from "../../train/checkpoint/runFolder.js";
import { runState } from "../../train/checkpoint/runState.js";
import { type ConfigDifference, configDifferences } from "../config.js";
import { type ListedRun, listRuns, onlyRun } from "../runs.js";

/** One split of a run in a report on several. */
interface ReportedRun extends ListedRun {
  /** Mean validation SRCC after an epoch, by the optimizer steps until then. */
  readonly validation: readonly { readonly step: number; readonly srcc: number }[];
  /** Contents of its `results.json` that are compared; null where its results are not there. */
  readonly results: SavedResults | null;
}

/** Report on several runs. */
export interface RunsReport {
  readonly runs: readonly ReportedRun[];
  /** Keys of the configs that are not the same in all of them; `values` in the order of the runs. */
  readonly differences: readonly ConfigDifference[];
}

/**
 * Gathers several runs for one page: states, results, validation curves, and where their configs differ.
 * @param names  runs, splits or folders of runs; none: the only run under `checkpoints/`
 * @param note   told which run that is
 * @throws {ConfigError} where one of them is no run, or none was named and there is not exactly one
 * @throws {DataError} where one's results cannot be read
 */
export async function reportRuns(names: readonly string[], note: (line: string) => void): Promise<RunsReport> {
  const named = names.length === 0 ? [await onlyRun(note)] : names;
  const listed = (await Promise.all(named.map(runsOf))).flat();
  const unique = [...new Map(listed.map((run) => [path.resolve(run.folder), run])).values()];
  const runs = await Promise.all(unique.map(withMeasures));
  return {
    runs,
    differences: configDifferences(unique.map(({ folder }) => configOf(folder))).filter(({ key }) => key !== "run"),
  };
}

/** Writes the page of a report. @param file  its path, `.html`; its folder is made. @throws {ConfigError} where that is a folder */
export async function writeRunsPage(file: string, { runs, differences }: RunsReport): Promise<void> {
  const { runsPage } = await import("../../evaluate/report/runsPage.js"); // its charts take a second to load
  const names = new Set(runs.map(({ run, split }) => `${run}, split ${split}`));
  const isUnique = names.size === runs.length;
  const shown = runs.map((run) => {
    const report = path.join(run.folder, RUN_FILES.report);
    const title = `${isUnique ? run.run : path.dirname(run.folder)}, split ${run.split}`;
    return { ...run, title, report: existsSync(report) ? addressOf(report, file) : null };
  });
  await writeNamedFile(file, runsPage({ runs: shown, differences }));
}

/** Address of a file relative to a page. */
function addressOf(file: string, pageFile: string): string {
  const relative = path.relative(path.dirname(path.resolve(pageFile)), path.resolve(file));
  return relative.split(path.sep).map(encodeURIComponent).join("/");
}

/** Splits of a run, of a folder of runs, or the one split that is named. @throws {ConfigError} where there are none */
async function runsOf(name: string): Promise<ListedRun[]> {
  const folder = path.resolve(name);
  const split = splitOf(folder);
  const all = await listRuns(split === null ? name : path.dirname(name));
  const found = all.filter((run) => split === null || run.split === split);
  if (found.length > 0) return found;
  throw new ConfigError(`${name}: is no run, no split of one and no folder of runs; liqe runs lists what there is`);
}

async function withMeasures(run: ListedRun): Promise<ReportedRun> {
  const { trainingHistory } = await import("../../evaluate/report/training.js");
  const history = trainingHistory(await readFile(path.join(run.folder, RUN_FILES.metrics), "utf8").catch(() => ""));
  const epochs = history.ok ? history.epochs : [];
  const validation = epochs.flatMap(
    ({ step, validation: measured }) => (typeof measured?.srcc === "number" ? [{ step, srcc: measured.srcc }] : []), // of pairs there is no such curve
  );
  const file = path.join(run.folder, RUN_FILES.results);
  return { ...run, validation, results: existsSync(file) ? await readResults(file) : null };
}

function configOf(folder: string): unknown {
  const state = runState(folder);
  return state.kind === "known" ? state.config : {};
}
