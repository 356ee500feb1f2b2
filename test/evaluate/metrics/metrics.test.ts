import { describe, expect, it } from "vitest";
import { METRIC_NAMES, METRICS } from "../../../src/evaluate/metrics/metrics.js";
import { ascendingOrder, rankPairs } from "../../../src/evaluate/metrics/ranks.js";

type Images = Parameters<(typeof METRICS)["plcc"]["measure"]>[0];

/** Images whose every column differs, some with ties, at these places of the columns. */
function imagesAt(places: readonly number[]): Images {
  const at = (values: readonly number[]) => Float64Array.from(places, (place) => values[place] ?? NaN);
  const quality = at([1.25, 2.5, 2.5, 4.5, 3.25, 4.75, 1.5, 3.5]);
  const mos = at([20, 45, 30, 80, 80, 95, 40, 50]);
  const mosStd = at([3, 2, 40, 5, 9, 12, 1, 30]);
  const hits = (right: readonly number[]) => places.map((place) => ({ right: right[place] ?? 0, of: 2 }));
  const scenes = hits([2, 1, 0, 2, 2, 1, 0, 1]);
  const distortions = hits([0, 0, 2, 2, 0, 2, 2, 2]);
  const ranked = rankPairs(quality, mos);
  const values = quality.map((one) => 20 * one - 4);
  return { quality, mos, mosStd, scenes, distortions, ranked, order: ascendingOrder(ranked.predicted), onMos: { ok: true, values } }; // prettier-ignore
}

const valueOf = (result: ReturnType<(typeof METRICS)["plcc"]["measure"]>) => (result.ok ? result.value : NaN);

/** Of sums in another order. */
const SUMS = 12;

describe("METRICS", () => {
  const all = imagesAt([0, 1, 2, 3, 4, 5, 6, 7]);
  const weights = Float64Array.of(2, 1, 1, 0, 3, 0, 1, 1);
  const drawn = imagesAt([0, 0, 1, 2, 4, 4, 4, 6, 7]);

  it.each(METRIC_NAMES)("%s counts an image as often as its weight says, by which its interval is made", (name) => {
    const { measure } = METRICS[name];
    const weighted = valueOf(measure(all, weights));
    expect(weighted).toBeCloseTo(valueOf(measure(drawn)), SUMS);
    expect(Math.abs(weighted - valueOf(measure(all)))).toBeGreaterThan(1e-3); // the weights make a difference here
  });

  it.each(METRIC_NAMES)("%s is the same with a weight of one for each image", (name) => {
    const { measure } = METRICS[name];
    expect(valueOf(measure(all, new Float64Array(8).fill(1)))).toBeCloseTo(valueOf(measure(all)), SUMS);
  });
});
