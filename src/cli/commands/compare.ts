import type { CompareCommandOptions } from "../../api/compare.js";
import { defineCommand } from "../command.js";
import { engineOptions, scoringOptions, wholeNumberOption } from "../options.js";

export const compareCommand = defineCommand<CompareCommandOptions>({
  command: "compare <paths..>",
  describe: "find the images on which two models disagree most, and show them",
  builder: (yargs) =>
    scoringOptions(
      engineOptions(yargs)
        .option("checkpoint", { type: "string", requiresArg: true, demandOption: true, describe: "the one model, A" })
        .option("against", { type: "string", requiresArg: true, demandOption: true, describe: "the other model, B" })
        .option("out", {
          type: "string",
          requiresArg: true,
          demandOption: true,
          describe: "folder for compare.html and compare.json",
        })
        .option("levels", {
          ...wholeNumberOption("levels", 1),
          describe: "levels that each model's range of scores is cut into  [default: 6]",
        }),
    )
      .example("$0 compare photos --checkpoint checkpoints/kadid --against checkpoints/koniq --out pairs", "two runs")
      .example("$0 compare photos --checkpoint A --against B --out pairs --levels 10", "levels more alike"),
  handler: async (args) => {
    const { compareModels } = await import("../../api/compare.js");
    await compareModels(args);
  },
});
