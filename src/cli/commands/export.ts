import type { ExportCommandOptions } from "../../api/exportCheckpoint.js";
import { defineCommand } from "../command.js";
import { engineOptions } from "../options.js";

export const exportCommand = defineCommand<ExportCommandOptions>({
  command: "export",
  describe: "write weights for inference packages, and prove that they score the same",
  builder: (yargs) =>
    engineOptions(yargs)
      .option("checkpoint", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "a run, a split's folder, a checkpoint folder or a weight file",
      })
      .option("format", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "safetensors, openai, onnx, tfjs: one or more, with commas",
      })
      .option("dtype", {
        type: "string",
        requiresArg: true,
        describe: "how weights are stored: f32, f16, int8 (onnx), uint8 (tfjs)  [default: f32]",
      })
      .option("out", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "gets a folder for each format",
      })
      .option("force", { type: "boolean", default: false, describe: "replace folders that are there" })
      .example("$0 export --checkpoint checkpoints/kadid --format safetensors,openai --out export", "")
      .example(
        "$0 export --checkpoint checkpoints/kadid --format onnx --dtype int8 --out small",
        "a quarter of the size",
      ),
  handler: async (args) => {
    const { exportCheckpoint } = await import("../../api/exportCheckpoint.js");
    await exportCheckpoint(args);
  },
});
