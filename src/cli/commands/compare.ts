import { defineCommand } from "../command.js";
import type { CompareCommandOptions } from "../compareModels.js";
import { engineOptions, wholeNumber } from "../options.js";

export const compareCommand = defineCommand<CompareCommandOptions>({
  command: "compare <paths..>",
  describe: "find the images on which two models disagree most, and show them",
  builder: (yargs) =>
    engineOptions(yargs)
      .positional("paths", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "images, folders, patterns such as 'photos/**/*.jpg', or - for a list on standard input",
      })
      .option("checkpoint", { type: "string", requiresArg: true, demandOption: true, describe: "the one model, A" })
      .option("against", { type: "string", requiresArg: true, demandOption: true, describe: "the other model, B" })
      .option("out", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "folder for compare.html and compare.json",
      })
      .option("recursive", { type: "boolean", default: false, describe: "also the folders in folders" })
      .option("levels", {
        type: "string",
        requiresArg: true,
        describe: "levels that each model's range of scores is cut into  [default: 6]",
        coerce: (given: string | undefined) => wholeNumber("--levels", given, 1),
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
      .example("$0 compare photos --checkpoint checkpoints/kadid --against checkpoints/koniq --out pairs", "two runs")
      .example("$0 compare photos --checkpoint A --against B --out pairs --levels 10", "levels more alike"),
  handler: async (args) => {
    const { compareModels } = await import("../compareModels.js");
    await compareModels(args);
  },
});
