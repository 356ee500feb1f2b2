import { describe, expect, it } from "vitest";
import { DISTORTIONS, PUBLISHED_LABELS, QUALITIES, SCENES } from "../../../src/model/prompts/labels.js";
import { axisLabels, promptGrid } from "../../../src/model/prompts/promptGrid.js";

describe("promptGrid", () => {
  it("writes the published grid in the order quality, scene, distortion, the last fastest", () => {
    const { prompts } = promptGrid();
    expect(prompts).toHaveLength(QUALITIES.length * SCENES.length * DISTORTIONS.length);
    expect(prompts[0]).toBe("a photo of a animal with jpeg2000 compression artifacts, which is of bad quality");
    expect(prompts[1]).toBe("a photo of a animal with jpeg compression artifacts, which is of bad quality");
    expect(prompts[DISTORTIONS.length]).toContain("cityscape with jpeg2000 compression");
    expect(prompts.at(-1)).toBe("a photo of a others with other artifacts, which is of perfect quality");
  });

  it("leaves out the tasks whose placeholders the template leaves out", () => {
    const grid = promptGrid("a photo with {distortion} artifacts, which is of {quality} quality");
    expect(grid.axes.map(({ axis }) => axis)).toEqual(["quality", "distortion"]);
    expect(grid.prompts).toHaveLength(QUALITIES.length * DISTORTIONS.length);
    expect(axisLabels(grid, "scene")).toBeUndefined();
    expect(axisLabels(grid, "quality")).toBe(QUALITIES);
  });

  it("takes own label tables", () => {
    const labels = { ...PUBLISHED_LABELS, qualities: ["bad", "good"], scenes: ["$& cell"] };
    expect(promptGrid("{scene}: {quality}", labels).prompts).toEqual(["$& cell: bad", "$& cell: good"]);
  });

  it.each([
    ["a template without {quality}", "a {scene}", PUBLISHED_LABELS, "has no {quality}"],
    ["an unknown placeholder", "{quality} of {place}", PUBLISHED_LABELS, "unknown placeholder {place}; there are"],
    ["an empty table", "{quality} {scene}", { ...PUBLISHED_LABELS, scenes: [] }, "scene labels is empty"],
    ["a label twice", "{quality} {scene}", { ...PUBLISHED_LABELS, scenes: ["a", "a"] }, '"a" stands twice'],
    ["one quality level", "{quality}", { ...PUBLISHED_LABELS, qualities: ["good"] }, "at least two levels"],
  ])("refuses %s", (_, template, labels, message) => {
    expect(() => promptGrid(template, labels)).toThrow(message);
  });
});
