import { text } from "node:stream/consumers";
import { ConfigError } from "../../base/errors.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exitCodes.js";
import { engineOptions, flagOption, requiredOption, scoringOptions, textOption } from "../options.js";
import { type OutputFormat, outputHead, outputLine } from "../predictions.js";
import { type Progress, withProgress } from "../progress.js";

export const predictCommand = defineCommand({
  command: "predict <paths..>",
  describe: "say how good photographs are, what they show and what is wrong with them",
  builder: (yargs) =>
    scoringOptions(
      engineOptions(yargs)
        .option("checkpoint", requiredOption("a run, a checkpoint folder or a weight file"))
        .option("json", flagOption("one JSON object a line on standard output"))
        .option("csv", flagOption("a table in CSV on standard output"))
        .option("heatmap", textOption("folder for pictures of the scores, window by window")),
    )
      .check(({ json, csv }) => {
        if (json && csv) throw new ConfigError("liqe predict: --json and --csv do not go together; which one?");
        return true;
      })
      .example("$0 predict photo.jpg --checkpoint checkpoints/kadid", "a sentence")
      .example("$0 predict photos --checkpoint checkpoints/kadid --json", "a JSON object for each image")
      .example("find . -name '*.png' | $0 predict - --checkpoint checkpoints/kadid --csv", "those of a list"),
  handler: async ({ paths, json, csv, ...options }) => {
    const { predict } = await import("../../api/predict.js");
    const format: OutputFormat = json ? "json" : csv ? "csv" : "text";
    await withProgress(async (progress) => {
      // A bar would tear the lines of a terminal that shows both; those lines are progress enough
      const onProgress: Progress["onEvent"] = (event) => {
        if (event.kind === "note" || !process.stdout.isTTY) progress.onEvent(event);
      };
      let head: string | null = outputHead(format);
      for await (const prediction of predict(paths, { ...options, onProgress, readList: () => text(process.stdin) })) {
        if (head !== null) process.stdout.write(head);
        head = null;
        const isFailed = "error" in prediction;
        if (isFailed) process.exitCode = EXIT.data;
        if (isFailed && format === "text") progress.note(prediction.error);
        else process.stdout.write(outputLine(prediction, format));
      }
      if (head !== null) process.stdout.write(head);
    });
  },
});
