import type { DataDescription } from "../../api/describeData.js";
import { ConfigError } from "../../base/errors.js";
import { COLUMN_KINDS, FORMATS } from "../../data/lists/formats/names.js";
import { defineCommand, printReport } from "../command.js";
import { jsonOption, listOption, textOption } from "../options.js";

export const dataDescribeCommand = defineCommand({
  command: "describe <path>",
  describe: "say what a list or folder holds, and the command that trains on it",
  builder: (yargs) =>
    yargs
      .positional("path", { type: "string", demandOption: true, describe: "a list, or a folder with lists and images" })
      .option("images", textOption("the folder of the images  [default: the path, or where it lies]"))
      .option("format", { ...textOption("the form of the list, where its contents do not tell"), choices: FORMATS })
      .option("columns", listOption(`the list's columns, KIND=NAME each; kinds: ${COLUMN_KINDS.join(", ")}`))
      .option("direction", { ...textOption("which scores are better"), choices: ["higher", "lower"] as const })
      .option("split", textOption("the set of splits to take, where there are several"))
      .option("json", jsonOption)
      .example("$0 data describe meta_info_KonIQ10kDataset.csv", "")
      .example("$0 data describe photos --columns image=file,mos=quality", "a table of one's own"),
  handler: async ({ path, images, format, direction, split, columns, ...options }) => {
    const { describeData } = await import("../../api/describeData.js");
    const choice = { images, format, direction, split, columns: columnsOf(columns) };
    printReport(await describeData(path, choice), options, (description) => describe(path, description));
  },
});

/** Columns by their kinds. @throws {ConfigError} naming what is not KIND=NAME */
function columnsOf(given: readonly string[]): Partial<Record<(typeof COLUMN_KINDS)[number], string>> {
  const columns: Partial<Record<(typeof COLUMN_KINDS)[number], string>> = {};
  for (const one of given.flatMap((text) => text.split(","))) {
    const [, key = "", name = ""] = /^([^=]*)=(.+)$/.exec(one) ?? [];
    const kind = COLUMN_KINDS.find((known) => known === key);
    if (kind === undefined)
      throw new ConfigError(`--columns ${one}: must be KIND=NAME, where KIND is ${COLUMN_KINDS.join(", ")}`);
    columns[kind] = name;
  }
  return columns;
}

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
    `  splits       ${splits.length === 0 ? "none: 70/10/20 is drawn by content" : `${splits.length} (${sizes.join("")})`}`,
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
