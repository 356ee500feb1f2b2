import type { ListedRun } from "../../api/runs.js";
import { formatDuration } from "../../base/text.js";
import { defineCommand, printReport, table } from "../command.js";
import { jsonOption } from "../options.js";

export const runsCommand = defineCommand({
  command: "runs [folder]",
  describe: "list what was trained: state, epochs, best validation SRCC, time",
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

const HEAD = ["run", "split", "state", "epoch", "best", "time"];

function describeRuns(folder: string, runs: readonly ListedRun[]): string {
  if (runs.length === 0) return `${folder}: holds no run\n`;
  const rows = runs.map(({ run, split, state, epoch, epochs, best, seconds }) => [
    ...[run, String(split), state, `${epoch}/${epochs ?? "?"}`],
    best === null ? "-" : `${best.srcc.toFixed(3)} (epoch ${best.epoch})`,
    formatDuration(seconds),
  ]);
  return table([HEAD, ...rows]);
}
