import type { ListedRun } from "../../api/runs.js";
import { formatDuration, plural } from "../../base/text.js";
import { defineCommand, printReport, table } from "../command.js";
import { jsonOption, textOption } from "../options.js";

export const runsCommand = defineCommand({
  command: "runs [folder]",
  describe: "list what was trained: state, epochs, best validation SRCC (accuracy, of pairs), time",
  builder: (yargs) =>
    yargs
      .positional("folder", { type: "string", default: "checkpoints", describe: "a folder of runs, or one run" })
      .option("json", jsonOption)
      .example("$0 runs", "those under checkpoints/"),
  handler: async ({ folder, ...options }) => {
    const { listRuns } = await import("../../api/runs.js");
    printReport(await listRuns(folder), options, (runs) => describeRuns(folder, runs));
  },
});

export const reportCommand = defineCommand({
  command: "report [runs..]",
  describe: "put several runs on one page: states, results, validation, differences of their configs",
  builder: (yargs) =>
    yargs
      .positional("runs", {
        type: "string",
        array: true,
        default: [] as string[], // strings, of which none is the default
        describe: "runs, splits or folders of runs  [default: the only run under checkpoints/]",
      })
      .option("out", textOption("the page  [default: runs.html; with --json none]"))
      .option("json", jsonOption)
      .example("$0 report checkpoints/kadid checkpoints/mine", "writes runs.html")
      .example("$0 report checkpoints --json", "every run under checkpoints/, as JSON"),
  handler: async ({ runs, out, json }) => {
    const { reportRuns, writeRunsPage } = await import("../../api/report/reportRuns.js");
    const report = await reportRuns(runs, (line) => process.stderr.write(`${line}\n`));
    const file = out ?? (json ? null : "runs.html");
    if (file !== null) await writeRunsPage(file, report);
    if (json) printReport(report, { json }, () => "");
    else process.stdout.write(`${file ?? ""} written: ${plural(report.runs.length, "split")}\n`);
  },
});

const HEAD = ["run", "split", "state", "epoch", "best", "time"];

function describeRuns(folder: string, runs: readonly ListedRun[]): string {
  if (runs.length === 0) return `${folder}: holds no run\n`;
  const rows = runs.map(({ run, split, state, epoch, epochs, best, seconds }) => [
    ...[run, String(split), state, `${epoch}/${epochs ?? "?"}`],
    best === null ? "-" : `${best.value.toFixed(3)} (epoch ${best.epoch})`,
    formatDuration(seconds),
  ]);
  return table([HEAD, ...rows]);
}
