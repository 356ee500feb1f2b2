import type { DataSplit } from "../../api/lists/splitData.js";
import { defineCommand, printReport } from "../command.js";
import { jsonOption, requiredOption, textOption, wholeNumberOption } from "../options.js";
import { choiceOf, sourceOptions } from "../sourceOptions.js";

const BY = "images that stay together: of a column, of a content (default), or of a cluster of near-duplicates too";

export const dataSplitCommand = defineCommand({
  command: "split <path>",
  describe: "draw splits without leaks, and write their lists",
  builder: (yargs) =>
    sourceOptions(yargs)
      .option("out", requiredOption("folder for the lists, splits2/<n>/<name>_{train,val,test}_clip.txt"))
      .option("by", { ...textOption(BY), choices: ["group", "content", "pixels"] as const })
      .option("ratios", textOption("percent to train, validate and test on  [default: 70/10/20]"))
      .option("splits", wholeNumberOption("splits", 1, "how many splits  [default: 10]"))
      .option("folds", wholeNumberOption("folds", 3, "K folds in place of --ratios and --splits"))
      .option("few", wholeNumberOption("few", 1, "keep N training images of each split, spread over the scores"))
      .option("seed", wholeNumberOption("seed", 0, "decides the splits  [default: 1]"))
      .option("json", jsonOption)
      .conflicts("folds", ["ratios", "splits"])
      .example("$0 data split photos --out photos-split --by pixels", "near-duplicates stay on one side")
      .example("$0 data split list.csv --columns group=scene --by group --folds 5 --out f5", "five folds"),
  writes: ({ out }) => [out],
  handler: async ({ path, out, by, ratios, splits, folds, few, seed, ...options }) => {
    const [{ splitData }, { withProgress }] = await Promise.all([
      import("../../api/lists/splitData.js"),
      import("../progress.js"),
    ]);
    await withProgress(async (progress) => {
      const asked = { out, by, ratios, splits, folds, few, seed, onProgress: progress.onEvent };
      const drawn = await splitData(path, { ...choiceOf(options), ...asked });
      progress.stop();
      printReport(drawn, options, describe);
    });
  },
});

function describe({ name, folder, form, images, groups, largestGroup, clusters, ...drawn }: DataSplit): string {
  const [first] = drawn.splits;
  const sizes = first === undefined ? "" : `the first: ${first.train} train, ${first.val} val, ${first.test} test`;
  const copies = clusters?.reduce((sum, { length }) => sum + length, 0) ?? 0;
  return [
    `${name}: ${images} images in ${groups} groups by ${drawn.by}, the largest of ${largestGroup}`,
    `  splits       ${drawn.splits.length} (${sizes}), seed ${drawn.seed}`,
    `  lists        ${folder}/splits2, ${form === "csv" ? "in CSV, as the published form cannot hold them" : "as published"}`,
    ...(clusters === null ? [] : [`  clusters     ${clusters.length} with ${copies} images: ${folder}/clusters.html`]),
    ...drawn.notes.map((note) => `  note         ${note}`),
    `  train by     ${drawn.command}`,
    "",
  ].join("\n");
}
