import { describe, expect, it } from "vitest";
import { benchmarkTable, cropsText, databaseTitle, fixed } from "../../../src/evaluate/tables/benchmarkTable.js";
import { agreementNotes } from "../../../src/evaluate/tables/agreementNotes.js";
import { expectedText } from "../support.js";
import { alone, between, fullResults, plainResults, shownResults } from "../shown.js";

describe("benchmarkTable", () => {
  it("is, of a list of which all is known beside one of which little is, the text of benchmark.txt", async () => {
    await expectedText(benchmarkTable(shownResults()), "benchmark.txt");
  });

  it("has no means of one database, no ceiling and no published row where they are not known", async () => {
    const name = "twelve-chars"; // the widest in a line with its values
    const database = plainResults({ name, split: 1, rmse: between(9.9375, 10, 125.25), images: 1234 });
    await expectedText(benchmarkTable({ ...shownResults([database]), crops: null }), "benchmarkOfOne.txt");
  });

  it("gives a name of more than its column's width a line of its own", () => {
    const line = (name: string) => benchmarkTable(shownResults([plainResults({ name })])).split("\n")[2];
    expect(line("thirteen-char")).toBe("thirteen-char");
    expect(line("twelve-chars")).toMatch(/^twelve-chars +8 +0\.500/);
  });

  it("names five images without a score, and counts those beyond them", () => {
    const failed = Array.from({ length: 5 }, (_, i) => ({ image: `${i}`, error: `${i}: broken` }));
    const text = benchmarkTable(shownResults([plainResults({ failed })]));
    expect(text.slice(text.indexOf("plain: 5 of"))).toBe(
      "plain: 5 of 13 images have no score and are left out:\n  0: broken\n  1: broken\n  2: broken\n  3: broken\n  4: broken\n",
    );
  });

  it("names the image where its error does not, as of predictions that lack it", () => {
    const failed = ["a.png", "b.png"].map((image) => ({ image, error: "no prediction" }));
    const text = benchmarkTable(shownResults([plainResults({ failed })]));
    expect(text).toContain("left out:\n  a.png: no prediction\n  b.png: no prediction\n");
  });

  it("counts one image as one", () => {
    const resampling = { units: 1, drawnFrom: 1, resamples: 1000, note: null };
    const text = benchmarkTable(shownResults([plainResults({ resampled: "images", resampling })]));
    expect(text).toContain("by 1000 bootstraps of 1 image (contents not known)");
  });

  it("says which lists have their ceiling by the same opinions, in one line", () => {
    const ceiling = { value: 0.9, images: 8, opinions: null };
    const lists = ["a", "b"].map((name) => plainResults({ name, noiseCeiling: ceiling }));
    const text = benchmarkTable(shownResults(lists)).replaceAll("\n  ", " ");
    expect(text).toContain(
      "\nceiling of a, b: SRCC of a perfect model with scores of the noise of MOS: their deviations as listed, taken for the scores' own\n",
    );
  });

  it("says nothing of deviations that results of earlier versions do not have", () => {
    const { predictedDeviations, ...earlier } = fullResults();
    expect(predictedDeviations).toBeDefined();
    expect(benchmarkTable(shownResults([earlier]))).not.toContain("predicted deviations");
  });

  it("says why there is no mean PLCC only where there is none", () => {
    const results = shownResults();
    const mean = { ...results.mean, plcc: alone(0.5) };
    expect(benchmarkTable({ ...results, mean })).not.toContain("mean: PLCC");
    expect(benchmarkTable({ ...results, databases: [plainResults()] })).not.toContain("mean: PLCC");
    expect(benchmarkTable(results)).toContain("mean: PLCC: 1 of 2 have no value: too few images\n");
  });
});

describe("agreementNotes", () => {
  it("has a line for contents, scenes and distributions of each database that has them", async () => {
    await expectedText(agreementNotes(shownResults()), "agreement.txt");
  });

  it("leaves out correlations without a value, and groups that are fewer than two", () => {
    const none = { mean: null, reason: "no group" } as const;
    const { content, scene } = fullResults().within;
    const results = fullResults({
      name: "mine",
      within: { content: { ...content, groups: 1 }, scene: { ...scene, plcc: none } },
      distributions: { kl: null, reason: "none" },
    });
    expect(agreementNotes({ databases: [results] })).toBe(
      "mine: mean and median within 2 scenes: SRCC 0.750 and 0.875, KRCC 0.625 and\n  0.750\n",
    );
    expect(agreementNotes({ databases: [{ ...results, within: { content, scene: { ...scene, srcc: none } } }] })).toBe(
      "mine: mean and median within 3 contents: SRCC 0.500 and 0.625, PLCC 0.250 and\n  0.375, KRCC 0.375 and 0.500\n",
    );
  });
});

describe("fixed", () => {
  it("has three decimals below 10 and four digits from there", () => {
    expect([0, -0.0625, 9.9994, 10, -10.56, 1234.5].map(fixed)).toEqual(["0.000", "-0.063", "9.999", "10.00", "-10.56", "1235"]); // prettier-ignore
  });
});

describe("titles", () => {
  it("name a split, and the windows of an image", () => {
    expect([databaseTitle({ name: "live", split: 3 }), databaseTitle({ name: "live", split: null })]).toEqual(["live, split 3", "live"]); // prettier-ignore
    expect([1, 15, null].map(cropsText)).toEqual(["1 crop an image", "15 crops an image", "scores from a file"]);
  });
});
