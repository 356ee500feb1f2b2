import { describe, expect, it } from "vitest";
import type { Architecture } from "../../../src/model/architecture/architecture.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import {
  adapterShapes,
  blockAdapters,
  fromPeftName,
  initialAdapters,
  MAPS_OF_BLOCK,
  mergeAdapters,
  peftName,
} from "../../../src/model/parameters/lora.js";
import { parameterShapes, partOf } from "../../../src/model/parameters/shapes.js";
import { openClipName } from "../../../src/model/weights/openClipNames.js";
import { inFileNames, inOpenAiNames, toTransformers } from "../../../src/model/weights/transformersNames.js";

// Long, as whole expected texts stand inline, each beside what makes it.

const TEXT = { width: 6, layers: 1, heads: 1, activation: "gelu", contextLength: 7, vocabulary: 9 } as const;
const VIT = { width: 4, layers: 1, heads: 1, activation: "gelu", imageSize: 12, patchSize: 4, stem: "patch" } as const;
const KINDS: Readonly<Record<string, Architecture>> = {
  vit: { vision: VIT, text: { ...TEXT, mlpWidth: 5 }, embedding: 3 },
  stem: {
    vision: { ...VIT, layers: 0, stem: [{ stride: 2, width: 12 }, { stride: 2, width: 4 }] }, // prettier-ignore
    text: { ...TEXT, layers: 0 },
    embedding: 3,
  },
  resnet: {
    vision: { kind: "resnet", imageSize: 64, width: 4, stages: [2, 1], heads: 2 },
    text: { ...TEXT, layers: 0 },
    embedding: 3,
  },
  siglip: {
    vision: { kind: "siglip", width: 4, layers: 1, heads: 2, activation: "gelu-tanh", imageSize: 8, patchSize: 4 },
    text: { ...TEXT, kind: "siglip", mlpWidth: 7 },
    embedding: 4,
  },
};
const architectureOf = (kind: string) => KINDS[kind] ?? expect.fail(kind);

/** Lines of an architecture's parameters: shape, part of the network, and where the first number starts at random. */
function parametersOf(kind: string): string {
  const arrays = initialParameters(architectureOf(kind), 1);
  const lines = [...parameterShapes(architectureOf(kind))].map(([name, shape]) => {
    const { tower, part, block } = partOf(name) ?? {};
    const place = tower === undefined ? "-" : `${tower} ${part}${typeof block === "number" ? ` ${block}` : ""}`;
    const { values = new Float32Array() } = arrays.get(name) ?? {};
    const isConstant = values.every((value) => value === values[0]);
    return `${name} [${shape.join()}] ${place}: ${(values[0] ?? NaN).toPrecision(4)}${isConstant ? "" : ", ..."}`;
  });
  return `\n${lines.join("\n")}\n`;
}

/** Lines of an architecture's tensors as transformers has them; the name is left out where it is ours. */
function theirsOf(kind: string): string {
  const tensors = toTransformers(initialParameters(architectureOf(kind), 1));
  const lines = [...tensors].map(
    ([name, { shape, source }]) => `${source} -> ${name === source ? "the same" : name} [${shape.join()}]`,
  );
  return `\n${lines.join("\n")}\n`;
}

describe("the parameters of an architecture", () => {
  it("are these of a vision transformer", () => {
    expect(parametersOf("vit")).toMatchInlineSnapshot(`
      "
      visual.class_embedding [4] vision embeddings: 0.2145, ...
      visual.positional_embedding [10,4] vision embeddings: 0.3470, ...
      visual.conv1.weight [4,3,4,4] vision stem: -0.1092, ...
      visual.ln_pre.weight [4] vision embeddings: 1.000
      visual.ln_pre.bias [4] vision embeddings: 0.000
      visual.transformer.resblocks.0.ln_1.weight [4] vision blocks 0: 1.000
      visual.transformer.resblocks.0.ln_1.bias [4] vision blocks 0: 0.000
      visual.transformer.resblocks.0.attn.in_proj_weight [12,4] vision blocks 0: -0.5991, ...
      visual.transformer.resblocks.0.attn.in_proj_bias [12] vision blocks 0: 0.000
      visual.transformer.resblocks.0.attn.out_proj.weight [4,4] vision blocks 0: -0.04108, ...
      visual.transformer.resblocks.0.attn.out_proj.bias [4] vision blocks 0: 0.000
      visual.transformer.resblocks.0.ln_2.weight [4] vision blocks 0: 1.000
      visual.transformer.resblocks.0.ln_2.bias [4] vision blocks 0: 0.000
      visual.transformer.resblocks.0.mlp.c_fc.weight [16,4] vision blocks 0: 0.2402, ...
      visual.transformer.resblocks.0.mlp.c_fc.bias [16] vision blocks 0: 0.000
      visual.transformer.resblocks.0.mlp.c_proj.weight [4,16] vision blocks 0: -0.08001, ...
      visual.transformer.resblocks.0.mlp.c_proj.bias [4] vision blocks 0: 0.000
      visual.ln_post.weight [4] vision head: 1.000
      visual.ln_post.bias [4] vision head: 0.000
      visual.proj [4,3] vision head: 0.05975, ...
      positional_embedding [7,6] text embeddings: 0.0003003, ...
      token_embedding.weight [9,6] text embeddings: -0.03222, ...
      transformer.resblocks.0.ln_1.weight [6] text blocks 0: 1.000
      transformer.resblocks.0.ln_1.bias [6] text blocks 0: 0.000
      transformer.resblocks.0.attn.in_proj_weight [18,6] text blocks 0: 0.06288, ...
      transformer.resblocks.0.attn.in_proj_bias [18] text blocks 0: 0.000
      transformer.resblocks.0.attn.out_proj.weight [6,6] text blocks 0: 0.1992, ...
      transformer.resblocks.0.attn.out_proj.bias [6] text blocks 0: 0.000
      transformer.resblocks.0.ln_2.weight [6] text blocks 0: 1.000
      transformer.resblocks.0.ln_2.bias [6] text blocks 0: 0.000
      transformer.resblocks.0.mlp.c_fc.weight [5,6] text blocks 0: -0.05117, ...
      transformer.resblocks.0.mlp.c_fc.bias [5] text blocks 0: 0.000
      transformer.resblocks.0.mlp.c_proj.weight [6,5] text blocks 0: -0.1827, ...
      transformer.resblocks.0.mlp.c_proj.bias [6] text blocks 0: 0.000
      ln_final.weight [6] text head: 1.000
      ln_final.bias [6] text head: 0.000
      text_projection [6,3] text head: -0.3002, ...
      logit_scale [] -: 2.996
      "
    `);
  });

  it("are these of a hierarchical stem, without any block", () => {
    expect(parametersOf("stem")).toMatchInlineSnapshot(`
      "
      visual.class_embedding [4] vision embeddings: 0.2145, ...
      visual.positional_embedding [10,4] vision embeddings: 0.3470, ...
      visual.stem.0.weight [12,3,2,2] vision stem: 0.07217, ...
      visual.stem.0.bias [12] vision stem: 0.000
      visual.stem.0.norm.weight [12] vision stem: 1.000
      visual.stem.0.norm.bias [12] vision stem: 0.000
      visual.stem.1.weight [4,12,2,2] vision stem: -0.03910, ...
      visual.stem.1.bias [4] vision stem: 0.000
      visual.stem.1.norm.weight [4] vision stem: 1.000
      visual.stem.1.norm.bias [4] vision stem: 0.000
      visual.ln_pre.weight [4] vision embeddings: 1.000
      visual.ln_pre.bias [4] vision embeddings: 0.000
      visual.ln_post.weight [4] vision head: 1.000
      visual.ln_post.bias [4] vision head: 0.000
      visual.proj [4,3] vision head: 0.05975, ...
      positional_embedding [7,6] text embeddings: 0.0003003, ...
      token_embedding.weight [9,6] text embeddings: -0.03222, ...
      ln_final.weight [6] text head: 1.000
      ln_final.bias [6] text head: 0.000
      text_projection [6,3] text head: -0.3002, ...
      logit_scale [] -: 2.996
      "
    `);
  });

  it("are these of a ResNet", () => {
    expect(parametersOf("resnet")).toMatchInlineSnapshot(`
      "
      visual.conv1.weight [2,3,3,3] vision stem: -0.2060, ...
      visual.bn1.weight [2] vision stem: 1.000
      visual.bn1.bias [2] vision stem: 0.000
      visual.bn1.running_mean [2] -: 0.000
      visual.bn1.running_var [2] -: 1.000
      visual.conv2.weight [2,2,3,3] vision stem: -0.4373, ...
      visual.bn2.weight [2] vision stem: 1.000
      visual.bn2.bias [2] vision stem: 0.000
      visual.bn2.running_mean [2] -: 0.000
      visual.bn2.running_var [2] -: 1.000
      visual.conv3.weight [4,2,3,3] vision stem: -0.1742, ...
      visual.bn3.weight [4] vision stem: 1.000
      visual.bn3.bias [4] vision stem: 0.000
      visual.bn3.running_mean [4] -: 0.000
      visual.bn3.running_var [4] -: 1.000
      visual.layer1.0.conv1.weight [4,4,1,1] vision blocks 0: 0.9745, ...
      visual.layer1.0.bn1.weight [4] vision blocks 0: 1.000
      visual.layer1.0.bn1.bias [4] vision blocks 0: 0.000
      visual.layer1.0.bn1.running_mean [4] -: 0.000
      visual.layer1.0.bn1.running_var [4] -: 1.000
      visual.layer1.0.conv2.weight [4,4,3,3] vision blocks 0: 0.1374, ...
      visual.layer1.0.bn2.weight [4] vision blocks 0: 1.000
      visual.layer1.0.bn2.bias [4] vision blocks 0: 0.000
      visual.layer1.0.bn2.running_mean [4] -: 0.000
      visual.layer1.0.bn2.running_var [4] -: 1.000
      visual.layer1.0.conv3.weight [16,4,1,1] vision blocks 0: 1.095, ...
      visual.layer1.0.bn3.weight [16] vision blocks 0: 0.000
      visual.layer1.0.bn3.bias [16] vision blocks 0: 0.000
      visual.layer1.0.bn3.running_mean [16] -: 0.000
      visual.layer1.0.bn3.running_var [16] -: 1.000
      visual.layer1.0.downsample.0.weight [16,4,1,1] vision blocks 0: 1.386, ...
      visual.layer1.0.downsample.1.weight [16] vision blocks 0: 1.000
      visual.layer1.0.downsample.1.bias [16] vision blocks 0: 0.000
      visual.layer1.0.downsample.1.running_mean [16] -: 0.000
      visual.layer1.0.downsample.1.running_var [16] -: 1.000
      visual.layer1.1.conv1.weight [4,16,1,1] vision blocks 0: -0.008881, ...
      visual.layer1.1.bn1.weight [4] vision blocks 0: 1.000
      visual.layer1.1.bn1.bias [4] vision blocks 0: 0.000
      visual.layer1.1.bn1.running_mean [4] -: 0.000
      visual.layer1.1.bn1.running_var [4] -: 1.000
      visual.layer1.1.conv2.weight [4,4,3,3] vision blocks 0: 0.09518, ...
      visual.layer1.1.bn2.weight [4] vision blocks 0: 1.000
      visual.layer1.1.bn2.bias [4] vision blocks 0: 0.000
      visual.layer1.1.bn2.running_mean [4] -: 0.000
      visual.layer1.1.bn2.running_var [4] -: 1.000
      visual.layer1.1.conv3.weight [16,4,1,1] vision blocks 0: 0.3158, ...
      visual.layer1.1.bn3.weight [16] vision blocks 0: 0.000
      visual.layer1.1.bn3.bias [16] vision blocks 0: 0.000
      visual.layer1.1.bn3.running_mean [16] -: 0.000
      visual.layer1.1.bn3.running_var [16] -: 1.000
      visual.layer2.0.conv1.weight [8,16,1,1] vision blocks 1: 0.06752, ...
      visual.layer2.0.bn1.weight [8] vision blocks 1: 1.000
      visual.layer2.0.bn1.bias [8] vision blocks 1: 0.000
      visual.layer2.0.bn1.running_mean [8] -: 0.000
      visual.layer2.0.bn1.running_var [8] -: 1.000
      visual.layer2.0.conv2.weight [8,8,3,3] vision blocks 1: -0.1121, ...
      visual.layer2.0.bn2.weight [8] vision blocks 1: 1.000
      visual.layer2.0.bn2.bias [8] vision blocks 1: 0.000
      visual.layer2.0.bn2.running_mean [8] -: 0.000
      visual.layer2.0.bn2.running_var [8] -: 1.000
      visual.layer2.0.conv3.weight [32,8,1,1] vision blocks 1: -0.1843, ...
      visual.layer2.0.bn3.weight [32] vision blocks 1: 0.000
      visual.layer2.0.bn3.bias [32] vision blocks 1: 0.000
      visual.layer2.0.bn3.running_mean [32] -: 0.000
      visual.layer2.0.bn3.running_var [32] -: 1.000
      visual.layer2.0.downsample.0.weight [32,16,1,1] vision blocks 1: 0.007203, ...
      visual.layer2.0.downsample.1.weight [32] vision blocks 1: 1.000
      visual.layer2.0.downsample.1.bias [32] vision blocks 1: 0.000
      visual.layer2.0.downsample.1.running_mean [32] -: 0.000
      visual.layer2.0.downsample.1.running_var [32] -: 1.000
      visual.attnpool.positional_embedding [5,32] vision head: -0.2871, ...
      visual.attnpool.q_proj.weight [32,32] vision head: -0.05148, ...
      visual.attnpool.q_proj.bias [32] vision head: 0.000
      visual.attnpool.k_proj.weight [32,32] vision head: -0.1602, ...
      visual.attnpool.k_proj.bias [32] vision head: 0.000
      visual.attnpool.v_proj.weight [32,32] vision head: 0.09028, ...
      visual.attnpool.v_proj.bias [32] vision head: 0.000
      visual.attnpool.c_proj.weight [3,32] vision head: -0.03230, ...
      visual.attnpool.c_proj.bias [3] vision head: 0.000
      positional_embedding [7,6] text embeddings: 0.0003003, ...
      token_embedding.weight [9,6] text embeddings: -0.03222, ...
      ln_final.weight [6] text head: 1.000
      ln_final.bias [6] text head: 0.000
      text_projection [6,3] text head: -0.3002, ...
      logit_scale [] -: 2.996
      "
    `);
  });

  it("are these of a SigLIP", () => {
    expect(parametersOf("siglip")).toMatchInlineSnapshot(`
      "
      visual.conv1.weight [4,3,4,4] vision stem: -0.1092, ...
      visual.conv1.bias [4] vision stem: 0.000
      visual.positional_embedding [4,4] vision embeddings: 0.3470, ...
      visual.transformer.resblocks.0.ln_1.weight [4] vision blocks 0: 1.000
      visual.transformer.resblocks.0.ln_1.bias [4] vision blocks 0: 0.000
      visual.transformer.resblocks.0.attn.in_proj_weight [12,4] vision blocks 0: -0.5991, ...
      visual.transformer.resblocks.0.attn.in_proj_bias [12] vision blocks 0: 0.000
      visual.transformer.resblocks.0.attn.out_proj.weight [4,4] vision blocks 0: -0.04108, ...
      visual.transformer.resblocks.0.attn.out_proj.bias [4] vision blocks 0: 0.000
      visual.transformer.resblocks.0.ln_2.weight [4] vision blocks 0: 1.000
      visual.transformer.resblocks.0.ln_2.bias [4] vision blocks 0: 0.000
      visual.transformer.resblocks.0.mlp.c_fc.weight [16,4] vision blocks 0: 0.2402, ...
      visual.transformer.resblocks.0.mlp.c_fc.bias [16] vision blocks 0: 0.000
      visual.transformer.resblocks.0.mlp.c_proj.weight [4,16] vision blocks 0: -0.08001, ...
      visual.transformer.resblocks.0.mlp.c_proj.bias [4] vision blocks 0: 0.000
      visual.ln_post.weight [4] vision head: 1.000
      visual.ln_post.bias [4] vision head: 0.000
      visual.attnpool.probe [1,1,4] vision head: 0.5195, ...
      visual.attnpool.attn.in_proj_weight [12,4] vision head: -0.2379, ...
      visual.attnpool.attn.in_proj_bias [12] vision head: 0.000
      visual.attnpool.attn.out_proj.weight [4,4] vision head: 0.2054, ...
      visual.attnpool.attn.out_proj.bias [4] vision head: 0.000
      visual.attnpool.ln_mlp.weight [4] vision head: 1.000
      visual.attnpool.ln_mlp.bias [4] vision head: 0.000
      visual.attnpool.mlp.c_fc.weight [16,4] vision head: -0.08989, ...
      visual.attnpool.mlp.c_fc.bias [16] vision head: 0.000
      visual.attnpool.mlp.c_proj.weight [4,16] vision head: -0.2317, ...
      visual.attnpool.mlp.c_proj.bias [4] vision head: 0.000
      positional_embedding [7,6] text embeddings: 0.0003003, ...
      token_embedding.weight [9,6] text embeddings: -0.03222, ...
      transformer.resblocks.0.ln_1.weight [6] text blocks 0: 1.000
      transformer.resblocks.0.ln_1.bias [6] text blocks 0: 0.000
      transformer.resblocks.0.attn.in_proj_weight [18,6] text blocks 0: 0.06288, ...
      transformer.resblocks.0.attn.in_proj_bias [18] text blocks 0: 0.000
      transformer.resblocks.0.attn.out_proj.weight [6,6] text blocks 0: 0.1992, ...
      transformer.resblocks.0.attn.out_proj.bias [6] text blocks 0: 0.000
      transformer.resblocks.0.ln_2.weight [6] text blocks 0: 1.000
      transformer.resblocks.0.ln_2.bias [6] text blocks 0: 0.000
      transformer.resblocks.0.mlp.c_fc.weight [7,6] text blocks 0: -0.05117, ...
      transformer.resblocks.0.mlp.c_fc.bias [7] text blocks 0: 0.000
      transformer.resblocks.0.mlp.c_proj.weight [6,7] text blocks 0: -0.1827, ...
      transformer.resblocks.0.mlp.c_proj.bias [6] text blocks 0: 0.000
      ln_final.weight [6] text head: 1.000
      ln_final.bias [6] text head: 0.000
      text_projection [6,4] text head: -0.3002, ...
      logit_scale [] -: 2.996
      text_projection_bias [4] text head: 0.000
      logit_bias [] -: 0.000
      "
    `);
  });
});

describe("the adapters of an architecture", () => {
  it("have these names, shapes and first numbers", () => {
    const shapes = adapterShapes(parameterShapes(architectureOf("vit")), 2, () => true);
    const lines = [...initialAdapters(shapes, 1)].map(
      ([name, { shape, values }]) => `${name} [${shape.join()}] ${(values[0] ?? NaN).toPrecision(4)}`,
    );
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      visual.transformer.resblocks.0.self_attn.q_proj.lora_A.weight [2,4] -0.2499
      visual.transformer.resblocks.0.self_attn.q_proj.lora_B.weight [4,2] 0.000
      visual.transformer.resblocks.0.self_attn.k_proj.lora_A.weight [2,4] 0.09661
      visual.transformer.resblocks.0.self_attn.k_proj.lora_B.weight [4,2] 0.000
      visual.transformer.resblocks.0.self_attn.v_proj.lora_A.weight [2,4] -0.3683
      visual.transformer.resblocks.0.self_attn.v_proj.lora_B.weight [4,2] 0.000
      visual.transformer.resblocks.0.self_attn.out_proj.lora_A.weight [2,4] -0.09558
      visual.transformer.resblocks.0.self_attn.out_proj.lora_B.weight [4,2] 0.000
      visual.transformer.resblocks.0.mlp.fc1.lora_A.weight [2,4] -0.1885
      visual.transformer.resblocks.0.mlp.fc1.lora_B.weight [16,2] 0.000
      visual.transformer.resblocks.0.mlp.fc2.lora_A.weight [2,16] -0.1742
      visual.transformer.resblocks.0.mlp.fc2.lora_B.weight [4,2] 0.000
      transformer.resblocks.0.self_attn.q_proj.lora_A.weight [2,6] -0.2205
      transformer.resblocks.0.self_attn.q_proj.lora_B.weight [6,2] 0.000
      transformer.resblocks.0.self_attn.k_proj.lora_A.weight [2,6] 0.3960
      transformer.resblocks.0.self_attn.k_proj.lora_B.weight [6,2] 0.000
      transformer.resblocks.0.self_attn.v_proj.lora_A.weight [2,6] -0.07465
      transformer.resblocks.0.self_attn.v_proj.lora_B.weight [6,2] 0.000
      transformer.resblocks.0.self_attn.out_proj.lora_A.weight [2,6] -0.05327
      transformer.resblocks.0.self_attn.out_proj.lora_B.weight [6,2] 0.000
      transformer.resblocks.0.mlp.fc1.lora_A.weight [2,6] -0.1363
      transformer.resblocks.0.mlp.fc1.lora_B.weight [5,2] 0.000
      transformer.resblocks.0.mlp.fc2.lora_A.weight [2,5] -0.4421
      transformer.resblocks.0.mlp.fc2.lora_B.weight [6,2] 0.000
      "
    `);
  });

  it("are those of a block that are there, each in its place among all", () => {
    const block = "visual.transformer.resblocks.3";
    const names = ["self_attn.k_proj", "mlp.fc2"].map((map) => `${block}.${map}.lora_A.weight`);
    const found = blockAdapters(block, new Set([...names, `${block}.mlp.fc1.lora_B.weight`, "mlp.fc1.lora_A.weight"]));
    expect(
      found.map(({ weight, maps }) => [weight, ...maps.map(({ down, up, place }) => `${down} ${up} ${place}`)]),
    ).toEqual([
      [
        "attn.in_proj_weight",
        "self_attn.q_proj.lora_A.weight self_attn.q_proj.lora_B.weight 0",
        "self_attn.k_proj.lora_A.weight self_attn.k_proj.lora_B.weight 1",
        "self_attn.v_proj.lora_A.weight self_attn.v_proj.lora_B.weight 2",
      ],
      ["mlp.c_proj.weight", "mlp.fc2.lora_A.weight mlp.fc2.lora_B.weight 5"],
    ]);
    expect(MAPS_OF_BLOCK).toBe(6);
    expect(blockAdapters(block, new Set())).toEqual([]);
  });

  it("have PEFT's names of either tower, and no others back", () => {
    const ours = "transformer.resblocks.11.mlp.fc1.lora_B.weight";
    const theirs = "encoder.layers.11.mlp.fc1.lora_B.weight";
    expect(peftName(ours)).toBe(`base_model.model.text_model.${theirs}`);
    expect(peftName(`visual.${ours}`)).toBe(`base_model.model.vision_model.${theirs}`);
    expect(peftName("prompt_features")).toBe("prompt_features");
    expect(fromPeftName(`base_model.model.text_model.${theirs}`)).toBe(ours);
    expect(fromPeftName(`base_model.model.vision_model.${theirs}`)).toBe(`visual.${ours}`);
    expect(fromPeftName("base_model.model.text_model.encoder.layers.11.mlp.fc1.weight")).toBeNull();
    expect(fromPeftName(ours)).toBeNull();
  });

  it("are merged into the rows of their own map", () => {
    const block = "transformer.resblocks.0";
    const array = (shape: readonly number[], ...values: number[]) => ({ shape, values: Float32Array.from(values) });
    const weights = new Map([
      [`${block}.attn.in_proj_weight`, array([6, 2], ...Array.from({ length: 12 }, (_, i) => i))],
      [`${block}.self_attn.k_proj.lora_A.weight`, array([2, 2], 1, 2, 3, 4)],
      [`${block}.self_attn.k_proj.lora_B.weight`, array([2, 2], 1, 10, 100, 1000)],
    ]);
    const rest = ["q_proj", "v_proj"].flatMap((map) =>
      ["A", "B"].map((part) => [`${block}.self_attn.${map}.lora_${part}.weight`, array([2, 2], 0, 0, 0, 0)] as const),
    );
    const merged = mergeAdapters(new Map([...weights, ...rest]), 1);
    // half of B·A, [31, 42] and [3100, 4200], in the second pair of rows
    expect([...merged.keys()]).toEqual([`${block}.attn.in_proj_weight`]);
    expect([...(merged.get(`${block}.attn.in_proj_weight`)?.values ?? [])]).toEqual([
      ...[0, 1, 2, 3, 4 + 15.5, 5 + 21, 6 + 1550, 7 + 2100, 8, 9, 10, 11],
    ]);
    expect(mergeAdapters(merged, 1)).toBe(merged);
  });

  it("are asked for by each matrix's name and part", () => {
    const asked: string[] = [];
    adapterShapes(parameterShapes(architectureOf("vit")), 2, (name, part) => {
      if (name.startsWith("transformer.")) asked.push(`${name.replace(/^.*resblocks\.0\./, "")}: ${part}`);
      return false;
    });
    expect(asked.filter((line) => line.includes("weight") && !line.includes("ln_"))).toEqual([
      "attn.in_proj_weight: attention",
      "attn.out_proj.weight: attention",
      "mlp.c_fc.weight: feed-forward",
      "mlp.c_proj.weight: feed-forward",
    ]);
  });
});

describe("transformers' names", () => {
  it("are these of a CLIP", () => {
    expect(theirsOf("vit")).toMatchInlineSnapshot(`
      "
      visual.class_embedding -> vision_model.embeddings.class_embedding [4]
      visual.positional_embedding -> vision_model.embeddings.position_embedding.weight [10,4]
      visual.conv1.weight -> vision_model.embeddings.patch_embedding.weight [4,3,4,4]
      visual.ln_pre.weight -> vision_model.pre_layrnorm.weight [4]
      visual.ln_pre.bias -> vision_model.pre_layrnorm.bias [4]
      visual.transformer.resblocks.0.ln_1.weight -> vision_model.encoder.layers.0.layer_norm1.weight [4]
      visual.transformer.resblocks.0.ln_1.bias -> vision_model.encoder.layers.0.layer_norm1.bias [4]
      visual.transformer.resblocks.0.attn.in_proj_weight -> vision_model.encoder.layers.0.self_attn.q_proj.weight [4,4]
      visual.transformer.resblocks.0.attn.in_proj_weight -> vision_model.encoder.layers.0.self_attn.k_proj.weight [4,4]
      visual.transformer.resblocks.0.attn.in_proj_weight -> vision_model.encoder.layers.0.self_attn.v_proj.weight [4,4]
      visual.transformer.resblocks.0.attn.in_proj_bias -> vision_model.encoder.layers.0.self_attn.q_proj.bias [4]
      visual.transformer.resblocks.0.attn.in_proj_bias -> vision_model.encoder.layers.0.self_attn.k_proj.bias [4]
      visual.transformer.resblocks.0.attn.in_proj_bias -> vision_model.encoder.layers.0.self_attn.v_proj.bias [4]
      visual.transformer.resblocks.0.attn.out_proj.weight -> vision_model.encoder.layers.0.self_attn.out_proj.weight [4,4]
      visual.transformer.resblocks.0.attn.out_proj.bias -> vision_model.encoder.layers.0.self_attn.out_proj.bias [4]
      visual.transformer.resblocks.0.ln_2.weight -> vision_model.encoder.layers.0.layer_norm2.weight [4]
      visual.transformer.resblocks.0.ln_2.bias -> vision_model.encoder.layers.0.layer_norm2.bias [4]
      visual.transformer.resblocks.0.mlp.c_fc.weight -> vision_model.encoder.layers.0.mlp.fc1.weight [16,4]
      visual.transformer.resblocks.0.mlp.c_fc.bias -> vision_model.encoder.layers.0.mlp.fc1.bias [16]
      visual.transformer.resblocks.0.mlp.c_proj.weight -> vision_model.encoder.layers.0.mlp.fc2.weight [4,16]
      visual.transformer.resblocks.0.mlp.c_proj.bias -> vision_model.encoder.layers.0.mlp.fc2.bias [4]
      visual.ln_post.weight -> vision_model.post_layernorm.weight [4]
      visual.ln_post.bias -> vision_model.post_layernorm.bias [4]
      visual.proj -> visual_projection.weight [3,4]
      positional_embedding -> text_model.embeddings.position_embedding.weight [7,6]
      token_embedding.weight -> text_model.embeddings.token_embedding.weight [9,6]
      transformer.resblocks.0.ln_1.weight -> text_model.encoder.layers.0.layer_norm1.weight [6]
      transformer.resblocks.0.ln_1.bias -> text_model.encoder.layers.0.layer_norm1.bias [6]
      transformer.resblocks.0.attn.in_proj_weight -> text_model.encoder.layers.0.self_attn.q_proj.weight [6,6]
      transformer.resblocks.0.attn.in_proj_weight -> text_model.encoder.layers.0.self_attn.k_proj.weight [6,6]
      transformer.resblocks.0.attn.in_proj_weight -> text_model.encoder.layers.0.self_attn.v_proj.weight [6,6]
      transformer.resblocks.0.attn.in_proj_bias -> text_model.encoder.layers.0.self_attn.q_proj.bias [6]
      transformer.resblocks.0.attn.in_proj_bias -> text_model.encoder.layers.0.self_attn.k_proj.bias [6]
      transformer.resblocks.0.attn.in_proj_bias -> text_model.encoder.layers.0.self_attn.v_proj.bias [6]
      transformer.resblocks.0.attn.out_proj.weight -> text_model.encoder.layers.0.self_attn.out_proj.weight [6,6]
      transformer.resblocks.0.attn.out_proj.bias -> text_model.encoder.layers.0.self_attn.out_proj.bias [6]
      transformer.resblocks.0.ln_2.weight -> text_model.encoder.layers.0.layer_norm2.weight [6]
      transformer.resblocks.0.ln_2.bias -> text_model.encoder.layers.0.layer_norm2.bias [6]
      transformer.resblocks.0.mlp.c_fc.weight -> text_model.encoder.layers.0.mlp.fc1.weight [5,6]
      transformer.resblocks.0.mlp.c_fc.bias -> text_model.encoder.layers.0.mlp.fc1.bias [5]
      transformer.resblocks.0.mlp.c_proj.weight -> text_model.encoder.layers.0.mlp.fc2.weight [6,5]
      transformer.resblocks.0.mlp.c_proj.bias -> text_model.encoder.layers.0.mlp.fc2.bias [6]
      ln_final.weight -> text_model.final_layer_norm.weight [6]
      ln_final.bias -> text_model.final_layer_norm.bias [6]
      text_projection -> text_projection.weight [3,6]
      logit_scale -> the same []
      "
    `);
  });

  it("are these of a hierarchical stem", () => {
    expect(theirsOf("stem")).toMatchInlineSnapshot(`
      "
      visual.class_embedding -> vision_model.embeddings.class_embedding [4]
      visual.positional_embedding -> vision_model.embeddings.position_embedding.weight [10,4]
      visual.stem.0.weight -> vision_model.embeddings.patch_embedding.0.weight [12,3,2,2]
      visual.stem.0.bias -> vision_model.embeddings.patch_embedding.0.bias [12]
      visual.stem.0.norm.weight -> vision_model.embeddings.patch_embedding.0.norm.weight [12]
      visual.stem.0.norm.bias -> vision_model.embeddings.patch_embedding.0.norm.bias [12]
      visual.stem.1.weight -> vision_model.embeddings.patch_embedding.1.weight [4,12,2,2]
      visual.stem.1.bias -> vision_model.embeddings.patch_embedding.1.bias [4]
      visual.stem.1.norm.weight -> vision_model.embeddings.patch_embedding.1.norm.weight [4]
      visual.stem.1.norm.bias -> vision_model.embeddings.patch_embedding.1.norm.bias [4]
      visual.ln_pre.weight -> vision_model.pre_layrnorm.weight [4]
      visual.ln_pre.bias -> vision_model.pre_layrnorm.bias [4]
      visual.ln_post.weight -> vision_model.post_layernorm.weight [4]
      visual.ln_post.bias -> vision_model.post_layernorm.bias [4]
      visual.proj -> visual_projection.weight [3,4]
      positional_embedding -> text_model.embeddings.position_embedding.weight [7,6]
      token_embedding.weight -> text_model.embeddings.token_embedding.weight [9,6]
      ln_final.weight -> text_model.final_layer_norm.weight [6]
      ln_final.bias -> text_model.final_layer_norm.bias [6]
      text_projection -> text_projection.weight [3,6]
      logit_scale -> the same []
      "
    `);
  });

  it("are these of a SigLIP", () => {
    expect(theirsOf("siglip")).toMatchInlineSnapshot(`
      "
      visual.conv1.weight -> vision_model.embeddings.patch_embedding.weight [4,3,4,4]
      visual.conv1.bias -> vision_model.embeddings.patch_embedding.bias [4]
      visual.positional_embedding -> vision_model.embeddings.position_embedding.weight [4,4]
      visual.transformer.resblocks.0.ln_1.weight -> vision_model.encoder.layers.0.layer_norm1.weight [4]
      visual.transformer.resblocks.0.ln_1.bias -> vision_model.encoder.layers.0.layer_norm1.bias [4]
      visual.transformer.resblocks.0.attn.in_proj_weight -> vision_model.encoder.layers.0.self_attn.q_proj.weight [4,4]
      visual.transformer.resblocks.0.attn.in_proj_weight -> vision_model.encoder.layers.0.self_attn.k_proj.weight [4,4]
      visual.transformer.resblocks.0.attn.in_proj_weight -> vision_model.encoder.layers.0.self_attn.v_proj.weight [4,4]
      visual.transformer.resblocks.0.attn.in_proj_bias -> vision_model.encoder.layers.0.self_attn.q_proj.bias [4]
      visual.transformer.resblocks.0.attn.in_proj_bias -> vision_model.encoder.layers.0.self_attn.k_proj.bias [4]
      visual.transformer.resblocks.0.attn.in_proj_bias -> vision_model.encoder.layers.0.self_attn.v_proj.bias [4]
      visual.transformer.resblocks.0.attn.out_proj.weight -> vision_model.encoder.layers.0.self_attn.out_proj.weight [4,4]
      visual.transformer.resblocks.0.attn.out_proj.bias -> vision_model.encoder.layers.0.self_attn.out_proj.bias [4]
      visual.transformer.resblocks.0.ln_2.weight -> vision_model.encoder.layers.0.layer_norm2.weight [4]
      visual.transformer.resblocks.0.ln_2.bias -> vision_model.encoder.layers.0.layer_norm2.bias [4]
      visual.transformer.resblocks.0.mlp.c_fc.weight -> vision_model.encoder.layers.0.mlp.fc1.weight [16,4]
      visual.transformer.resblocks.0.mlp.c_fc.bias -> vision_model.encoder.layers.0.mlp.fc1.bias [16]
      visual.transformer.resblocks.0.mlp.c_proj.weight -> vision_model.encoder.layers.0.mlp.fc2.weight [4,16]
      visual.transformer.resblocks.0.mlp.c_proj.bias -> vision_model.encoder.layers.0.mlp.fc2.bias [4]
      visual.ln_post.weight -> vision_model.post_layernorm.weight [4]
      visual.ln_post.bias -> vision_model.post_layernorm.bias [4]
      visual.attnpool.probe -> vision_model.head.probe [1,1,4]
      visual.attnpool.attn.in_proj_weight -> vision_model.head.attention.in_proj_weight [12,4]
      visual.attnpool.attn.in_proj_bias -> vision_model.head.attention.in_proj_bias [12]
      visual.attnpool.attn.out_proj.weight -> vision_model.head.attention.out_proj.weight [4,4]
      visual.attnpool.attn.out_proj.bias -> vision_model.head.attention.out_proj.bias [4]
      visual.attnpool.ln_mlp.weight -> vision_model.head.layernorm.weight [4]
      visual.attnpool.ln_mlp.bias -> vision_model.head.layernorm.bias [4]
      visual.attnpool.mlp.c_fc.weight -> vision_model.head.mlp.fc1.weight [16,4]
      visual.attnpool.mlp.c_fc.bias -> vision_model.head.mlp.fc1.bias [16]
      visual.attnpool.mlp.c_proj.weight -> vision_model.head.mlp.fc2.weight [4,16]
      visual.attnpool.mlp.c_proj.bias -> vision_model.head.mlp.fc2.bias [4]
      positional_embedding -> text_model.embeddings.position_embedding.weight [7,6]
      token_embedding.weight -> text_model.embeddings.token_embedding.weight [9,6]
      transformer.resblocks.0.ln_1.weight -> text_model.encoder.layers.0.layer_norm1.weight [6]
      transformer.resblocks.0.ln_1.bias -> text_model.encoder.layers.0.layer_norm1.bias [6]
      transformer.resblocks.0.attn.in_proj_weight -> text_model.encoder.layers.0.self_attn.q_proj.weight [6,6]
      transformer.resblocks.0.attn.in_proj_weight -> text_model.encoder.layers.0.self_attn.k_proj.weight [6,6]
      transformer.resblocks.0.attn.in_proj_weight -> text_model.encoder.layers.0.self_attn.v_proj.weight [6,6]
      transformer.resblocks.0.attn.in_proj_bias -> text_model.encoder.layers.0.self_attn.q_proj.bias [6]
      transformer.resblocks.0.attn.in_proj_bias -> text_model.encoder.layers.0.self_attn.k_proj.bias [6]
      transformer.resblocks.0.attn.in_proj_bias -> text_model.encoder.layers.0.self_attn.v_proj.bias [6]
      transformer.resblocks.0.attn.out_proj.weight -> text_model.encoder.layers.0.self_attn.out_proj.weight [6,6]
      transformer.resblocks.0.attn.out_proj.bias -> text_model.encoder.layers.0.self_attn.out_proj.bias [6]
      transformer.resblocks.0.ln_2.weight -> text_model.encoder.layers.0.layer_norm2.weight [6]
      transformer.resblocks.0.ln_2.bias -> text_model.encoder.layers.0.layer_norm2.bias [6]
      transformer.resblocks.0.mlp.c_fc.weight -> text_model.encoder.layers.0.mlp.fc1.weight [7,6]
      transformer.resblocks.0.mlp.c_fc.bias -> text_model.encoder.layers.0.mlp.fc1.bias [7]
      transformer.resblocks.0.mlp.c_proj.weight -> text_model.encoder.layers.0.mlp.fc2.weight [6,7]
      transformer.resblocks.0.mlp.c_proj.bias -> text_model.encoder.layers.0.mlp.fc2.bias [6]
      ln_final.weight -> text_model.final_layer_norm.weight [6]
      ln_final.bias -> text_model.final_layer_norm.bias [6]
      text_projection -> text_model.head.weight [4,6]
      logit_scale -> the same [1]
      text_projection_bias -> text_model.head.bias [4]
      logit_bias -> the same [1]
      "
    `);
  });

  it("lead back to the same values of a SigLIP, and are no file's names of a CLIP", () => {
    const siglip = initialParameters(architectureOf("siglip"), 1);
    const back = inOpenAiNames(inFileNames(siglip));
    expect([...back.keys()].sort()).toEqual([...siglip.keys()].sort());
    for (const [name, { shape, values }] of siglip) {
      expect([name, back.get(name)?.shape]).toEqual([name, shape]);
      expect([name, [...(back.get(name)?.values ?? [])]]).toEqual([name, [...values]]);
    }
    const clip = initialParameters(architectureOf("stem"), 1);
    expect(inFileNames(clip)).toBe(clip);
    expect(inOpenAiNames(clip)).toBe(clip);
  });

  it("give no values of queries, keys and values without the first", () => {
    const one = { shape: [1], values: Float32Array.of(1) };
    const arrays = new Map([
      ["logit_bias", one],
      ["text_model.encoder.layers.0.self_attn.k_proj.bias", one],
    ]);
    expect([...inOpenAiNames(arrays)]).toEqual([
      ["logit_bias", { ...one, shape: [] }],
      ["transformer.resblocks.0.attn.in_proj_bias", { shape: [0], values: new Float32Array() }],
    ]);
  });
});

describe("openClipName", () => {
  it("gives OpenAI's names of an open_clip SigLIP's tensors", () => {
    const both = (name: string) => [`${name}.weight`, `${name}.bias`];
    const names = [
      ...["visual.trunk.pos_embed", ...both("visual.trunk.patch_embed.proj"), ...both("visual.trunk.norm")],
      ...["norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"].flatMap((part) =>
        both(`visual.trunk.blocks.12.${part}`),
      ),
      "visual.trunk.attn_pool.latent",
      ...["q", "kv", "proj", "norm", "mlp.fc1", "mlp.fc2"].flatMap((part) => both(`visual.trunk.attn_pool.${part}`)),
      ...["text.token_embedding.weight", "text.positional_embedding", ...both("text.ln_final")],
      ...both("text.text_projection"),
      ...["ln_1.weight", "ln_2.bias", "attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj.weight"].map(
        (part) => `text.transformer.resblocks.3.${part}`,
      ),
      ...["text.transformer.resblocks.3.mlp.c_fc.bias", "text.transformer.resblocks.3.mlp.c_proj.weight"],
      ...["logit_scale", "visual.trunk.blocks.x.norm1.weight", "visual.trunk.norm.gain"],
    ];
    const lines = names.map((name) => `${name} -> ${openClipName(name).join(", ")}`);
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      visual.trunk.pos_embed -> visual.positional_embedding, first of one
      visual.trunk.patch_embed.proj.weight -> visual.conv1.weight, same
      visual.trunk.patch_embed.proj.bias -> visual.conv1.bias, same
      visual.trunk.norm.weight -> visual.ln_post.weight, same
      visual.trunk.norm.bias -> visual.ln_post.bias, same
      visual.trunk.blocks.12.norm1.weight -> visual.transformer.resblocks.12.ln_1.weight, same
      visual.trunk.blocks.12.norm1.bias -> visual.transformer.resblocks.12.ln_1.bias, same
      visual.trunk.blocks.12.norm2.weight -> visual.transformer.resblocks.12.ln_2.weight, same
      visual.trunk.blocks.12.norm2.bias -> visual.transformer.resblocks.12.ln_2.bias, same
      visual.trunk.blocks.12.attn.qkv.weight -> visual.transformer.resblocks.12.attn.in_proj_weight, same
      visual.trunk.blocks.12.attn.qkv.bias -> visual.transformer.resblocks.12.attn.in_proj_bias, same
      visual.trunk.blocks.12.attn.proj.weight -> visual.transformer.resblocks.12.attn.out_proj.weight, same
      visual.trunk.blocks.12.attn.proj.bias -> visual.transformer.resblocks.12.attn.out_proj.bias, same
      visual.trunk.blocks.12.mlp.fc1.weight -> visual.transformer.resblocks.12.mlp.c_fc.weight, same
      visual.trunk.blocks.12.mlp.fc1.bias -> visual.transformer.resblocks.12.mlp.c_fc.bias, same
      visual.trunk.blocks.12.mlp.fc2.weight -> visual.transformer.resblocks.12.mlp.c_proj.weight, same
      visual.trunk.blocks.12.mlp.fc2.bias -> visual.transformer.resblocks.12.mlp.c_proj.bias, same
      visual.trunk.attn_pool.latent -> visual.attnpool.probe, same
      visual.trunk.attn_pool.q.weight -> visual.attnpool.attn.in_proj_weight, 0
      visual.trunk.attn_pool.q.bias -> visual.attnpool.attn.in_proj_bias, 0
      visual.trunk.attn_pool.kv.weight -> visual.attnpool.attn.in_proj_weight, second and third
      visual.trunk.attn_pool.kv.bias -> visual.attnpool.attn.in_proj_bias, second and third
      visual.trunk.attn_pool.proj.weight -> visual.attnpool.attn.out_proj.weight, same
      visual.trunk.attn_pool.proj.bias -> visual.attnpool.attn.out_proj.bias, same
      visual.trunk.attn_pool.norm.weight -> visual.attnpool.ln_mlp.weight, same
      visual.trunk.attn_pool.norm.bias -> visual.attnpool.ln_mlp.bias, same
      visual.trunk.attn_pool.mlp.fc1.weight -> visual.attnpool.mlp.c_fc.weight, same
      visual.trunk.attn_pool.mlp.fc1.bias -> visual.attnpool.mlp.c_fc.bias, same
      visual.trunk.attn_pool.mlp.fc2.weight -> visual.attnpool.mlp.c_proj.weight, same
      visual.trunk.attn_pool.mlp.fc2.bias -> visual.attnpool.mlp.c_proj.bias, same
      text.token_embedding.weight -> token_embedding.weight, same
      text.positional_embedding -> positional_embedding, same
      text.ln_final.weight -> ln_final.weight, same
      text.ln_final.bias -> ln_final.bias, same
      text.text_projection.weight -> text_projection, transposed
      text.text_projection.bias -> text_projection_bias, same
      text.transformer.resblocks.3.ln_1.weight -> transformer.resblocks.3.ln_1.weight, same
      text.transformer.resblocks.3.ln_2.bias -> transformer.resblocks.3.ln_2.bias, same
      text.transformer.resblocks.3.attn.in_proj_weight -> transformer.resblocks.3.attn.in_proj_weight, same
      text.transformer.resblocks.3.attn.in_proj_bias -> transformer.resblocks.3.attn.in_proj_bias, same
      text.transformer.resblocks.3.attn.out_proj.weight -> transformer.resblocks.3.attn.out_proj.weight, same
      text.transformer.resblocks.3.mlp.c_fc.bias -> transformer.resblocks.3.mlp.c_fc.bias, same
      text.transformer.resblocks.3.mlp.c_proj.weight -> transformer.resblocks.3.mlp.c_proj.weight, same
      logit_scale -> logit_scale, same
      visual.trunk.blocks.x.norm1.weight -> visual.trunk.blocks.x.norm1.weight, same
      visual.trunk.norm.gain -> visual.trunk.norm.gain, same
      "
    `);
  });
});
