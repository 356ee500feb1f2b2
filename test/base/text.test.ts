import { describe, expect, it } from "vitest";
import { didYouMean, editDistance, foldColumns, nearestName, wrapText } from "../../src/base/text.js";

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

describe("wrapText", () => {
  it("breaks between words, indents what follows, and keeps blanks and words that are too long", () => {
    expect(wrapText("one two three", 8)).toBe("one two\n  three");
    expect(wrapText("    one two", 7, 4)).toBe("    one\n    two");
    expect(wrapText("a   b", 80)).toBe("a   b");
    expect(wrapText("https://example.org/long to", 10)).toBe("https://example.org/long\n  to");
    expect(wrapText("one two three", Infinity)).toBe("one two three");
  });
});

describe("foldColumns", () => {
  const rows = [
    ["name", "first", "second"],
    ["a", "1", "22"],
  ];
  it("is one table where there is room, and more below each other with the first columns again where not", () => {
    const whole = "name  first  second\na     1      22";
    expect(foldColumns(rows, 1, 19)).toBe(whole);
    expect(foldColumns(rows, 1, Infinity)).toBe(whole);
    expect(foldColumns(rows, 1, 18)).toBe("name  first\na     1\n\nname  second\na     22");
  });
  it("shows a column that is too wide by itself, and loses none", () => {
    expect(foldColumns(rows, 1, 3)).toBe("name  first\na     1\n\nname  second\na     22");
  });
});
