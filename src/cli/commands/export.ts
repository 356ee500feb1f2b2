import type { Exported } from "../../export/exportModel.js";
import { EXPORT_FORMATS } from "../../export/formatNames.js";
import { defineCommand } from "../command.js";
import { engineOptions, flagOption, kindOptions, promptOptions, requiredOption, textOption } from "../options.js";
import { createProgress, theOnlyRun } from "../progress.js";
import { listenForStop } from "../signals.js";

const CHECKPOINT =
  "a run, a split's folder, a checkpoint folder or a weight file  [default: the only run under checkpoints/]";

const SMALL = "a quarter of the size";

export const exportCommand = defineCommand({
  command: "export",
  describe: "write weights for other programs, and check that they give the same scores",
  builder: (yargs) =>
    promptOptions(kindOptions(engineOptions(yargs)))
      .option("checkpoint", textOption(CHECKPOINT))
      .option("format", requiredOption(`${EXPORT_FORMATS.join(", ")}: one or more, with commas`))
      .option("dtype", textOption("how weights are stored: f32, f16, int8 (onnx), uint8 (tfjs)  [default: f32]"))
      .option("out", requiredOption("gets a folder for each format"))
      .option("force", flagOption("replace folders that are there"))
      .example("$0 export --checkpoint checkpoints/kadid --format onnx,tfjs --out export", "a folder each")
      .example("$0 export --checkpoint checkpoints/kadid --format hub --out export", "a Hugging Face model folder")
      .example("$0 export --checkpoint RUN --format onnx --dtype int8 --out small", SMALL),
  writes: ({ out }) => [out],
  handler: async (args) => {
    const { exportModel } = await import("../../api/exportModel.js");
    const progress = createProgress();
    const stop = listenForStop(progress.note, "stopping after this format; nothing is kept. Once more stops at once");
    try {
      const { checkpoint = await theOnlyRun(), ...options } = args;
      const exported = await exportModel(checkpoint, { ...options, signal: stop.signal, onProgress: progress.onEvent });
      for (const folder of exported) process.stdout.write(`${describe(folder)}\n`);
      const exitCode = stop.exitCode();
      if (exitCode !== undefined && exported.length === 0) process.exitCode = exitCode;
    } finally {
      stop.dispose();
      progress.stop();
    }
  },
});

function describe({ folder, dtype, exact, parity }: Exported): string {
  const { runtime, tolerance, largestDifference } = parity;
  const difference = `quality within ${largestDifference.quality.toExponential(1)} (tolerance ${tolerance.quality})`;
  const kept = exact.length === 0 ? "" : ` (${exact.length} ${exact.length === 1 ? "tensor" : "tensors"} in float32)`;
  return `${folder}: ${dtype}${kept}, read back by ${runtime}: ${difference}`;
}
