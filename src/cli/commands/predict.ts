import { ConfigError } from "../../base/errors.js";
import { defineCommand } from "../command.js";
import { engineOptions, wholeNumber } from "../options.js";
import type { PredictCommandOptions } from "../predictFiles.js";

export const predictCommand = defineCommand<PredictCommandOptions>({
  command: "predict <paths..>",
  describe: "say how good photographs are, what they show and what is wrong with them",
  builder: (yargs) =>
    engineOptions(yargs)
      .positional("paths", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "images, folders, patterns such as 'photos/**/*.jpg', or - for a list on standard input",
      })
      .option("checkpoint", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "a run, a checkpoint folder or a weight file",
      })
      .option("recursive", { type: "boolean", default: false, describe: "also the folders in folders" })
      .option("json", { type: "boolean", default: false, describe: "one JSON object a line on standard output" })
      .option("csv", { type: "boolean", default: false, describe: "a table in CSV on standard output" })
      .option("heatmap", {
        type: "string",
        requiresArg: true,
        describe: "folder for pictures of the scores, window by window",
      })
      .option("crops", {
        type: "string",
        requiresArg: true,
        describe: "windows an image is scored by  [default: 15]",
        coerce: (given: string | undefined) => wholeNumber("--crops", given, 1),
      })
      .option("small", {
        choices: ["error", "resize"] as const,
        default: "error" as const, // not any string: one of the choices
        describe: "resize: enlarge images below 224 pixels on a side",
      })
      .check(({ json, csv }) => {
        if (json && csv) throw new ConfigError("liqe predict: --json and --csv do not go together; which one?");
        return true;
      })
      .example("$0 predict photo.jpg --checkpoint checkpoints/kadid", "a sentence")
      .example("$0 predict photos --checkpoint checkpoints/kadid --json", "a JSON object for each image")
      .example("find . -name '*.png' | $0 predict - --checkpoint checkpoints/kadid --csv", "those of a list"),
  handler: async (args) => {
    const { predictFiles } = await import("../predictFiles.js");
    await predictFiles(args);
  },
});
