import path from "node:path";
import { text } from "node:stream/consumers";
import type { PredictedImage, PredictOptions, Prediction } from "../../api/predict.js";
import { predictionJson } from "../../api/predictions/predictionJson.js";
import type { ShardRun } from "../../api/predictions/predictShard.js";
import { ConfigError } from "../../base/errors.js";
import { csvRow } from "../../base/text.js";
import { parseShard } from "../arguments.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exitCodes.js";
import {
  engineOptions,
  flagOption,
  IN_THE_BOX,
  kindOptions,
  precisionOption,
  promptOptions,
  scoringOptions,
  textOption,
  wholeNumberOption,
} from "../options.js";
import { withProgress } from "../progress.js";

const ORDERS = ["quality", "-quality", "name"] as const;
type Order = (typeof ORDERS)[number];

export const predictCommand = defineCommand({
  command: "predict <paths..>",
  describe: "score photographs: quality, scene and distortion",
  builder: (yargs) =>
    scoringOptions(
      promptOptions(kindOptions(engineOptions(yargs)))
        .option("checkpoint", textOption(`a run, a checkpoint folder or a weight file  [default: ${IN_THE_BOX}]`))
        .option("json", flagOption("one JSON object a line on standard output"))
        .option("csv", flagOption("a table in CSV on standard output"))
        .option("out", textOption("write to this file instead: .csv, .jsonl, .json or .parquet"))
        .option("sort", { choices: ORDERS, requiresArg: true, describe: "worst first, best first, or by name" })
        .option("top", wholeNumberOption("top", 1, "only the first N; sorts by -quality unless --sort is given"))
        .option(
          "shard",
          textOption("score the i-th of n parts alone, i/n with i from 0; with --out a killed one goes on"),
        )
        .option("batch", wholeNumberOption("batch", 1, "windows computed at once  [default: 32]"))
        .option("precision", precisionOption)
        .option("heatmap", textOption("folder for pictures of the scores, window by window")),
    )
      .check(({ json, csv, out, shard, sort, top }) => {
        if (shard !== undefined && (sort !== undefined || top !== undefined)) {
          throw new ConfigError("liqe predict: --shard keeps the images' order; sort the shards together, afterwards");
        }
        if (shard !== undefined) parseShard(shard);
        if (json && csv) throw new ConfigError("liqe predict: --json and --csv do not go together; which one?");
        if (out !== undefined && (json || csv)) {
          throw new ConfigError("liqe predict: --out decides by the file's ending; leave --json and --csv out");
        }
        if (out !== undefined) formatOfFile(out);
        return true;
      })
      .example("$0 predict photo.jpg --checkpoint checkpoints/kadid", "a sentence")
      .example("$0 predict photo.jpg", "by liqe-small, the model in the box")
      .example("$0 predict photos --checkpoint checkpoints/kadid --sort -quality --top 10", "the ten best")
      .example("$0 predict photos --checkpoint checkpoints/kadid --out scores.csv", "a table in a file")
      .example("find . -name '*.png' | $0 predict - --checkpoint checkpoints/kadid --csv", "the files of a list"),
  writes: ({ out, heatmap }) => [
    ...(out === undefined ? [] : [path.dirname(out)]),
    ...(heatmap === undefined ? [] : [heatmap]),
  ],
  handler: async ({ paths, json, csv, out, sort, top, shard, ...options }) => {
    const format = out !== undefined ? formatOfFile(out) : json ? "jsonl" : csv ? "csv" : "text";
    const order = sort ?? (top === undefined ? null : "-quality");
    const { requireFilePlace, writeNamedFile } = await import("../../base/folders.js");
    if (out !== undefined) await requireFilePlace(out);
    await withProgress(async (progress) => {
      // A bar would tear the lines of a terminal that shows both; those lines are progress enough
      const isQuiet = process.stdout.isTTY && out === undefined && order === null;
      const onProgress: typeof progress.onEvent = (event) => {
        if (event.kind === "note" || !isQuiet) progress.onEvent(event);
      };
      if (options.orientation === "apply") progress.note("images are turned as EXIF says (--orientation apply)");
      const settings = { ...options, onProgress, readList: () => text(process.stdin) };
      await withRun(paths, settings, { shard, out }, async (run) => {
        if (run.predictions === null) {
          progress.note(`${out ?? ""}: is finished already`);
          if (run.failed > 0) process.exitCode = EXIT.data;
          return;
        }
        const ordered = order === null ? run.predictions : sorted(run.predictions, order, top);
        const contents =
          format === "parquet"
            ? await parquetOf(ordered)
            : await collected(outputOf(format, options.orientation, progress.note)(ordered), out !== undefined);
        if (out === undefined) return;
        await writeNamedFile(out, contents);
        await run.finish();
        progress.note(`${out} written`);
      });
    });
  },
});

/** Has `use` write the predictions of all images, or of a shard of them. */
async function withRun(
  paths: readonly string[],
  options: PredictOptions & { readonly checkpoint: string | undefined },
  { shard, out }: { readonly shard: string | undefined; readonly out: string | undefined },
  use: (run: Pick<ShardRun, "predictions" | "failed" | "finish">) => Promise<void>,
): Promise<void> {
  if (shard !== undefined) {
    const { predictShard } = await import("../../api/predictions/predictShard.js");
    return predictShard(paths, { ...options, shard: parseShard(shard), out }, use);
  }
  const { predict } = await import("../../api/predict.js");
  return use({ predictions: predict(paths, options), failed: 0, finish: () => Promise.resolve() });
}

/** Format by a file's ending. @throws {ConfigError} for any other ending */
function formatOfFile(out: string): OutputFormat | "parquet" {
  const ending = path.extname(out).slice(1).toLowerCase();
  if (ending === "csv" || ending === "jsonl" || ending === "json" || ending === "parquet") return ending;
  throw new ConfigError(`--out ${out}: must end in .csv, .jsonl, .json or .parquet, which decides what is written`);
}

/** Predictions in an order, the first `top` of them; files without a score come last, all of them. */
async function* sorted(
  predictions: AsyncIterable<Prediction>,
  order: Order,
  top = Infinity,
): AsyncGenerator<Prediction, void, undefined> {
  const scored: PredictedImage[] = [];
  const failed: Prediction[] = [];
  for await (const prediction of predictions) {
    if ("error" in prediction) failed.push(prediction);
    else scored.push(prediction);
  }
  if (order === "name") scored.sort((a, b) => (a.image < b.image ? -1 : a.image > b.image ? 1 : 0));
  else scored.sort((a, b) => (order === "quality" ? a.quality - b.quality : b.quality - a.quality));
  yield* scored.slice(0, top);
  yield* failed;
}

/** Text for a file; what is for standard output is written part by part, as it comes. */
async function collected(parts: AsyncIterable<string>, isForFile: boolean): Promise<string> {
  let whole = "";
  for await (const part of parts) {
    if (isForFile) whole += part;
    else process.stdout.write(part);
  }
  return whole;
}

/** Text of predictions, part by part; a failure sets the exit code, and is a note where the text is for people. */
function outputOf(format: OutputFormat, orientation: "ignore" | "apply", note: (line: string) => void) {
  return async function* (predictions: AsyncIterable<Prediction>): AsyncGenerator<string, void, undefined> {
    let count = 0;
    for await (const prediction of predictions) {
      if (count === 0) yield outputHead(format);
      const isFailed = "error" in prediction;
      if (isFailed) process.exitCode = EXIT.data;
      if (isFailed && format === "text") note(prediction.error);
      else yield `${format === "json" && count > 0 ? "," : ""}${outputLine(prediction, format, orientation)}`;
      count++;
    }
    if (count === 0) yield outputHead(format);
    if (format === "json") yield "]\n";
  };
}

/** `jsonl`: an object a line; `json`: a list of them. */
type OutputFormat = "text" | "jsonl" | "json" | "csv";

const COLUMNS = ["image", "quality", "scene", "distortion", "uncertainty", "enlarged", "heatmap", "error"];

/** Text before the first image. */
function outputHead(format: OutputFormat): string {
  if (format === "json") return "[";
  return format === "csv" ? csvRow(COLUMNS) : "";
}

/** Line of a prediction or of its failure. */
function outputLine(prediction: Prediction, format: OutputFormat, orientation: "ignore" | "apply"): string {
  if (format === "json" || format === "jsonl") return `${JSON.stringify(predictionJson(prediction, orientation))}\n`;
  if (format === "csv") return csvRow(csvOf(prediction));
  return "error" in prediction ? `${prediction.error}\n` : `${sentence(prediction)}\n`;
}

function csvOf(prediction: Prediction): (string | number)[] {
  if ("error" in prediction) return [prediction.image, "", "", "", "", "", "", prediction.error];
  const { image, quality, scene, distortion, uncertainty, isEnlarged, heatmap } = prediction;
  return [image, quality, scene ?? "", distortion ?? "", uncertainty, isEnlarged ? "true" : "", heatmap ?? "", ""];
}

/** Columns of a Parquet file with their types; the same whatever was predicted, as files of one data set have to be. */
const PARQUET_COLUMNS = [
  ["image", "STRING"],
  ["quality", "DOUBLE"],
  ["scene", "STRING"],
  ["distortion", "STRING"],
  ["uncertainty", "DOUBLE"],
  ["probabilities", "STRING"],
  ["enlarged", "BOOLEAN"],
  ["heatmap", "STRING"],
  ["error", "STRING"],
] as const;

/** Parquet file of predictions; `probabilities` as JSON. A failure has nulls and its `error`, and sets the exit code. */
async function parquetOf(predictions: AsyncIterable<Prediction>): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const rows: Readonly<Record<string, unknown>>[] = [];
  for await (const prediction of predictions) {
    rows.push("error" in prediction ? prediction : parquetRow(prediction));
    if ("error" in prediction) process.exitCode = EXIT.data;
  }
  const columnData = PARQUET_COLUMNS.map(([name, type]) => {
    return { name, type, nullable: name !== "image", data: rows.map((row) => row[name] ?? null) };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData, createdBy: "liqe-train" }));
}

function parquetRow({ probabilities, isEnlarged, ...columns }: PredictedImage) {
  return { ...columns, probabilities: JSON.stringify(probabilities), enlarged: isEnlarged };
}

/** Published scenes that are no countable nouns, as a sentence has them; prompts keep the label itself. */
const SCENE_WORDS: Readonly<Record<string, string>> = {
  indoor: "an indoor scene",
  night: "a night scene",
  others: "something else",
};

/** Sentence: *coffee.jpg is a photo of a still life with blur artifacts, of perceptual quality 2.87 (1 to 5)*. */
export function sentence(
  prediction: Omit<PredictedImage, "probabilities" | "uncertainty" | "windows" | "assumed">,
): string {
  const { image, scene, distortion, quality, levels, isEnlarged, heatmap } = prediction;
  const of = scene === null ? "" : ` of ${SCENE_WORDS[scene] ?? withArticle(scene.replaceAll("_", " "))}`;
  const artifacts = distortion === null ? "" : ` with ${distortion} artifacts`;
  const comma = of + artifacts === "" ? "" : ",";
  return [
    `${image} is a photo${of}${artifacts}${comma} of perceptual quality ${quality.toFixed(2)} (1 to ${levels})`,
    ...(isEnlarged ? ["enlarged to the model's window"] : []),
    ...(heatmap === null ? [] : [`heatmap: ${heatmap}`]),
  ].join("; ");
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/i.test(noun) ? "an" : "a"} ${noun}`;
}
