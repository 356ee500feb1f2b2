import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/base/errors.js";
import {
  presetArchitecture,
  presetName,
  type PresetName,
  presetOf,
  PRESETS,
} from "../../../src/model/architecture/presets.js";
import { countParameters, isBatchStatistic, parameterShapes } from "../../../src/model/parameters/shapes.js";

describe("presetName", () => {
  it.each(["ViT-B/32", "ViT-B-32", "vit_b_32", "VIT-B/32", "vit-b-32"])("takes %s for vit-b-32", (alias) => {
    expect(presetName(alias)).toBe("vit-b-32");
  });

  it("takes OpenAI's name of a model with another window", () => {
    expect(presetName("ViT-L/14@336px")).toBe("vit-l-14-336");
    expect(presetName("RN50x64")).toBe("rn50x64");
  });

  it("names the nearest preset, and all of them, when there is none of that name", () => {
    expect(() => presetName("vit-l-41")).toThrow(ConfigError);
    expect(() => presetName("vit-l-41")).toThrow(/"vit-l-41"; did you mean "vit-l-14".*vit-b-32, vit-b-16/);
  });
});

describe("PRESETS", () => {
  /** Parameters of OpenAI's models: open_clip, docs/model_profile.csv, in millions. */
  it.each([
    ["vit-b-32", 151.28],
    ["vit-b-16", 149.62],
    ["vit-l-14", 427.62],
    ["vit-l-14-336", 427.94],
    ["rn50", 102.01],
    ["rn101", 119.69],
    ["rn50x4", 178.3],
    ["rn50x16", 290.98],
    ["rn50x64", 623.26],
  ] as const)("%s has the published number of parameters, %f million", (name, millions) => {
    const trained = [...parameterShapes(PRESETS[name])].filter(([parameter]) => !isBatchStatistic(parameter));
    expect(countParameters(new Map(trained)) / 1e6).toBeCloseTo(millions, 2);
  });

  it.each(Object.keys(PRESETS) as PresetName[])("%s is recognised by its own numbers", (name) => {
    expect(presetOf(structuredClone(presetArchitecture(name)))).toBe(name);
  });

  it("recognises no preset in an architecture with one layer less", () => {
    const { vision, ...rest } = PRESETS["vit-b-32"];
    expect(presetOf({ vision: { ...vision, layers: 11 }, ...rest })).toBeNull();
  });
});
