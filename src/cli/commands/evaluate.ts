import type { WorkEvent } from "../../api/work.js";
import { PROTOCOL_NAMES } from "../../evaluate/protocols.js";
import { parseSplits } from "../arguments.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exitCodes.js";
import { engineOptions, listOption, requiredOption, textOption, wholeNumberOption } from "../options.js";
import { withProgress } from "../progress.js";

const CHECKPOINT = "a run, a split's folder, a checkpoint folder or a weight file; several make a leaderboard";
const AGAINST = "a checkpoint that the others are tested against, in pairs  [default: all pairs of several]";
const CROPS = "windows an image is scored by  [default: the config's, or 15]";
const PROCESSES = "processes that share a CPU's threads  [default: the config's, or as many as pay]";

export const evaluateCommand = defineCommand({
  command: "evaluate",
  describe: "measure a model against what people said: the benchmark table",
  builder: (yargs) =>
    engineOptions(yargs)
      .option("checkpoint", { ...requiredOption(CHECKPOINT), array: true, nargs: 1 })
      .option("against", textOption(AGAINST))
      .option("config", textOption("use the test lists of this config"))
      .option("set", { ...listOption("change the config, as in --set data.root=/data"), nargs: 1 })
      .option("split", textOption("a split or a range, 1-10"))
      .option("list", textOption("use this list (with --images)"))
      .option("images", textOption("the folder of the list's images"))
      .option("protocol", {
        choices: PROTOCOL_NAMES,
        requiresArg: true,
        describe: "how predictions are mapped to MOS before PLCC and RMSE  [default: the config's, or liqe]",
      })
      .option("crops", wholeNumberOption("crops", 1, CROPS))
      .option("processes", wholeNumberOption("processes", 1, PROCESSES))
      .option("small", {
        choices: ["error", "resize"] as const,
        describe: "resize: enlarge images below 224 pixels  [default: the config's, or error]",
      })
      .option("out", textOption("folder for the results  [default: the run's]"))
      .conflicts("list", ["config", "split"])
      .implies({ list: "images", images: "list" })
      .example("$0 evaluate --checkpoint checkpoints/kadid", "the test lists that the run's own config names")
      .example("$0 evaluate --checkpoint checkpoints/kadid --config koniq.yaml --split 1-10", "another database")
      .example("$0 evaluate --checkpoint ViT.safetensors --list mine.csv --images photos", "one list of one's own")
      .example("$0 evaluate --checkpoint new --against old --config kadid.yaml --out compared", "is it better?"),
  handler: async ({ checkpoint, against, split, out, ...options }) => {
    const { benchmarkTable } = await import("../../evaluate/tables/benchmarkTable.js");
    const names = [...checkpoint, ...(against === undefined ? [] : [against])];
    const splitNumbers = split === undefined ? undefined : parseSplits(split);
    let evaluated = 0;
    await withProgress(async (progress) => {
      const onProgress = (event: WorkEvent) => {
        progress.onEvent(event);
        if (event.kind !== "results") return;
        progress.stop();
        const heading = names.length > 1 ? `${evaluated++ === 0 ? "" : "\n"}${event.checkpoint}\n` : "";
        process.stdout.write(heading + benchmarkTable(event.results));
        if (event.results.databases.some(({ failed }) => failed.length > 0)) process.exitCode = EXIT.data;
      };
      const settings = { ...options, split: splitNumbers, onProgress };
      const [first = "", ...others] = names;
      if (others.length === 0) {
        const { evaluateCheckpoint } = await import("../../api/evaluate.js");
        const { splits } = await evaluateCheckpoint(first, { ...settings, save: out ?? true });
        if (splits === null) return;
        const { splitTable } = await import("../../evaluate/tables/splitTable.js");
        process.stdout.write(splitTable(splits));
      } else {
        const { leaderboard } = await import("../../api/leaderboard.js");
        const board = await leaderboard(checkpoint, { ...settings, against, out });
        const { formatLeaderboard } = await import("../../evaluate/tables/leaderboardTable.js");
        process.stdout.write(`\n${formatLeaderboard(board).text}`);
      }
    });
  },
});
