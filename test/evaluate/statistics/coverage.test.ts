import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { weightedSrcc } from "../../../src/evaluate/metrics/correlation.js";
import { rankPairs } from "../../../src/evaluate/metrics/ranks.js";
import { meanValue } from "../../../src/evaluate/results/databaseResults.js";
import { bootstrap, percentileInterval, planResampling } from "../../../src/evaluate/statistics/bootstrap.js";
import { pairedDifference } from "../../../src/evaluate/statistics/compareRuns.js";

/** `bench/coverage.mjs` in small: ten splits of 500 images, a fifth tested in each, and two equal models. */
const [IMAGES, SPLITS, REPETITIONS, RESAMPLES] = [500, 10, 40, 100];
const CORRELATION = 0.85;
/** Of normal scores, W. H. Kruskal, "Ordinal measures of association" (1958). */
const TRUE_SRCC = (6 / Math.PI) * Math.asin(CORRELATION / 2);

/** True where the interval of the mean SRCC over the splits holds the true one, and where equal models seem to differ. */
function repetition(seed: number): { readonly isCovered: boolean; readonly isAlarm: boolean } {
  const random = seededRandom(seed, "coverage");
  const deviation = Math.sqrt(1 / CORRELATION ** 2 - 1);
  const all = Array.from({ length: IMAGES }, (_, i) => {
    const mos = random.normal();
    const shared = random.normal();
    const quality = () => mos + deviation * Math.SQRT1_2 * (shared + random.normal());
    return { image: String(i), content: null, mos, qualities: [quality(), quality()] as const };
  });
  const lists = Array.from({ length: SPLITS }, () => ({
    name: "x",
    predictions: random.shuffle(all).slice(0, IMAGES / 5),
  }));
  const plans = planResampling(lists, { seed, resamples: RESAMPLES });
  const [a, b] = ([0, 1] as const).map((model) =>
    meanValue(
      lists.map(({ predictions }, split) => {
        const ranked = rankPairs(predictions.map(({ qualities }) => qualities[model]), predictions.map(({ mos }) => mos)); // prettier-ignore
        const resampled = bootstrap(plans.slice(split, split + 1), (weights) => weightedSrcc(ranked, weights));
        return { result: weightedSrcc(ranked), resampled };
      }),
    ),
  );
  if (a === undefined || b === undefined) throw new Error("two models");
  if (!a.result.ok) throw new Error(a.result.reason);
  const interval = percentileInterval(a.result.value, a.resampled, IMAGES);
  const difference = pairedDifference(a, b, IMAGES);
  return {
    isCovered: interval.ok && interval.low <= TRUE_SRCC && TRUE_SRCC <= interval.high,
    isAlarm: difference.difference !== null && difference.low !== null && difference.p < 0.05,
  };
}

describe("the mean over splits that share test images", () => {
  it("has an interval that holds the true SRCC about 19 times in 20, and calls equal models different 1 time in 20", () => {
    const outcomes = Array.from({ length: REPETITIONS }, (_, seed) => repetition(seed));
    const covered = outcomes.filter(({ isCovered }) => isCovered).length;
    const alarms = outcomes.filter(({ isAlarm }) => isAlarm).length;
    // Splits that are each drawn by themselves cover 30 of 40, and have 7 alarms.
    expect(covered).toBeGreaterThanOrEqual(35);
    expect(alarms).toBeLessThanOrEqual(4);
  });
});
