import { describe, expect, it } from "vitest";
import { PRESET_NAMES, PRESETS } from "../../../src/model/architecture/presets.js";
import { USED_ROWS } from "../../../src/model/parameters/parameters.js";
import { blockCounts, parameterShapes, partOf } from "../../../src/model/parameters/shapes.js";

const namesOf = (preset: keyof typeof PRESETS) => [...parameterShapes(PRESETS[preset]).keys()];

describe("partOf", () => {
  it.each(PRESET_NAMES)(
    "places every parameter of %s but the logit scale and batch statistics, in the tower that its name says",
    (preset) => {
      for (const name of namesOf(preset)) {
        const tower = name.startsWith("visual.") ? "vision" : "text";
        const isTrained = name !== "logit_scale" && !/running_(mean|var)$/.test(name);
        expect([name, partOf(name)?.tower]).toEqual([name, isTrained ? tower : undefined]);
      }
    },
  );

  it.each([
    ["visual.conv1.weight", "stem", null],
    ["visual.bn3.bias", "stem", null],
    ["visual.layer1.2.conv1.weight", "blocks", 0],
    ["visual.layer4.0.downsample.1.weight", "blocks", 3],
    ["visual.attnpool.positional_embedding", "head", null],
    ["visual.stem.2.norm.bias", "stem", null],
    ["visual.class_embedding", "embeddings", null],
    ["visual.ln_pre.weight", "embeddings", null],
    ["visual.transformer.resblocks.11.mlp.c_fc.bias", "blocks", 11],
    ["visual.ln_post.bias", "head", null],
    ["visual.proj", "head", null],
    ["token_embedding.weight", "embeddings", null],
    [USED_ROWS, "embeddings", null],
    ["positional_embedding", "embeddings", null],
    ["transformer.resblocks.0.attn.in_proj_weight", "blocks", 0],
    ["ln_final.weight", "head", null],
    ["text_projection", "head", null],
  ])("knows %s as part of the %s", (name, part, block) => {
    expect(partOf(name)).toMatchObject({ part, block });
  });

  it("knows no other names", () => {
    for (const name of ["logit_scale", "visual.projection", "ln_finale", "transformer.resblocks.x.ln_1.weight"]) {
      expect([name, partOf(name)]).toEqual([name, null]);
    }
  });
});

describe("blockCounts", () => {
  it("counts each tower's own blocks", () => {
    expect(blockCounts(namesOf("vit-l-14"))).toEqual({ vision: 24, text: 12 });
    expect(blockCounts(namesOf("vit-tiny"))).toEqual({ vision: 4, text: 2 });
    expect(blockCounts(["logit_scale"])).toEqual({ vision: 0, text: 0 });
  });
});
