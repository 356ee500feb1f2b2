import { describe, expect, it } from "vitest";
import { fitMapping } from "../../../src/evaluate/mapping/fitMapping.js";
import { withinGroups } from "../../../src/evaluate/metrics/withinGroups.js";
import { PROTOCOLS } from "../../../src/evaluate/protocols.js";
import { prediction } from "../support.js";

const raw = fitMapping(PROTOCOLS.raw, [], []);
const image = (content: string | null, quality: number, mos: number, sceneLabels: readonly string[] = []) =>
  prediction({ content, quality, mos, sceneLabels });

describe("withinGroups", () => {
  it("takes mean and median over contents of the correlations inside each", () => {
    const { content } = withinGroups(
      [
        ...[1, 2, 3, 4].map((x) => image("right", x, 10 * x)), // 1
        ...[1, 2, 3].map((x) => image("wrong", x, 50 - x)), // -1
        ...[
          [1, 1],
          [2, 3],
          [3, 2],
        ].map(([x = 0, y = 0]) => image("half", x, y)), // SRCC 0.5, KRCC 1/3
        image("small", 1, 1),
        image("small", 2, 2),
        ...[1, 2, 3].map((x) => image("alike", x, 7)),
        image(null, 1, 1),
      ],
      raw,
    );
    expect(content).toMatchObject({ groups: 3, leftOut: 2, images: 10 });
    expect(content.srcc.mean).toBeCloseTo(0.5 / 3, 12);
    expect(content.srcc).toMatchObject({ median: 0.5 });
    expect(content.krcc.mean).toBeCloseTo(1 / 9, 12);
    expect(content.plcc.mean).toBeCloseTo(0.5 / 3, 12);
  });

  it("counts an image with two scenes in both", () => {
    const images = [1, 2, 3].map((x) => image(null, x, x, ["animal", "night"]));
    const more = [1, 2, 3].map((x) => image(null, x, -x, ["night"]));
    const { scene } = withinGroups([...images, ...more], raw);
    expect(scene).toMatchObject({ groups: 2, images: 9 });
    expect(scene.srcc.mean).toBeCloseTo((1 + 0) / 2, 12);
  });

  it("says why there is no value", () => {
    const { content, scene } = withinGroups([image(null, 1, 2)], raw);
    const nothing = { mean: null, reason: "no group of 3 images or more whose scores differ" };
    expect([content.srcc, content.plcc, scene.krcc]).toEqual([nothing, nothing, nothing]);
  });
});
