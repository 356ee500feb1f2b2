import { text } from "node:stream/consumers";
import type { CompareOptions, Comparison } from "../../api/compare.js";
import type { Score } from "../../api/load.js";
import { ConfigError } from "../../base/errors.js";
import { STANDARD_INPUT } from "../../base/text.js";
import type { Defence } from "../../evaluate/metrics/gmad.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exitCodes.js";
import {
  engineOptions,
  IN_THE_BOX,
  kindOptions,
  promptOptions,
  flagOption,
  scoringOptions,
  textOption,
  wholeNumberOption,
} from "../options.js";
import { withProgress } from "../progress.js";

const LEVELS = "levels that each model's range of scores is cut into  [default: 6]";

export const compareCommand = defineCommand({
  command: "compare <paths..>",
  describe: "say which of two images is better; or where two models disagree most (--against)",
  builder: (yargs) =>
    scoringOptions(
      promptOptions(kindOptions(engineOptions(yargs)))
        .option("checkpoint", textOption(`the model; with --against the one model, A  [default: ${IN_THE_BOX}]`))
        .option("against", textOption("the other model, B, to find the images on which both disagree most"))
        .option("out", textOption("folder for compare.html and compare.json of --against"))
        .option("json", flagOption("of two images, one JSON object on standard output"))
        .option("levels", wholeNumberOption("levels", 1, LEVELS)),
    )
      .check(checkCall)
      .example("$0 compare a.jpg b.jpg", "which is better, how sure, and why")
      .example("$0 compare photos --checkpoint A --against B --out pairs", "two runs")
      .example("$0 compare photos --checkpoint A --against B --out pairs --levels 10", "levels more alike"),
  writes: ({ out }) => (out === undefined ? [] : [out]),
  handler: async ({ paths, against, out, json, ...options }) => {
    if (against === undefined || out === undefined) return comparePair(paths, json, options);
    const { disagreements } = await import("../../api/disagreements.js");
    const { fixed } = await import("../../evaluate/tables/benchmarkTable.js");
    await withProgress(async (progress) => {
      const readList = () => text(process.stdin);
      const found = await disagreements(paths, { ...options, against, out, readList, onProgress: progress.onEvent });
      progress.stop();
      process.stdout.write(found.defences.map((defence) => defenceLines(defence, fixed)).join(""));
      for (const { error } of found.failed) progress.note(error);
      if (found.failed.length > 0) process.exitCode = EXIT.data;
    });
  },
});

/** @throws {ConfigError} where neither two images nor two models and a folder are named */
function checkCall({ paths, against, out, json }: Call): true {
  if (against !== undefined && out === undefined) throw new ConfigError("liqe compare: --against needs --out DIR");
  if (against !== undefined && json) throw new ConfigError("liqe compare: --against writes compare.json; leave --json out"); // prettier-ignore
  if (against === undefined && paths.includes(STANDARD_INPUT))
    throw new ConfigError("liqe compare: - is a list of images, for --against MODEL --out DIR; name the two images");
  if (against !== undefined || paths.length === 2) return true;
  const what = `compares two images, and ${paths.length} are named`;
  throw new ConfigError(`liqe compare: ${what}; to find where two models disagree, give --against MODEL --out DIR`);
}

interface Call {
  readonly paths: readonly string[];
  readonly against: string | undefined;
  readonly out: string | undefined;
  readonly json: boolean;
}

type PairOptions = Omit<CompareOptions, "onProgress">;

/** Compares two images, and prints the verdict as text or JSON. */
async function comparePair([a = "", b = ""]: readonly string[], json: boolean, options: PairOptions): Promise<void> {
  const { compare } = await import("../../api/compare.js");
  await withProgress(async (progress) => {
    const found = await compare(a, b, { ...options, onProgress: progress.onEvent });
    progress.stop();
    const named = { ...found, a: { image: a, ...found.a }, b: { image: b, ...found.b } };
    process.stdout.write(json ? `${JSON.stringify(named)}\n` : verdict(named));
  });
}

type Named = Score & { readonly image: string };

/** Verdict with its reasons: the levels, scene and distortion that the model sees in each. */
export function verdict({ probability, better, a, b }: Comparison & { readonly a: Named; readonly b: Named }): string {
  const sure = (better === "B" ? 1 - probability : probability).toFixed(2);
  const [winner, other] = better === "B" ? [b, a] : [a, b];
  const heading =
    better === "tie"
      ? `${a.image} and ${b.image} are about equally good: the first is better with a probability of ${sure}`
      : `${winner.image} is better than ${other.image}, with a probability of ${sure}`;
  return `${[heading, ...[a, b].map((one, i) => `  ${"AB".charAt(i)}  ${reasons(one)}`)].join("\n")}\n`;
}

function reasons({ image, quality, scene, distortion, probabilities }: Named): string {
  const levels = Object.entries(probabilities.quality ?? {}).sort(([, one], [, other]) => other - one);
  const shares = levels.slice(0, 2).map(([level, share]) => `${level} ${Math.round(100 * share)} %`);
  const labels = [scene === null ? null : `scene ${scene}`, distortion === null ? null : `distortion ${distortion}`];
  return [`${image}: quality ${quality.toFixed(2)} (${shares.join(", ")})`, ...labels.filter((one) => one !== null)].join(", "); // prettier-ignore
}

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
