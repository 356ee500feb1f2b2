import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/base/errors.js";
import { gridOf, ModelConfig, PromptsConfig } from "../../../src/model/config.js";
import { DISTORTIONS, PUBLISHED_LABELS, QUALITIES, SCENES } from "../../../src/model/prompts/labels.js";
import {
  axisLabels,
  promptGrid,
  PUBLISHED_TEMPLATE,
  taskValue,
  taskValues,
} from "../../../src/model/prompts/promptGrid.js";

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

  it("says all that is wrong at once", () => {
    const labels = { ...PUBLISHED_LABELS, scenes: ["a", "b", "a", "b"] };
    expect(() => promptGrid("{scene} {place} {}", labels)).toThrow(
      new ConfigError(
        'prompts: template has no {quality}, and so predicts nothing: "{scene} {place} {}"; ' +
          "template has an unknown placeholder {place}; there are {quality}, {scene}, {distortion}; " +
          "template has an unknown placeholder {}; there are {quality}, {scene}, {distortion}; " +
          'the scene label "a" stands twice; the scene label "b" stands twice',
      ),
    );
    expect(() => promptGrid("{quality} {distortion}", { qualities: ["good"], scenes: [], distortions: {} })).toThrow(
      new ConfigError("prompts: quality needs at least two levels; the table of distortion labels is empty"),
    );
  });
});

describe("PUBLISHED_LABELS", () => {
  it("are the paper's, with the types of its lists", () => {
    const { qualities, scenes, distortions } = PUBLISHED_LABELS;
    const lines = Object.entries(distortions).map(([name, types]) => `${name}: ${types.join(", ")}`);
    expect(`\n${[qualities.join(", "), scenes.join(", "), ...lines].join("\n")}\n`).toMatchInlineSnapshot(`
      "
      bad, poor, fair, good, perfect
      animal, cityscape, human, indoor, landscape, night, plant, still_life, others
      jpeg2000 compression: jpeg2000 compression, fastfading
      jpeg compression: jpeg compression
      noise: noise, white noise, fnoise, white with color, impulse, multiplicative, white noise with denoise, realistic noise
      blur: blur, gaussian blur, lens, motion, shifting, realistic blur
      color: color, diffusion, oversaturation, desaturation
      contrast: contrast, sharpness, realistic contrast change
      overexposure: overexposure, brighten
      underexposure: underexposure, darken
      spatial: spatial, jitter, noneccentricity patch, pixelate, color blocking
      quantization: quantization, color quantization
      other: other, shifting the mean, other realistic
      "
    `);
    expect(DISTORTIONS).toEqual(Object.keys(distortions));
  });
});

describe("taskValue", () => {
  it("gives a task's number, and names the place and the task that has none", () => {
    const values = taskValues(["quality", "distortion"], (task) => task.length);
    expect(values).toEqual({ quality: 7, distortion: 10 });
    expect(taskValue(values, "distortion", "a test")).toBe(10);
    expect(() => taskValue(values, "scene", "a test")).toThrow('internal: a test has none for the task "scene"');
  });
});

describe("the sections model and prompts of a config", () => {
  it("have these defaults", () => {
    const prompts = PromptsConfig.parse({});
    expect(prompts).toEqual({ template: PUBLISHED_TEMPLATE, ...PUBLISHED_LABELS });
    expect(gridOf(prompts)).toEqual(promptGrid());
    expect(ModelConfig.parse({ weights: "w.pt" })).toEqual({ weights: "w.pt" });
  });

  it.each([
    [{ weights: "" }, "weights"],
    [{ weights: "w", heads: 1 }, ""],
    [{ weights: "w", architecture: { image: {} } }, "architecture"],
    [{ weights: "w", architecture: { text: { heads: 0 } } }, "architecture.text.heads"],
    [{ weights: "w", architecture: { text: { width: 1 } } }, "architecture.text"],
    [{ weights: "w", architecture: { vision: { activation: "relu" } } }, "architecture.vision.activation"],
  ])("refuse %j, at its place", (config, place) => {
    const { error } = ModelConfig.safeParse(config);
    expect(error?.issues.map(({ path }) => path.join("."))).toEqual([place]);
  });

  it("need a preset where there are no weights", () => {
    const { error } = ModelConfig.safeParse({ weights: "none" });
    expect(error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`)).toEqual([
      "preset is needed with `weights: none`: there is no file to read the architecture from",
    ]);
  });

  it("take a preset without weights, and refuse empty tables of labels", () => {
    expect(ModelConfig.safeParse({ weights: "none", preset: "rn50" }).success).toBe(true);
    for (const table of [{ qualities: [] }, { scenes: [""] }, { distortions: { blur: [""] } }, { more: 1 }]) {
      expect([table, PromptsConfig.safeParse(table).success]).toEqual([table, false]);
    }
    expect(PromptsConfig.safeParse({ distortions: { blur: [] }, scenes: ["a"] }).success).toBe(true);
  });
});
