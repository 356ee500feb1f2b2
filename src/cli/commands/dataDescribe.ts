import type { DataDescription } from "../../api/describeData.js";
import { defineCommand, printReport } from "../command.js";
import { jsonOption, textOption } from "../options.js";
import { choiceOf, sourceOptions } from "../sourceOptions.js";

export const dataDescribeCommand = defineCommand({
  command: "describe <path>",
  describe: "say what a list or folder holds, and the command that trains on it",
  builder: (yargs) =>
    sourceOptions(yargs)
      .option("split", textOption("the set of splits to take, where there are several"))
      .option("json", jsonOption)
      .example("$0 data describe meta_info_KonIQ10kDataset.csv", "")
      .example("$0 data describe photos --columns image=file,mos=quality", "a table of one's own"),
  writes: () => [],
  handler: async ({ path, split, ...options }) => {
    const { describeData } = await import("../../api/describeData.js");
    printReport(await describeData(path, { ...choiceOf(options), split }), options, (description) =>
      describe(path, description),
    );
  },
});

function describe(place: string, description: DataDescription): string {
  const { format, database, images, missingImages, scores, deviations, splits, ambiguities, notes } = description;
  const { column, min, max, direction } = scores;
  const there = missingImages === 0 ? "all there" : `${missingImages} of them not there`;
  const sizes = splits.slice(0, 1).map(({ train, val, test }) => `the first: ${train} train, ${val} val, ${test} test`);
  return [
    `${place}: ${format}${database === null ? "" : `, ${database}`}`,
    `  images       ${images}, ${there}`,
    `  scores       ${column}, ${min} to ${max}, ${direction} is better`,
    `  deviations   ${deviations === null ? "none" : `${deviations.column}, mean ${Number(deviations.mean.toPrecision(4))}`}`,
    `  splits       ${format === "pairs" ? "none" : splits.length === 0 ? "none: 70/10/20 is drawn by content" : `${splits.length} (${sizes.join("")})`}`,
    `  labels       ${description.distortions} distortions, ${description.scenes} scenes, ${description.groups} contents`,
    ...(description.ignoredColumns.length === 0 ? [] : [`  not looked at  ${description.ignoredColumns.join(", ")}`]),
    ...notes.map((note) => `  note         ${note}`),
    ...ambiguities.flatMap(({ what, readings, flag }) => [
      `  WHICH?       ${what}: ${flag}`,
      ...readings.map((reading) => `                 ${reading}`),
    ]),
    `  train by     ${description.command}`,
    "",
  ].join("\n");
}
