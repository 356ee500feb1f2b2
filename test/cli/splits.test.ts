import { describe, expect, it } from "vitest";
import { parseSplits } from "../../src/cli/arguments.js";

describe("parseSplits", () => {
  it("reads one number and a range with both its ends", () => {
    expect(parseSplits("3")).toEqual([3]);
    expect(parseSplits("8-10")).toEqual([8, 9, 10]);
    expect(parseSplits("2-2")).toEqual([2]);
  });

  it.each(["0", "1-", "-1", "3-2", "1,2", "one", "", "1.5", "1-10x"])("refuses %j, showing it", (given) => {
    expect(() => parseSplits(given)).toThrow(`such as 1-10, got "${given}"`);
  });
});
