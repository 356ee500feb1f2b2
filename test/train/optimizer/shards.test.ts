import { describe, expect, it } from "vitest";
import { ownersOf } from "../../../src/train/optimizer/shards.js";

describe("ownersOf", () => {
  it("gives every parameter to one process, and all of them nearly as much", () => {
    const sizes = new Map([
      ["a", 10],
      ["b", 100],
      ["c", 40],
      ["d", 50],
    ]);
    expect([...ownersOf(sizes, 2)].sort()).toEqual([
      ["a", 1],
      ["b", 0],
      ["c", 1],
      ["d", 1],
    ]);
  });

  it("does not depend on the order of the parameters", () => {
    const sizes = ["a", "b", "c", "d", "e", "f", "g"].map((name, i) => [name, 1 + (i % 3)] as const);
    const sorted = (entries: typeof sizes) => [...ownersOf(new Map(entries), 3)].sort();
    expect(sorted(sizes.toReversed())).toEqual(sorted(sizes));
  });
});
