import { describe, expect, it } from "vitest";
import { permutation } from "../../../src/data/loader/loader.js";

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("createOrder", () => {
  it("names every image once in each pass, in another order each time", () => {
    const order = permutation(1, "live", 20);
    const passes = [0, 1, 2].map((pass) => range(pass * 20, pass * 20 + 20).map((position) => order.at(position)));
    for (const pass of passes) expect(pass.toSorted((a, b) => a - b)).toEqual(range(0, 20));
    expect(new Set(passes.map((pass) => pass.join())).size).toBe(3);
  });

  it("is the same whatever was asked before, and differs by seed and database", () => {
    const forward = permutation(1, "live", 7);
    const backward = permutation(1, "live", 7);
    const asked = range(0, 50).map((position) => forward.at(position));
    const reversed = range(0, 50)
      .toReversed()
      .map((position) => backward.at(position));
    expect(reversed.toReversed()).toEqual(asked);
    expect(range(0, 50).map((position) => permutation(2, "live", 7).at(position))).not.toEqual(asked);
    expect(range(0, 50).map((position) => permutation(1, "bid", 7).at(position))).not.toEqual(asked);
  });
});
