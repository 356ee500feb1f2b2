import { describe, expect, it } from "vitest";
import { didYouMean, editDistance, nearestName } from "../../src/base/text.js";

describe("editDistance", () => {
  it.each([
    ["epochs", "epochs", 0],
    ["epoch", "epochs", 1],
    ["tarin", "train", 1], // neighbours swapped
    ["kitten", "sitting", 3],
    ["", "abc", 3],
  ])("from %j to %j is %i", (a, b, edits) => {
    expect(editDistance(a, b)).toBe(edits);
    expect(editDistance(b, a)).toBe(edits);
  });
});

describe("nearestName", () => {
  it("takes the known name with the fewest edits, whatever its case", () => {
    expect(nearestName("LearningRat", ["learningRate", "weightDecay"])).toBe("learningRate");
  });

  it("finds none where more than half would have to change", () => {
    expect(nearestName("zebra", ["epochs", "schedule"])).toBeUndefined();
    expect(didYouMean("zebra", ["epochs", "schedule"])).toBe("");
  });

  it("finds none among none", () => {
    expect(nearestName("x", [])).toBeUndefined();
  });
});
