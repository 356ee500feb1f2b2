import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type EvaluationWay, resultsFolder } from "../../src/api/evaluate/resultsFolder.js";
import type { OpenedModel } from "../../src/api/openModel.js";
import type { NamedList, SeenImages } from "../../src/evaluate/scoring/predictions.js";
import { temporaryFolder } from "../support/runs.js";

const run = path.join(temporaryFolder(), "split-1");
mkdirSync(path.join(run, "best"), { recursive: true });
writeFileSync(path.join(run, "config.yaml"), "");
writeFileSync(path.join(run, "best", "manifest.json"), "");

const data = { databases: [{ name: "toys", imagesPerStep: 4 }] } as unknown as NonNullable<EvaluationWay["data"]>;
const config = { data, evaluate: { protocol: "liqe", crops: 15 } };
const state = { split: 1, config } as unknown as OpenedModel["state"]; // the parts that are looked at
const source = { kind: "checkpoint", folder: path.join(run, "best") } as const;

/** Folder of an evaluation of the run's own test list, of which only these images may be left. */
function folderOf(seen: SeenImages | null, images = ["a.png", "b.png", "c.png"], isCompared = true): string | null {
  const samples = images.map((image) => ({ image, list: "/toys/test.txt" })) as unknown as NamedList["samples"];
  const lists: NamedList[] = [{ name: "toys", split: 1, subset: "test", seen, samples }];
  const asked = { protocol: "liqe", crops: 15, precision: "float32", prompts: null } as const;
  return resultsFolder({ source, state }, { lists, isCompared, data, splits: [1], ...asked });
}

describe("resultsFolder", () => {
  it("is the run's own for its whole test list, whatever the policy on seen images", () => {
    expect(folderOf(null)).toBe(run);
    expect(folderOf({ images: 0, policy: "drop", nearCopies: null })).toBe(run);
    expect(folderOf({ images: 1, policy: "keep", nearCopies: null })).toBe(run);
  });

  it("is another one, by the images that are left, where a rival of a leaderboard has learned from some", () => {
    const drop = { images: 1, policy: "drop", nearCopies: null };
    const [first, second] = [folderOf(drop, ["a.png", "b.png"]), folderOf(drop, ["a.png", "c.png"])];
    for (const folder of [first, second]) expect(folder).toMatch(/split-1\/evaluations\/toys-[0-9a-f]{8}$/);
    expect(first).not.toBe(second);
  });

  it("is the run's own for its test by itself, without images that its own weights had learned from", () => {
    expect(folderOf({ images: 1, policy: "drop", nearCopies: null }, ["a.png", "b.png"], false)).toBe(run);
  });
});
