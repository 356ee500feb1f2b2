import { describe, expect, it } from "vitest";
import { STANDARD_INPUT } from "../../src/base/text.js";
import { withStandardInput } from "../../src/cli/arguments.js";

describe("withStandardInput", () => {
  it("replaces a lone dash of predict, and nothing else", () => {
    expect(withStandardInput(["predict", "-", "./-", "a-b"])).toEqual(["predict", STANDARD_INPUT, "./-", "a-b"]);
    expect(withStandardInput(["train", "-"])).toEqual(["train", "-"]);
  });
});
