import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { noiseCeiling } from "../../../src/evaluate/metrics/noiseCeiling.js";
import { benchmarkTable } from "../../../src/evaluate/tables/benchmarkTable.js";
import { LABELS, measuredResults, prediction } from "../support.js";

const random = seededRandom(2, "mos");
const MOS = Array.from({ length: 2000 }, () => 50 + 10 * random.normal());

function list(name: string, mosStd: (i: number) => number | null) {
  return { name, predictions: MOS.map((mos, i) => ({ mos, mosStd: mosStd(i) })) };
}

/** SRCC of normal scores with a correlation r: W. H. Kruskal, "Ordinal measures of association" (1958). */
const kruskal = (r: number) => (6 / Math.PI) * Math.asin(r / 2);

describe("noiseCeiling", () => {
  it("is the SRCC of normal scores with their noise, whose closed form is known", () => {
    const ceiling = noiseCeiling(
      list("mine", () => 5),
      1,
    );
    // The correlation is 10 / √(10² + 5²); 100 draws of 2,000 scores leave 1e-3 of chance, and the MOS themselves 5e-3.
    expect([ceiling.value ?? NaN]).toBeAllClose([kruskal(2 / Math.sqrt(5))], { rtol: 0, atol: 5e-3 });
    expect(ceiling).toMatchObject({ images: 2000, opinions: null });
  });

  it("divides the deviations of single opinions by the root of their number, where a database's is known", () => {
    const ceiling = noiseCeiling(
      list("kadid10k", () => 5 * Math.sqrt(30)),
      1,
    );
    expect([ceiling.value ?? NaN]).toBeAllClose([kruskal(2 / Math.sqrt(5))], { rtol: 0, atol: 5e-3 });
    expect(ceiling).toMatchObject({ opinions: 30 });
  });

  it("is the same for the same seed, and draws each image by its own deviation", () => {
    const uneven = list("mine", (i) => (i % 2 === 0 ? 20 : 0.01));
    const ceiling = noiseCeiling(uneven, 1);
    expect(noiseCeiling(uneven, 1)).toEqual(ceiling);
    expect(noiseCeiling(uneven, 2)).not.toEqual(ceiling);
    expect(ceiling.value).toBeLessThan(
      noiseCeiling(
        list("mine", () => 5),
        1,
      ).value ?? NaN,
    );
    expect(ceiling.value).toBeGreaterThan(
      noiseCeiling(
        list("mine", () => 20),
        1,
      ).value ?? NaN,
    );
  });

  it("leaves out a few images without a deviation, and has a reason where they are many or all", () => {
    const some = (every: number) =>
      noiseCeiling(
        list("mine", (i) => (i % every === 0 ? null : 5)),
        1,
      );
    expect(some(20)).toMatchObject({ images: 1900 });
    expect(some(9)).toEqual({ value: null, reason: "223 of 2000 images have no deviation" });
    const zeros = noiseCeiling(
      list("mine", () => 0),
      1,
    );
    expect(zeros).toEqual({ value: null, reason: "no deviations of the opinion scores" });
  });
});

describe("benchmarkTable", () => {
  const results = (mosStd: number | null) => {
    const predictions = MOS.slice(0, 80).map((mos, i) => prediction({ image: `${i}.png`, mos, mosStd, quality: mos + (i % 9) }));
    const database = { name: "mine", split: 1, subset: "test", predictions, failed: [] } as const;
    return measuredResults([database], { protocol: "raw", labels: LABELS, seed: 1, resamples: 20, checkpoint: "a", crops: 1 });
  }; // prettier-ignore

  it("shows the ceiling below SRCC and says what it rests on, where deviations are known", () => {
    const known = results(5);
    const text = benchmarkTable(known);
    expect(text).toMatch(
      new RegExp(`^ {2}ceiling +${known.databases[0]?.noiseCeiling.value?.toFixed(3) ?? ""} *$`, "m"),
    );
    expect(text.replaceAll("\n  ", " ")).toContain(
      "ceiling of mine: SRCC of a perfect model with scores of the noise of MOS: their deviations",
    );
    expect(benchmarkTable(results(null))).not.toContain("ceiling");
  });
});
