import { text } from "node:stream/consumers";
import type { PredictedImage, Prediction } from "../../api/predict.js";
import { ConfigError } from "../../base/errors.js";
import { csvRow } from "../../base/text.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exitCodes.js";
import { engineOptions, flagOption, requiredOption, scoringOptions, textOption } from "../options.js";
import { withProgress } from "../progress.js";

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
      const onProgress: typeof progress.onEvent = (event) => {
        if (event.kind === "note" || !process.stdout.isTTY) progress.onEvent(event);
      };
      if (options.orientation === "apply") progress.note("images are turned as EXIF says (--orientation apply)");
      let head: string | null = outputHead(format);
      for await (const prediction of predict(paths, { ...options, onProgress, readList: () => text(process.stdin) })) {
        if (head !== null) process.stdout.write(head);
        head = null;
        const isFailed = "error" in prediction;
        if (isFailed) process.exitCode = EXIT.data;
        if (isFailed && format === "text") progress.note(prediction.error);
        else process.stdout.write(outputLine(prediction, format, options.orientation));
      }
      if (head !== null) process.stdout.write(head);
    });
  },
});

type OutputFormat = "text" | "json" | "csv";

const COLUMNS = ["image", "quality", "scene", "distortion", "uncertainty", "enlarged", "heatmap", "error"];

/** Text before the first image. */
function outputHead(format: OutputFormat): string {
  return format === "csv" ? csvRow(COLUMNS) : "";
}

/** Line of a prediction or of its failure. */
function outputLine(prediction: Prediction, format: OutputFormat, orientation: "ignore" | "apply"): string {
  const turned = orientation === "apply" && !("error" in prediction) ? { orientation } : {};
  if (format === "json") return `${JSON.stringify({ ...jsonOf(prediction), ...turned })}\n`;
  if (format === "csv") return csvRow(csvOf(prediction));
  return "error" in prediction ? `${prediction.error}\n` : `${sentence(prediction)}\n`;
}

function jsonOf(prediction: Prediction) {
  if ("error" in prediction) return prediction;
  const { image, quality, scene, distortion, probabilities, uncertainty, isEnlarged, heatmap, windows } = prediction;
  return {
    ...{ image, quality, scene, distortion, probabilities, uncertainty },
    ...(isEnlarged ? { enlarged: true } : {}),
    ...(heatmap === null ? {} : { heatmap, crops: windows }),
  };
}

function csvOf(prediction: Prediction): (string | number)[] {
  if ("error" in prediction) return [prediction.image, "", "", "", "", "", "", prediction.error];
  const { image, quality, scene, distortion, uncertainty, isEnlarged, heatmap } = prediction;
  return [image, quality, scene ?? "", distortion ?? "", uncertainty, isEnlarged ? "true" : "", heatmap ?? "", ""];
}

/** Published scenes that are no countable nouns, as a sentence has them; prompts keep the label itself. */
const SCENE_WORDS: Readonly<Record<string, string>> = {
  indoor: "an indoor scene",
  night: "a night scene",
  others: "something else",
};

/** Sentence: *coffee.jpg is a photo of a still life with blur artifacts, of perceptual quality 2.87 (1 to 5)*. */
export function sentence(prediction: Omit<PredictedImage, "probabilities" | "uncertainty" | "windows">): string {
  const { image, scene, distortion, quality, levels, isEnlarged, heatmap } = prediction;
  const of = scene === null ? "" : ` of ${SCENE_WORDS[scene] ?? withArticle(scene.replaceAll("_", " "))}`;
  const artifacts = distortion === null ? "" : ` with ${distortion} artifacts`;
  const comma = of + artifacts === "" ? "" : ",";
  return [
    `${image} is a photo${of}${artifacts}${comma} of perceptual quality ${quality.toFixed(2)} (1 to ${levels})`,
    ...(isEnlarged ? ["enlarged to 224 pixels"] : []),
    ...(heatmap === null ? [] : [`heatmap: ${heatmap}`]),
  ].join("; ");
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/i.test(noun) ? "an" : "a"} ${noun}`;
}
