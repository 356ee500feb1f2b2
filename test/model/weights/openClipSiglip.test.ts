import { copyFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeDurable } from "../../../src/base/files.js";
import { LiqeModel } from "../../../src/model/liqe.js";
import type { NamedArray, NamedArrays } from "../../../src/model/parameters/parameters.js";
import { promptGrid } from "../../../src/model/prompts/promptGrid.js";
import { inspectWeights } from "../../../src/model/weights/inspectWeights.js";
import { loadParameters } from "../../../src/model/weights/loadParameters.js";
import { readSafetensors, writeSafetensors } from "../../../src/model/weights/safetensors.js";
import { ENCODER_KINDS, type EncoderFamily, SIGLIPS, uniform, writeFamily } from "../../support/encoderKinds.js";
import { temporaryFolder } from "../../support/runs.js";
import { startTestEngine } from "../../support/testEngine.js";

await startTestEngine();

/** Features of unit length, float32 against transformers' in float64. */
const FEATURES = { rtol: 0, atol: 1e-5 };

const joined = (arrays: readonly NamedArray[]): NamedArray => {
  const [first] = arrays;
  const [rows = 0, ...others] = first?.shape ?? [];
  return {
    shape: [arrays.length * rows, ...others],
    values: Float32Array.from(arrays.flatMap(({ values }) => [...values])),
  };
};

const cut = ({ shape: [rows = 0, ...others], values }: NamedArray, from: number, to: number): NamedArray => ({
  shape: [((to - from) * rows) / 3, ...others],
  values: values.slice((from * values.length) / 3, (to * values.length) / 3),
});

/** transformers' tensors under open_clip's names, as its own conversion lays them out. */
function inOpenClip(theirs: NamedArrays): Map<string, NamedArray> {
  const own = new Map<string, NamedArray>();
  const take = (name: string) => theirs.get(name) ?? { shape: [0], values: new Float32Array() };
  const both = (name: string, from: string) => {
    for (const kind of ["weight", "bias"]) own.set(`${name}.${kind}`, take(`${from}.${kind}`));
  };
  const positions = take("vision_model.embeddings.position_embedding.weight");
  own.set("visual.trunk.pos_embed", { ...positions, shape: [1, ...positions.shape] });
  both("visual.trunk.patch_embed.proj", "vision_model.embeddings.patch_embedding");
  both("visual.trunk.norm", "vision_model.post_layernorm");
  const layersOf = (tower: string) =>
    new Set(
      [...theirs.keys()].flatMap((name) => new RegExp(`^${tower}\\.encoder\\.layers\\.(\\d+)`).exec(name)?.[1] ?? []),
    );
  const qkv = (from: string, kind: string) =>
    joined(["q", "k", "v"].map((part) => take(`${from}.${part}_proj.${kind}`)));
  for (const i of layersOf("vision_model")) {
    const [block, from] = [`visual.trunk.blocks.${i}`, `vision_model.encoder.layers.${i}`];
    for (const kind of ["weight", "bias"]) own.set(`${block}.attn.qkv.${kind}`, qkv(`${from}.self_attn`, kind));
    both(`${block}.attn.proj`, `${from}.self_attn.out_proj`);
    for (const n of [1, 2]) both(`${block}.norm${n}`, `${from}.layer_norm${n}`);
    for (const n of [1, 2]) both(`${block}.mlp.fc${n}`, `${from}.mlp.fc${n}`);
  }
  own.set("visual.trunk.attn_pool.latent", take("vision_model.head.probe"));
  for (const kind of ["weight", "bias"]) {
    const all = take(`vision_model.head.attention.in_proj_${kind}`);
    own.set(`visual.trunk.attn_pool.q.${kind}`, cut(all, 0, 1));
    own.set(`visual.trunk.attn_pool.kv.${kind}`, cut(all, 1, 3));
  }
  both("visual.trunk.attn_pool.proj", "vision_model.head.attention.out_proj");
  both("visual.trunk.attn_pool.norm", "vision_model.head.layernorm");
  for (const n of [1, 2]) both(`visual.trunk.attn_pool.mlp.fc${n}`, `vision_model.head.mlp.fc${n}`);
  own.set("text.token_embedding.weight", take("text_model.embeddings.token_embedding.weight"));
  own.set("text.positional_embedding", take("text_model.embeddings.position_embedding.weight"));
  both("text.ln_final", "text_model.final_layer_norm");
  both("text.text_projection", "text_model.head");
  for (const i of layersOf("text_model")) {
    const [block, from] = [`text.transformer.resblocks.${i}`, `text_model.encoder.layers.${i}`];
    for (const kind of ["weight", "bias"]) own.set(`${block}.attn.in_proj_${kind}`, qkv(`${from}.self_attn`, kind));
    both(`${block}.attn.out_proj`, `${from}.self_attn.out_proj`);
    for (const n of [1, 2]) both(`${block}.ln_${n}`, `${from}.layer_norm${n}`);
    both(`${block}.mlp.c_fc`, `${from}.mlp.fc1`);
    both(`${block}.mlp.c_proj`, `${from}.mlp.fc2`);
  }
  for (const name of ["logit_scale", "logit_bias"]) own.set(name, { ...take(name), shape: [] });
  return own;
}

interface OpenClipConfig {
  vision: Record<string, unknown>;
  text: Record<string, unknown>;
}

/** Writes a family's folder as open_clip has it. @returns its weight file */
async function writeOpenClip(family: EncoderFamily, change: (config: OpenClipConfig) => void = () => undefined) {
  const theirs = await writeFamily(temporaryFolder(), family);
  const folder = temporaryFolder();
  const config = family.files["config.json"] as unknown as Record<
    "vision_config" | "text_config",
    Record<string, number>
  >; // transformers' form
  const { image_size: side, patch_size: patch } = config.vision_config;
  const sizes = config.text_config;
  const parts: OpenClipConfig = {
    vision: { image_size: side, timm_model_name: `vit_toy_patch${patch}_siglip_${side}`, timm_model_pretrained: false, timm_pool: "map", timm_proj: "none" }, // prettier-ignore
    text: {
      ...{
        context_length: sizes["max_position_embeddings"],
        vocab_size: sizes["vocab_size"],
        width: sizes["hidden_size"],
      },
      ...{
        heads: sizes["num_attention_heads"],
        layers: sizes["num_hidden_layers"],
        hf_tokenizer_name: "someone/tokenizer",
      },
      ...{
        no_causal_mask: true,
        proj_bias: true,
        pool_type: "last",
        norm_kwargs: { eps: 1e-6 },
        act_kwargs: { approximate: "tanh" },
      },
    },
  };
  change(parts);
  const { vision: vision_cfg, text: text_cfg } = parts;
  const model_cfg = { embed_dim: config.vision_config["hidden_size"], init_logit_bias: -10, custom_text: true, vision_cfg, text_cfg }; // prettier-ignore
  const preprocess_cfg = { size: [side, side], mode: "RGB", mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
  writeFileSync(join(folder, "open_clip_config.json"), JSON.stringify({ model_cfg, preprocess_cfg }));
  const { file } = SIGLIPS.tokenizers[family.tokenizer ?? ""] ?? { file: "" };
  for (const name of [file, "tokenizer_config.json"]) copyFileSync(join(dirname(theirs), name), join(folder, name));
  const arrays = inOpenClip(new Map(await readSafetensors(theirs)));
  const weights = join(folder, "open_clip_model.safetensors");
  await writeDurable(weights, (handle) => writeSafetensors(handle, arrays));
  return weights;
}

const families = Object.entries(SIGLIPS.families).filter(([name]) => !name.includes("so400m")); // its cut windows are tested under transformers' names

describe("a SigLIP under open_clip's names", () => {
  it.each(families)("has the features of transformers' model: %s", async (_, family) => {
    const file = await writeOpenClip(family);
    const sizes = family.files["config.json"]?.["vision_config"] as Record<string, number>; // transformers' form
    const kind = { vision: { heads: sizes["num_attention_heads"] } }; // a toy's name says nothing
    const { parameters, architecture, tokenizer } = await loadParameters(file, { kind });
    const model = new LiqeModel(parameters, promptGrid("a photo with {quality} quality"), { architecture, tokenizer });
    const { crops } = ENCODER_KINDS;
    const pixels = Uint8Array.from(uniform("pixels", crops * model.cropSize), (value) => Math.floor((value + 1) * 128));
    expect(model.encodeImages(model.patches(pixels), crops)).toBeAllClose(family.imageFeatures, FEATURES);
    expect(model.imageFeatures(pixels)).toBeAllClose(family.imageFeatures, FEATURES);
    expect(model.encodePrompts()).toBeAllClose(family.textFeatures, FEATURES);
    model.dispose();
  });

  it("says its naming, its tokenizer, and what its config leaves open", async () => {
    const [[, family] = ["", undefined]] = families;
    if (family === undefined) throw new Error("test: no family");
    const report = await inspectWeights(await writeOpenClip(family));
    expect(report).toMatchObject({ naming: "open_clip", assumed: ["vision.heads", "vision.activation"] });
    expect(report.tokenizer).toBe("spiece.model");
    expect(report.sources["text.heads"]).toBe("open_clip_config.json: model_cfg.text_cfg.heads");
  });

  it.each<[string, (config: OpenClipConfig) => void, RegExp]>([
    ["a causal mask", ({ text }) => (text["no_causal_mask"] = false), /no_causal_mask is false/],
    ["another constant of norms", ({ text }) => (text["norm_kwargs"] = { eps: 1e-5 }), /norm_kwargs\.eps is 0\.00001/],
    ["another pooling", ({ vision }) => (vision["timm_pool"] = "avg"), /timm_pool is "avg"/],
    [
      "another tower",
      ({ vision }) => (vision["timm_model_name"] = "naflexvit_base_patch16_siglip"),
      /timm_model_name is "naflex/,
    ],
    [
      "another patch",
      ({ vision }) => (vision["timm_model_name"] = "vit_toy_patch14_siglip_48"),
      /vision\.patchSize is 14 by/,
    ],
    [
      "heads of a published size",
      ({ vision }) => (vision["timm_model_name"] = "vit_base_patch16_siglip_48"),
      /does not split into 12 heads/,
    ],
    ["other layers", ({ text }) => (text["layers"] = 12), /text\.layers is 12 by/],
  ])("is refused where its config says %s", async (_, change, message) => {
    const [[, family] = ["", undefined]] = families;
    if (family === undefined) throw new Error("test: no family");
    await expect(loadParameters(await writeOpenClip(family, change))).rejects.toThrow(message);
  });
});
