import { describe, expect, it } from "vitest";
import { predictionLine, predictSentence } from "../../src/cli/predictions.js";
import { posteriorOf } from "../../src/model/posterior.js";
import { AXES, prediction } from "../evaluate/support.js";

describe("predictSentence", () => {
  const coffee = prediction({ scene: "still_life", distortion: "blur", quality: 2.868 });
  it("says what it is, what is wrong and how good it is", () => {
    expect(predictSentence("examples/photos/coffee.jpg", coffee, 5)).toBe(
      "examples/photos/coffee.jpg is a photo of a still_life with blur artifacts, of perceptual quality 2.87 (1 to 5)",
    );
  });
  it.each([
    [{ scene: "animal", distortion: "" }, "x is a photo of an animal, of perceptual quality 2.87 (1 to 5)"],
    [{ scene: "", distortion: "noise" }, "x is a photo with noise artifacts, of perceptual quality 2.87 (1 to 5)"],
    [{ scene: "", distortion: "" }, "x is a photo of perceptual quality 2.87 (1 to 5)"],
  ])("leaves out what the prompts do not ask: %j", (given, sentence) => {
    expect(predictSentence("x", { ...coffee, ...given }, 5)).toBe(sentence);
  });
});

describe("predictionLine", () => {
  it("has every label's probability by name", () => {
    const line = predictionLine("x.png", posteriorOf(new Float32Array(12), AXES), AXES);
    expect(line).toMatchObject({ image: "x.png", scene: "animal", distortion: "blur" });
    expect(Object.keys(line)).toEqual(["image", "quality", "scene", "distortion", "probabilities"]);
    expect(Object.keys(line.probabilities["scene"] ?? {})).toEqual(["animal", "night"]);
    expect(Object.values(line.probabilities["distortion"] ?? {})).toBeAllClose([1 / 3, 1 / 3, 1 / 3]);
  });
  it("says null for a task that the prompts do not ask", () => {
    const axes = AXES.slice(0, 1);
    expect(predictionLine("x.png", posteriorOf([0, 0], axes), axes)).toEqual({
      ...{ image: "x.png", quality: 1.5, scene: null, distortion: null },
      probabilities: { quality: { bad: 0.5, good: 0.5 } },
    });
  });
});
