import { defineCommand } from "../command.js";
import { engineOptions } from "../options.js";

const SET = "change a value of the config: train.epochs=2";

export const trainCommand = defineCommand({
  command: "train",
  describe: "train a model, or take a run up again",
  builder: (yargs) =>
    engineOptions(yargs)
      .option("config", { type: "string", requiresArg: true, describe: "a YAML file, or the name of one in configs/" })
      .option("set", { type: "string", array: true, nargs: 1, describe: SET })
      .option("split", { type: "string", requiresArg: true, describe: "a split or a range, 1-10  [default: 1]" })
      .option("out", { type: "string", requiresArg: true, describe: "the run's folder  [default: checkpoints/<run>]" })
      .option("resume", { type: "string", requiresArg: true, describe: "a run, or one split of it, to go on with" })
      .option("dry-run", {
        type: "boolean",
        default: false,
        describe: "check everything, try three steps, say what the run costs; write nothing",
      })
      .conflicts("resume", ["config", "split", "out"])
      .example("$0 train --config kadid.yaml --split 1-10", "")
      .example("$0 train --resume checkpoints/kadid", ""),
  handler: async ({ set, ...args }) => {
    const { trainRuns } = await import("../../api/train/train.js");
    await trainRuns({ ...args, set: set ?? [] });
  },
});
