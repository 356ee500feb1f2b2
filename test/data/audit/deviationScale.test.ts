import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkSamples } from "../../../src/data/audit/sampleChecks.js";
import { DataConfig } from "../../../src/data/config.js";
import { openDatabases } from "../../../src/data/openDatabases.js";
import type { Sample } from "../../../src/data/sample.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { temporaryFolder } from "../../support/runs.js";

/** Samples whose scores run from `least` to `most`, each with one deviation. */
function samples(count: number, [least, most]: readonly [number, number], mosStd: number): Sample[] {
  return Array.from({ length: count }, (_, i) => {
    const mos = least + ((most - least) * i) / (count - 1);
    const place = {
      database: "mine",
      image: `${i}.png`,
      file: `/${i}.png`,
      folder: "/",
      list: "mine.csv",
      line: i + 1,
    };
    return { ...place, mos, mosStd, distortion: 0, scenes: [0] };
  });
}

function findingsOf(images: readonly Sample[], database = "mine") {
  const context = { database, folder: "/", tables: PUBLISHED_LABELS, published: new Map() };
  return checkSamples(images, context).filter(({ kind }) => kind === "deviation-scale");
}

describe("the scale of deviations", () => {
  it("is that of the scores in sound files, on any scale", () => {
    expect(findingsOf(samples(60, [1, 5], 0.55))).toEqual([]);
    expect(findingsOf(samples(60, [4, 88], 14))).toEqual([]);
    expect(findingsOf(samples(60, [4, 88], 2))).toEqual([]);
  });

  it.each([
    ["far too small, as in KonIQ's own file of sets", [4, 88], 0.5, "scores 0 to 100 beside deviations 1 to 5", 25],
    ["far too large, as in a copy of SPAQ", [1, 5], 14, "scores 1 to 5 beside deviations 0 to 100", 0.04],
  ] as const)("is %s: an error that names both scales and the factor", (_, range, mosStd, scales, factor) => {
    const [finding, ...more] = findingsOf(samples(60, range, mosStd));
    expect(more).toEqual([]);
    expect(finding?.severity).toBe("error");
    expect(finding?.message).toContain(scales);
    expect(finding?.message).toContain(`mosStdFactor: ${factor} `);
  });

  it("of a known database is judged by its scores where they fill little of its range", () => {
    expect(findingsOf(samples(60, [1, 5], 14), "spaq")).toHaveLength(1);
    expect(findingsOf(samples(60, [1, 90], 14), "spaq")).toEqual([]);
  });

  it("is not judged by a few images", () => {
    expect(findingsOf(samples(49, [1, 5], 14))).toEqual([]);
  });

  it("is mended by mosStdFactor", async () => {
    const root = temporaryFolder();
    try {
      const folder = path.join(root, "mine");
      mkdirSync(folder);
      const lines = samples(60, [4, 88], 0.5).map(({ image, mos, mosStd }) => `${image},${mos},${mosStd ?? ""}`);
      writeFileSync(path.join(folder, "all.csv"), ["image,mos,mos_std", ...lines].join("\n"));
      const lists = { train: "all.csv", val: "all.csv", test: "all.csv", imagesPerStep: 2, mosStdFactor: 25 };
      const data = DataConfig.parse({ root, databases: [{ name: "mine", ...lists }] });
      const [database] = await openDatabases(data, 1);
      expect(database?.train.map(({ mosStd }) => mosStd)).toEqual(Array(60).fill(12.5));
      expect(findingsOf(database?.train ?? [])).toEqual([]);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
