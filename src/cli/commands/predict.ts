import type { PredictCommandOptions } from "../../api/predict.js";
import { ConfigError } from "../../base/errors.js";
import { defineCommand } from "../command.js";
import { engineOptions, scoringOptions } from "../options.js";

export const predictCommand = defineCommand<PredictCommandOptions>({
  command: "predict <paths..>",
  describe: "say how good photographs are, what they show and what is wrong with them",
  builder: (yargs) =>
    scoringOptions(
      engineOptions(yargs)
        .option("checkpoint", {
          type: "string",
          requiresArg: true,
          demandOption: true,
          describe: "a run, a checkpoint folder or a weight file",
        })
        .option("json", { type: "boolean", default: false, describe: "one JSON object a line on standard output" })
        .option("csv", { type: "boolean", default: false, describe: "a table in CSV on standard output" })
        .option("heatmap", {
          type: "string",
          requiresArg: true,
          describe: "folder for pictures of the scores, window by window",
        }),
    )
      .check(({ json, csv }) => {
        if (json && csv) throw new ConfigError("liqe predict: --json and --csv do not go together; which one?");
        return true;
      })
      .example("$0 predict photo.jpg --checkpoint checkpoints/kadid", "a sentence")
      .example("$0 predict photos --checkpoint checkpoints/kadid --json", "a JSON object for each image")
      .example("find . -name '*.png' | $0 predict - --checkpoint checkpoints/kadid --csv", "those of a list"),
  handler: async (args) => {
    const { predictFiles } = await import("../../api/predict.js");
    await predictFiles(args);
  },
});
