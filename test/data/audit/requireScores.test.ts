import { describe, expect, it } from "vitest";
import { DataError } from "../../../src/base/errors.js";
import { requireScores } from "../../../src/data/audit/sampleChecks.js";
import type { Database, Sample } from "../../../src/data/sample.js";

const sample = (mos: number, mosStd: number | null = 1): Sample => ({
  ...{ database: "toys", image: "a.png", file: "/toys/a.png", folder: "/toys", mos, mosStd, distortion: null },
  ...{ scenes: [], list: "toys_train_clip.txt", line: 3 },
});
const database = (name: string, train: readonly Sample[], imagesPerStep = 2): Database => {
  return { name, imagesPerStep, folder: "/toys", train, val: [], test: [] };
};

const NOTHING = { deviationRemedies: [], scaled: null, fewestImages: 2 };
const SCORED = { ...NOTHING, scaled: "losses.quality: plcc" };

describe("requireScores", () => {
  it("lets lists pass that have what the losses need", () => {
    const flat = [database("flat", [sample(3, null), sample(3, null)])];
    expect(() => {
      requireScores(flat, NOTHING);
    }).not.toThrow();
    const scored = [database("toys", [sample(1), sample(2)], 3)];
    expect(() => {
      requireScores(scored, { ...SCORED, deviationRemedies: ["x"], fewestImages: 3 });
    }).not.toThrow();
  });

  it("names every database that lacks something, at once", () => {
    const databases = [database("toys", [sample(1), sample(2, null)], 4), database("flat", [sample(3), sample(3)], 2)];
    const call = () => {
      requireScores(databases, { ...SCORED, deviationRemedies: ["losses.quality: fidelity"], fewestImages: 3 });
    };
    expect(call).toThrow(DataError);
    expect(call).toThrow(
      [
        "losses: toys: 1 of 2 training images have no deviation of the MOS, the first toys_train_clip.txt:3 (a.png). " +
          "Give them in splits2/<name>_all.txt (path, mos, deviation) or as mos_std in CSV lists, or set " +
          "losses.quality: fidelity",
        "losses: flat: all 2 training images have the score 3, and losses.quality: plcc needs scores that differ; " +
          "leave the database out, or set losses.quality: fidelity",
        "losses: flat: has imagesPerStep 2, and losses.quality: plcc needs 3 at least",
      ].join("\n"),
    );
  });
});
