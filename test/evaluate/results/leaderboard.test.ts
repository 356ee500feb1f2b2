import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { measureDatabases } from "../../../src/evaluate/evaluate.js";
import { buildLeaderboard } from "../../../src/evaluate/results/leaderboard.js";
import { buildResults } from "../../../src/evaluate/results/results.js";
import { LABELS, prediction } from "../support.js";

const LISTS = path.resolve("../shared/annotations/liqe/BID/splits2/1");
const OPTIONS = { protocol: "raw", labels: LABELS, seed: 3, resamples: 10 } as const;

/** Images of BID's published lists, in a list called `mine`. */
function measured(subsets: readonly string[]) {
  const lines = subsets.flatMap((subset) =>
    readFileSync(path.join(LISTS, `bid_${subset}_clip.txt`), "utf8")
      .split("\n")
      .filter(Boolean),
  );
  const predictions = lines.map((line, i) => {
    const [image = "", mos = ""] = line.split("\t");
    return prediction({ image, mos: Number(mos), quality: Number(mos) + (i % 7) });
  });
  return measureDatabases([{ name: "mine", split: null, subset: "test", predictions, failed: [] }], OPTIONS);
}

describe.skipIf(!existsSync(LISTS))("buildLeaderboard (../shared)", () => {
  it.each([
    { what: "all images of BID", subsets: ["train", "val", "test"], published: 0.677 },
    { what: "its test images alone", subsets: ["test"], published: undefined },
  ])("has the paper's figure of a model trained on KADID-10k beside $what: $published", ({ subsets, published }) => {
    const own = measured(subsets);
    const results = buildResults(own, { ...OPTIONS, checkpoint: "a", crops: 15 });
    const entrant = (trainedOn: readonly string[] | null) => ({ checkpoint: "a", trainedOn, results, measured: own });
    const figureOf = (trainedOn: readonly string[] | null) =>
      buildLeaderboard([entrant(trainedOn)], []).crossDatabase.rows[0]?.srcc[0]?.published;
    expect(figureOf(["kadid10k"])).toBe(published);
    expect([["kadid10k", "live"], ["toString"], null].map(figureOf)).toEqual([undefined, undefined, undefined]);
  });
});
