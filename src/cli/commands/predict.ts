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
        describe: "images, and folders of images",
      })
      .option("checkpoint", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "a run, a checkpoint folder or a weight file",
      })
      .option("json", { type: "boolean", default: false, describe: "one JSON object a line on standard output" })
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
      .example("$0 predict photo.jpg --checkpoint checkpoints/kadid", "a sentence")
      .example("$0 predict photos --checkpoint checkpoints/kadid --json", "a JSON object for each image"),
  handler: async (args) => {
    const { predictFiles } = await import("../predictFiles.js");
    await predictFiles(args);
  },
});
