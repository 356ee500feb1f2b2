import type { ConvertedData } from "../../api/lists/convertData.js";
import { plural } from "../../base/text.js";
import { WRITTEN_FORMS } from "../../data/lists/formats/names.js";
import { defineCommand, printReport } from "../command.js";
import { jsonOption, requiredOption, textOption } from "../options.js";
import { choiceOf, sourceOptions } from "../sourceOptions.js";

export const dataConvertCommand = defineCommand({
  command: "convert <path>",
  describe: "write lists in another form, for other programs",
  builder: (yargs) =>
    sourceOptions(yargs)
      .option("to", { ...requiredOption("the form to write"), choices: WRITTEN_FORMS })
      .option("out", requiredOption("folder for the lists, a new or empty one"))
      .option("split", textOption("the set of splits to take, where there are several"))
      .option("json", jsonOption)
      .example("$0 data convert IQA_Database/kadid10k --to iqa-pytorch --out kadid-pyiqa", "")
      .example("$0 data convert photos.csv --to webdataset --out shards", "images and scores in tar shards"),
  writes: ({ out }) => [out],
  handler: async ({ path, to, out, split, ...options }) => {
    const { convertData } = await import("../../api/lists/convertData.js");
    printReport(await convertData(path, { ...choiceOf(options), to, out, split }), options, describe);
  },
});

/** Files that are named; the others are counted. */
const SHOWN_FILES = 6;

function describe({ form, folder, images, splits, files, imagesIn, notes }: ConvertedData): string {
  const more = files.length > SHOWN_FILES ? `, and ${files.length - SHOWN_FILES} more` : "";
  return [
    `${folder}: ${form}, ${plural(images, "image")}, ${splits === 0 ? "no splits" : plural(splits, "split")}`,
    `  files        ${files.slice(0, SHOWN_FILES).join(", ")}${more}`,
    `  images       ${imagesIn === null ? "in these files" : `below ${imagesIn}`}`,
    ...notes.map((note) => `  note         ${note}`),
    "",
  ].join("\n");
}
