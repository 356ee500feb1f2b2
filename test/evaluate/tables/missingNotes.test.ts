import { describe, expect, it } from "vitest";
import type { MetricJson } from "../../../src/evaluate/results/databaseResults.js";
import { missingNotes } from "../../../src/evaluate/tables/missingNotes.js";

describe("missingNotes", () => {
  const row = (images: number, plcc: MetricJson) => ({ title: `group ${images}`, images, measures: { plcc } });
  const none = (images: number) =>
    row(images, { value: 0.5, low: null, high: null, intervalReason: `too few images: ${images}` });

  it("says once of all rows what is missing and why", () => {
    expect(missingNotes([5, 9, 7, 12, 8].map(none), "groups", ["plcc"])).toEqual([
      "no interval of PLCC for 5 groups of 5 to 12 images: too few images: 5",
    ]);
    expect(missingNotes([5, 9].map(none), "groups", ["plcc"])).toEqual([
      "no interval of PLCC for group 5, group 9: too few images: 5",
    ]);
    expect(missingNotes([none(5)], "groups", ["plcc"])).toEqual(["group 5: no interval of PLCC: too few images: 5"]);
  });

  it("counts the resamples that intervals leave out", () => {
    const rows = [3, 40, 0].map((lost, i) =>
      row(20 + i, { value: 0.5, low: 0.4, high: 0.6, ...(lost > 0 ? { lost } : {}) }),
    );
    expect(missingNotes(rows, "groups", ["plcc"])).toEqual([
      "intervals of PLCC for group 20, group 21 leave out resamples without a value: 40 at most",
    ]);
  });
});
