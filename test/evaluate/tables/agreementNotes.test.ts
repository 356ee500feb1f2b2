import { describe, expect, it } from "vitest";
import { agreementNotes } from "../../../src/evaluate/tables/agreementNotes.js";
import { LABELS, measuredResults, prediction } from "../support.js";

describe("agreementNotes", () => {
  it("has a line for contents of at least two groups, and one for distributions, of databases that have them", () => {
    const predictions = Array.from({ length: 12 }, (_, i) =>
      prediction({ image: `${i}.png`, mos: 10 + 7 * i, mosStd: 9, quality: 1 + i / 11, content: `c${i % 3}` }),
    );
    const options = { protocol: "raw", checkpoint: "x", crops: 1, labels: LABELS, seed: 1, resamples: 20 } as const;
    const plain = predictions.map((one) => ({ ...one, content: null, mosStd: null }));
    const list = { name: "mine", split: null, subset: "test", failed: [] } as const;
    const notes = agreementNotes(measuredResults([{ ...list, predictions }], options)).replaceAll("\n  ", " ");
    expect(notes).toMatch(/^mine: mean and median within 3 contents: SRCC 1\.000 and 1\.000, PLCC 1\.000 and 1\.000, KRCC 1\.000 and 1\.000\nmine: predicted against subjective distributions of 12 images: KL \d\.\d{3}, Wasserstein \d\.\d{3} levels, calibration error \d\.\d{3}\n$/); // prettier-ignore
    expect(agreementNotes(measuredResults([{ ...list, predictions: plain }], options))).toBe("");
  });
});
