import { describe, expect, it } from "vitest";
import { PRESETS } from "../../../src/model/architecture/presets.js";
import { parameterShapes } from "../../../src/model/parameters/shapes.js";
import { learningRateFactors } from "../../../src/train/optimizer/parameterGroups.js";

const namesOf = (preset: keyof typeof PRESETS) => [...parameterShapes(PRESETS[preset]).keys()];

describe("rateFactors", () => {
  it("falls from 1 at the head by the factor a block, each tower from its own top", () => {
    const factors = learningRateFactors(namesOf("vit-tiny"), 0.5); // four blocks of vision, two of text
    expect(
      [
        "visual.proj",
        "visual.ln_post.weight",
        "visual.transformer.resblocks.3.ln_1.weight",
        "visual.transformer.resblocks.0.attn.out_proj.bias",
        "visual.ln_pre.bias",
        "visual.positional_embedding",
        "visual.stem.3.weight",
        "text_projection",
        "transformer.resblocks.1.mlp.c_fc.weight",
        "transformer.resblocks.0.ln_2.bias",
        "token_embedding.weight",
      ].map((name) => factors.get(name)),
    ).toEqual([1, 1, 1 / 2, 1 / 16, 1 / 32, 1 / 32, 1 / 32, 1, 1 / 2, 1 / 4, 1 / 8]);
  });

  it("is BEiT's layer_decay ** (layers + 1 - layer) for twelve blocks", () => {
    const factors = learningRateFactors(namesOf("vit-b-32"), 0.65);
    const ofBlock = (i: number) => factors.get(`visual.transformer.resblocks.${i}.ln_1.weight`) ?? NaN;
    const expected = Array.from({ length: 12 }, (_, i) => 0.65 ** (13 - (i + 1)));
    expect(expected.map((_, i) => ofBlock(i))).toBeAllClose(expected, { rtol: 1e-12, atol: 0 });
    expect(factors.get("visual.conv1.weight")).toBeCloseTo(0.65 ** 13, 12);
  });

  it("gives every parameter but the logit scale a rate, the same one at 1", () => {
    const names = namesOf("vit-b-16");
    const factors = learningRateFactors(names, 1);
    expect([...factors.keys()]).toEqual(names.filter((name) => name !== "logit_scale"));
    expect(new Set(factors.values())).toEqual(new Set([1]));
  });
});
