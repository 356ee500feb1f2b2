import { text } from "node:stream/consumers";
import type { Defence } from "../../evaluate/metrics/gmad.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exitCodes.js";
import {
  engineOptions,
  kindOptions,
  promptOptions,
  requiredOption,
  scoringOptions,
  wholeNumberOption,
} from "../options.js";
import { withProgress } from "../progress.js";

const LEVELS = "levels that each model's range of scores is cut into  [default: 6]";

export const compareCommand = defineCommand({
  command: "compare <paths..>",
  describe: "find the images on which two models disagree most, and show them",
  builder: (yargs) =>
    scoringOptions(
      promptOptions(kindOptions(engineOptions(yargs)))
        .option("checkpoint", requiredOption("the one model, A"))
        .option("against", requiredOption("the other model, B"))
        .option("out", requiredOption("folder for compare.html and compare.json"))
        .option("levels", wholeNumberOption("levels", 1, LEVELS)),
    )
      .example("$0 compare photos --checkpoint checkpoints/kadid --against checkpoints/koniq --out pairs", "two runs")
      .example("$0 compare photos --checkpoint A --against B --out pairs --levels 10", "levels more alike"),
  handler: async ({ paths, ...options }) => {
    const { disagreements } = await import("../../api/disagreements.js");
    const { fixed } = await import("../../evaluate/tables/benchmarkTable.js");
    await withProgress(async (progress) => {
      const readList = () => text(process.stdin);
      const found = await disagreements(paths, { ...options, readList, onProgress: progress.onEvent });
      progress.stop();
      process.stdout.write(found.defences.map((defence) => defenceLines(defence, fixed)).join(""));
      for (const { error } of found.failed) progress.note(error);
      if (found.failed.length > 0) process.exitCode = EXIT.data;
    });
  },
});

/** Pairs as plain text, a line each. */
function defenceLines({ defender, attacker, levels }: Defence, fixed: (value: number) => string): string {
  const names = ["A", "B"] as const;
  const lines = levels.map(({ low, high, pair }) => {
    const range = `  ${fixed(low)} to ${fixed(high)}  `;
    if (pair === null) return `${range}no pair`;
    const { better, worse, separation } = pair;
    return `${range}${fixed(separation)}  ${better.file} (${fixed(better.qualities[attacker])}), ${worse.file} (${fixed(worse.qualities[attacker])})`;
  });
  return `${names[defender]} finds them alike, ${names[attacker]} separates them by\n${lines.join("\n")}\n`;
}
