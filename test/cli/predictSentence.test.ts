import { describe, expect, it } from "vitest";
import { scoreOfPosterior } from "../../src/api/load.js";
import { sentence } from "../../src/cli/commands/predict.js";
import { type Posterior, posteriorOf } from "../../src/model/posterior.js";
import { SCENES } from "../../src/model/prompts/labels.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { AXES, prediction } from "../evaluate/support.js";

const nothingDone = { isEnlarged: false, heatmap: null };
const sentenceOf = (
  image: string,
  { quality, scene, distortion }: Pick<Posterior, "quality" | "scene" | "distortion">,
) => sentence({ image, quality, scene: scene || null, distortion: distortion || null, levels: 5, ...nothingDone });

describe("predictSentence", () => {
  const coffee = prediction({ scene: "still_life", distortion: "blur", quality: 2.868 });
  it("says what it is, what is wrong and how good it is", () => {
    expect(sentenceOf("examples/photos/coffee.jpg", coffee)).toBe(
      "examples/photos/coffee.jpg is a photo of a still life with blur artifacts, of perceptual quality 2.87 (1 to 5)",
    );
  });
  it("says every published scene in English, of which prompts have the label", () => {
    const phrases = SCENES.map((scene) => sentenceOf("x", { ...coffee, scene, distortion: "" }).split(/ of |,/)[1]);
    expect(phrases).toEqual([
      ...["an animal", "a cityscape", "a human", "an indoor scene", "a landscape", "a night scene", "a plant"],
      ...["a still life", "something else"],
    ]);
    const prompts = promptGrid().prompts.filter((prompt) => prompt.startsWith("a photo of a others with "));
    expect(prompts).not.toHaveLength(0);
  });
  it.each([
    [{ scene: "animal", distortion: "" }, "x is a photo of an animal, of perceptual quality 2.87 (1 to 5)"],
    [{ scene: "", distortion: "noise" }, "x is a photo with noise artifacts, of perceptual quality 2.87 (1 to 5)"],
    [{ scene: "", distortion: "" }, "x is a photo of perceptual quality 2.87 (1 to 5)"],
  ])("leaves out what the prompts do not ask: %j", (given, text) => {
    expect(sentenceOf("x", { ...coffee, ...given })).toBe(text);
  });
});

describe("predictionLine", () => {
  it("has every label's probability by name", () => {
    const line = scoreOfPosterior(posteriorOf(new Float32Array(12), AXES), AXES, 0);
    expect(line).toMatchObject({ scene: "animal", distortion: "blur" });
    expect(Object.keys(line)).toEqual(["quality", "scene", "distortion", "probabilities", "uncertainty"]);
    expect(Object.keys(line.probabilities["scene"] ?? {})).toEqual(["animal", "night"]);
    expect(Object.values(line.probabilities["distortion"] ?? {})).toBeAllClose([1 / 3, 1 / 3, 1 / 3]);
  });
  it("says null for a task that the prompts do not ask", () => {
    const axes = AXES.slice(0, 1);
    expect(scoreOfPosterior(posteriorOf([0, 0], axes), axes, 0)).toEqual({
      ...{ quality: 1.5, scene: null, distortion: null, uncertainty: 0 },
      probabilities: { quality: { bad: 0.5, good: 0.5 } },
    });
  });
});
