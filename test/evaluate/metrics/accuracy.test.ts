import { describe, expect, it } from "vitest";
import { accuracy, confusionMatrices, distortionHits, sceneHits } from "../../../src/evaluate/metrics/accuracy.js";
import { prediction } from "../support.js";

const SCENES = ["animal", "human", "night", "plant"];
/** The order of the model's belief: plant, animal, human, night. */
const probabilities = { quality: [1], scene: [0.3, 0.2, 0.1, 0.4], distortion: [1] };

describe("sceneHits", () => {
  const hits = (...sceneLabels: string[]) => sceneHits(prediction({ sceneLabels, probabilities }), SCENES);

  it("counts an image with one label as right or as wrong", () => {
    expect(hits("plant")).toEqual({ right: 1, of: 1 });
    expect(hits("animal")).toEqual({ right: 0, of: 1 }); // the release leaves this one out of the total
  });

  it("asks of k labels which are among the k most probable scenes", () => {
    expect(hits("animal", "plant")).toEqual({ right: 2, of: 2 });
    expect(hits("human", "plant")).toEqual({ right: 1, of: 2 });
    expect(hits("human", "plant", "night")).toEqual({ right: 2, of: 3 });
  });

  it("has no answer without a label and without a scene axis", () => {
    expect(hits()).toEqual({ right: 0, of: 0 });
    const noScenes = { ...probabilities, scene: [] };
    expect(sceneHits(prediction({ sceneLabels: ["night"], probabilities: noScenes }), SCENES).of).toBe(0);
  });
});

describe("accuracy", () => {
  const labelled = [
    prediction({ distortion: "blur", distortionLabel: "blur" }),
    prediction({ distortion: "blur", distortionLabel: "noise" }),
    prediction({ distortion: "blur", distortionLabel: null }),
  ].map(distortionHits);

  it("is the share among labelled images alone", () => {
    expect(accuracy(labelled)).toEqual({ ok: true, value: 0.5 });
  });
  it("counts an image as often as its weight says", () => {
    expect(accuracy(labelled, Float64Array.of(3, 1, 7))).toEqual({ ok: true, value: 0.75 });
  });
  it("has no value where no image is labelled", () => {
    expect(accuracy(labelled.slice(2))).toEqual({ ok: false, reason: "no labeled images" });
  });
});

describe("confusion matrices", () => {
  it("count distortions by label and prediction", () => {
    const { distortion } = confusionMatrices(
      [
        prediction({ distortion: "blur", distortionLabel: "noise" }),
        prediction({ distortion: "noise", distortionLabel: "noise" }),
        prediction({ distortion: "noise", distortionLabel: null }),
      ],
      { scenes: SCENES, distortions: ["blur", "noise"] },
    );
    expect(distortion.counts).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  it("count an image with several scenes once: with the one predicted, else in equal parts", () => {
    const { scene } = confusionMatrices(
      [
        prediction({ scene: "night", sceneLabels: ["night", "plant"] }),
        prediction({ scene: "human", sceneLabels: ["night", "plant"] }),
      ],
      { scenes: SCENES, distortions: [] },
    );
    expect(scene.counts).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [0, 0.5, 1, 0],
      [0, 0.5, 0, 0],
    ]);
  });
});
