import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/runs.js";
import { CLAIM_FILES, configClaims, hiddenActOf } from "../../../src/model/weights/kind/claims.js";

// Long, as whole expected texts stand inline, each beside what makes it.

/** Lines of all that the configs in a folder say of weights there, or of why they are refused. */
async function told(files: Readonly<Record<string, unknown>>, isSiglip = false): Promise<string> {
  const folder = temporaryFolder();
  for (const [name, json] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(json));
  return configClaims(join(folder, "model.safetensors"), isSiglip).then(
    (claims) => `\n${claims.map(({ name, value, where }) => `${name} = ${value} (${where})`).join("\n")}\n`,
    (error: unknown) => String(error).replace(`${folder}/`, ""),
  );
}

const CLIP_PIXELS = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
const HALVES = [0.5, 0.5, 0.5];

const OPEN_CLIP = {
  model_cfg: {
    embed_dim: 640,
    quick_gelu: false,
    vision_cfg: { image_size: [256, 256], layers: 12, width: 896, head_width: 56, mlp_ratio: 3.5, patch_size: 16 },
    text_cfg: { context_length: 77, vocab_size: 49_408, width: 640, heads: 10, layers: 11, mlp_ratio: 2.5 },
  },
  preprocess_cfg: { mode: "RGB", size: 256, ...CLIP_PIXELS },
};

/** Every key that is read or that changes nothing. */
const OPEN_CLIP_WHOLE = {
  model_cfg: {
    ...{ embed_dim: 640, quick_gelu: true, init_logit_scale: 2, nonscalar_logit_scale: true, cast_dtype: "fp16" },
    vision_cfg: {
      ...{ layers: 12, width: 896, head_width: 56, mlp_ratio: 4, patch_size: 16, image_size: 256, patch_dropout: 0.5 },
      ...{ pool_type: "tok", pos_embed_type: "learnable", proj_type: "linear", attentional_pool: false, timm: null },
    },
    text_cfg: {
      ...{ context_length: 77, vocab_size: 49_408, width: 640, heads: 10, layers: 11, mlp_ratio: 4, pad_id: 0 },
      ...{ eos_id: 2, pool_type: "argmax", proj_type: "linear", norm_kwargs: {} },
    },
  },
};

const OPEN_CLIP_SIGLIP = {
  model_cfg: {
    ...{ embed_dim: 1152, init_logit_bias: -10, init_logit_scale: 2, custom_text: true, cast_dtype: "bf16" },
    vision_cfg: {
      ...{ image_size: 384, timm_model_name: "vit_so400m_patch14_siglip_384", timm_model_pretrained: true },
      ...{ timm_pool: "map", timm_proj: "none" },
    },
    text_cfg: {
      ...{ context_length: 64, vocab_size: 32_000, width: 1152, heads: 16, layers: 27, mlp_ratio: 3.7362 },
      ...{ hf_tokenizer_name: "timm/T5", tokenizer_kwargs: { clean: "canonicalize" }, no_causal_mask: true },
      ...{ proj_bias: true, pool_type: "last", norm_kwargs: { eps: 1e-6 }, act_kwargs: { approximate: "tanh" } },
    },
  },
  preprocess_cfg: { mode: "RGB", size: [384, 384], mean: HALVES, std: HALVES },
};

const HF = {
  model_type: "clip",
  projection_dim: 640,
  vision_config: {
    ...{ hidden_size: 896, num_hidden_layers: 12, num_attention_heads: 14, intermediate_size: 3584, num_channels: 3 },
    ...{ image_size: 256, patch_size: 16, hidden_act: "gelu", layer_norm_eps: 1e-5 },
  },
  text_config: {
    ...{ hidden_size: 640, num_hidden_layers: 11, num_attention_heads: 10, intermediate_size: 2560 },
    ...{ vocab_size: 49_408, max_position_embeddings: 77, hidden_act: "quick_gelu", eos_token_id: 49_407 },
  },
};

const HF_SIGLIP = {
  model_type: "siglip",
  vision_config: { hidden_size: 1152, image_size: 384, patch_size: 14, vision_use_head: true },
  text_config: { hidden_size: 1152, projection_size: 1152, vocab_size: 32_000, max_position_embeddings: 64 },
};

/** Manifest of one of our exports. */
const MANIFEST = {
  manifestVersion: 3,
  model: {
    architecture: {
      vision: { heads: 12, width: 768, activation: "gelu" },
      text: { heads: 8, width: 512, activation: "quick-gelu" },
    },
  },
  preprocessing: CLIP_PIXELS,
};

describe("configClaims", () => {
  it("reads these files, the first to be believed before the others", () => {
    expect(CLAIM_FILES).toEqual(["manifest.json", "config.json", "open_clip_config.json", "preprocessor_config.json"]);
  });

  it("reads transformers' config of a CLIP", async () => {
    expect(await told({ "config.json": HF })).toMatchInlineSnapshot(`
      "
      vision.heads = 14 (config.json: vision_config.num_attention_heads)
      vision.activation = gelu (config.json: vision_config.hidden_act)
      vision.width = 896 (config.json: vision_config.hidden_size)
      vision.layers = 12 (config.json: vision_config.num_hidden_layers)
      vision.mlpWidth = 3584 (config.json: vision_config.intermediate_size)
      vision.window = 256 (config.json: vision_config.image_size)
      vision.patchSize = 16 (config.json: vision_config.patch_size)
      text.heads = 10 (config.json: text_config.num_attention_heads)
      text.activation = quick-gelu (config.json: text_config.hidden_act)
      text.width = 640 (config.json: text_config.hidden_size)
      text.layers = 11 (config.json: text_config.num_hidden_layers)
      text.mlpWidth = 2560 (config.json: text_config.intermediate_size)
      text.vocabulary = 49408 (config.json: text_config.vocab_size)
      text.contextLength = 77 (config.json: text_config.max_position_embeddings)
      embedding = 640 (config.json: projection_dim)
      "
    `);
  });

  it("has transformers' defaults where a CLIP's config names neither", async () => {
    expect(await told({ "config.json": { text_config: {} } })).toMatchInlineSnapshot(`
      "
      vision.heads = 12 (config.json: vision_config.num_attention_heads (not there, so its program's default))
      vision.activation = quick-gelu (config.json: vision_config.hidden_act (not there, so its program's default))
      text.heads = 8 (config.json: text_config.num_attention_heads (not there, so its program's default))
      text.activation = quick-gelu (config.json: text_config.hidden_act (not there, so its program's default))
      "
    `);
  });

  it("reads transformers' config of a SigLIP, with its defaults", async () => {
    expect(await told({ "config.json": HF_SIGLIP }, true)).toMatchInlineSnapshot(`
      "
      vision.heads = 12 (config.json: vision_config.num_attention_heads (not there, so its program's default))
      vision.activation = gelu-tanh (config.json: vision_config.hidden_act (not there, so its program's default))
      vision.width = 1152 (config.json: vision_config.hidden_size)
      vision.window = 384 (config.json: vision_config.image_size)
      vision.patchSize = 14 (config.json: vision_config.patch_size)
      text.heads = 12 (config.json: text_config.num_attention_heads (not there, so its program's default))
      text.activation = gelu-tanh (config.json: text_config.hidden_act (not there, so its program's default))
      text.width = 1152 (config.json: text_config.hidden_size)
      text.vocabulary = 32000 (config.json: text_config.vocab_size)
      text.contextLength = 64 (config.json: text_config.max_position_embeddings)
      embedding = 1152 (config.json: text_config.projection_size)
      "
    `);
  });

  it("reads the older sections beside the newer ones", async () => {
    const older = { hidden_size: 896, num_attention_heads: 16, torch_dtype: "float16" };
    const config = { model_type: "clip", vision_config: { hidden_size: 896 }, vision_config_dict: older };
    expect(await told({ "config.json": config })).toMatchInlineSnapshot(`
      "
      vision.heads = 16 (config.json: vision_config.num_attention_heads)
      vision.activation = quick-gelu (config.json: vision_config.hidden_act (not there, so its program's default))
      vision.width = 896 (config.json: vision_config.hidden_size)
      text.heads = 8 (config.json: text_config.num_attention_heads (not there, so its program's default))
      text.activation = quick-gelu (config.json: text_config.hidden_act (not there, so its program's default))
      "
    `);
  });

  it("takes the model type of our exports with a stem for a CLIP", async () => {
    expect(await told({ "config.json": { model_type: "liqe-stem" } })).toContain("vision.heads = 12");
  });

  it("reads open_clip's config of a vision transformer", async () => {
    expect(await told({ "open_clip_config.json": OPEN_CLIP })).toMatchInlineSnapshot(`
      "
      embedding = 640 (open_clip_config.json: model_cfg.embed_dim)
      vision.heads = 16 (open_clip_config.json: model_cfg.vision_cfg.head_width)
      vision.width = 896 (open_clip_config.json: model_cfg.vision_cfg.width)
      vision.layers = 12 (open_clip_config.json: model_cfg.vision_cfg.layers)
      vision.patchSize = 16 (open_clip_config.json: model_cfg.vision_cfg.patch_size)
      text.heads = 10 (open_clip_config.json: model_cfg.text_cfg.heads)
      vision.activation = gelu (open_clip_config.json: model_cfg.quick_gelu)
      text.activation = gelu (open_clip_config.json: model_cfg.quick_gelu)
      vision.window = 256 (open_clip_config.json: model_cfg.vision_cfg.image_size)
      text.width = 640 (open_clip_config.json: model_cfg.text_cfg.width)
      text.layers = 11 (open_clip_config.json: model_cfg.text_cfg.layers)
      text.contextLength = 77 (open_clip_config.json: model_cfg.text_cfg.context_length)
      text.vocabulary = 49408 (open_clip_config.json: model_cfg.text_cfg.vocab_size)
      vision.mlpWidth = 3136 (open_clip_config.json: model_cfg.vision_cfg.mlp_ratio)
      text.mlpWidth = 1600 (open_clip_config.json: model_cfg.text_cfg.mlp_ratio)
      pixels = CLIP's (open_clip_config.json: preprocess_cfg.mean)
      vision.window = 256 (open_clip_config.json: preprocess_cfg.size)
      "
    `);
  });

  it("reads open_clip's config with every key that changes nothing", async () => {
    expect(await told({ "open_clip_config.json": OPEN_CLIP_WHOLE })).toMatchInlineSnapshot(`
      "
      embedding = 640 (open_clip_config.json: model_cfg.embed_dim)
      vision.heads = 16 (open_clip_config.json: model_cfg.vision_cfg.head_width)
      vision.width = 896 (open_clip_config.json: model_cfg.vision_cfg.width)
      vision.layers = 12 (open_clip_config.json: model_cfg.vision_cfg.layers)
      vision.patchSize = 16 (open_clip_config.json: model_cfg.vision_cfg.patch_size)
      text.heads = 10 (open_clip_config.json: model_cfg.text_cfg.heads)
      vision.activation = quick-gelu (open_clip_config.json: model_cfg.quick_gelu)
      text.activation = quick-gelu (open_clip_config.json: model_cfg.quick_gelu)
      vision.window = 256 (open_clip_config.json: model_cfg.vision_cfg.image_size)
      text.width = 640 (open_clip_config.json: model_cfg.text_cfg.width)
      text.layers = 11 (open_clip_config.json: model_cfg.text_cfg.layers)
      text.contextLength = 77 (open_clip_config.json: model_cfg.text_cfg.context_length)
      text.vocabulary = 49408 (open_clip_config.json: model_cfg.text_cfg.vocab_size)
      vision.mlpWidth = 3584 (open_clip_config.json: model_cfg.vision_cfg.mlp_ratio)
      text.mlpWidth = 2560 (open_clip_config.json: model_cfg.text_cfg.mlp_ratio)
      "
    `);
  });

  it("has open_clip's defaults of widths and heads", async () => {
    const config = { model_cfg: { vision_cfg: {}, text_cfg: {} } };
    expect(await told({ "open_clip_config.json": config })).toMatchInlineSnapshot(`
      "
      vision.heads = 12 (open_clip_config.json: model_cfg.vision_cfg.head_width (not there, so its program's default))
      text.heads = 8 (open_clip_config.json: model_cfg.text_cfg.heads (not there, so its program's default))
      vision.activation = gelu (open_clip_config.json: model_cfg.quick_gelu (not there, so its program's default))
      text.activation = gelu (open_clip_config.json: model_cfg.quick_gelu (not there, so its program's default))
      "
    `);
  });

  it("reads open_clip's config of a ResNet, and has its defaults", async () => {
    const config = { model_cfg: { vision_cfg: { layers: [3, 4, 6, 3] }, text_cfg: {} } };
    expect(await told({ "open_clip_config.json": config })).toMatchInlineSnapshot(`
      "
      vision.heads = 32 (open_clip_config.json: model_cfg.vision_cfg.head_width (not there, so its program's default))
      vision.layers = 3,4,6,3 (open_clip_config.json: model_cfg.vision_cfg.layers)
      text.heads = 8 (open_clip_config.json: model_cfg.text_cfg.heads (not there, so its program's default))
      vision.activation = gelu (open_clip_config.json: model_cfg.quick_gelu (not there, so its program's default))
      text.activation = gelu (open_clip_config.json: model_cfg.quick_gelu (not there, so its program's default))
      "
    `);
    const wide = { model_cfg: { vision_cfg: { layers: [4, 6, 10, 6], width: 80, head_width: 32 }, text_cfg: {} } };
    expect(await told({ "open_clip_config.json": wide })).toContain(
      "vision.heads = 80 (open_clip_config.json: model_cfg.vision_cfg.head_width)\n" +
        "vision.layers = 4,6,10,6 (open_clip_config.json: model_cfg.vision_cfg.layers)\n" +
        "vision.width = 80 (open_clip_config.json: model_cfg.vision_cfg.width)\n",
    );
  });

  it("reads open_clip's config of a SigLIP", async () => {
    expect(await told({ "open_clip_config.json": OPEN_CLIP_SIGLIP }, true)).toMatchInlineSnapshot(`
      "
      embedding = 1152 (open_clip_config.json: model_cfg.embed_dim)
      vision.heads = 16 (open_clip_config.json: model_cfg.vision_cfg.timm_model_name)
      vision.patchSize = 14 (open_clip_config.json: model_cfg.vision_cfg.timm_model_name)
      vision.window = 384 (open_clip_config.json: model_cfg.vision_cfg.timm_model_name)
      vision.window = 384 (open_clip_config.json: model_cfg.vision_cfg.image_size)
      text.width = 1152 (open_clip_config.json: model_cfg.text_cfg.width)
      text.layers = 27 (open_clip_config.json: model_cfg.text_cfg.layers)
      text.heads = 16 (open_clip_config.json: model_cfg.text_cfg.heads)
      text.contextLength = 64 (open_clip_config.json: model_cfg.text_cfg.context_length)
      text.vocabulary = 32000 (open_clip_config.json: model_cfg.text_cfg.vocab_size)
      text.activation = gelu-tanh (open_clip_config.json: model_cfg.text_cfg.act_kwargs)
      pixels = SigLIP's (open_clip_config.json: preprocess_cfg.mean)
      vision.window = 384 (open_clip_config.json: preprocess_cfg.size)
      "
    `);
  });

  it.each([
    ["vit_base_patch16_siglip_224", "vision.heads = 12", "vision.patchSize = 16", "vision.window = 224"],
    ["vit_large_patch16_siglip_256.v2_webli", "vision.heads = 16", "vision.patchSize = 16", "vision.window = 256"],
    ["vit_giantopt_patch16_siglip_384", "vision.heads = 16", "vision.patchSize = 16", "vision.window = 384"],
  ])("reads heads, patches and window off timm's name %s", async (name, ...claims) => {
    const config = { model_cfg: { vision_cfg: { timm_model_name: name }, text_cfg: {} } };
    const place = " (open_clip_config.json: model_cfg.vision_cfg.timm_model_name)";
    expect(await told({ "open_clip_config.json": config }, true)).toBe(
      `\n${claims.map((claim) => claim + place).join("\n")}\n`,
    );
  });

  it("reads transformers' preprocessing of both kinds", async () => {
    const clip = { image_mean: CLIP_PIXELS.mean, image_std: CLIP_PIXELS.std, do_normalize: true, do_rescale: true };
    const more = { rescale_factor: 0.00392156862745098, rescale_offset: false, size: { shortest_edge: 240 } };
    const crop = { height: 224, width: 224 };
    expect(await told({ "preprocessor_config.json": { ...clip, ...more, crop_size: crop } })).toMatchInlineSnapshot(`
      "
      pixels = CLIP's (preprocessor_config.json: image_mean)
      vision.window = 224 (preprocessor_config.json: crop_size)
      "
    `);
    expect(await told({ "preprocessor_config.json": { ...clip, crop_size: 224, do_center_crop: false } }))
      .toMatchInlineSnapshot(`
      "
      pixels = CLIP's (preprocessor_config.json: image_mean)
      "
    `);
    const siglip = { image_mean: HALVES, image_std: HALVES, size: { height: 384, width: 384 }, crop_size: 1 };
    expect(await told({ "preprocessor_config.json": siglip }, true)).toMatchInlineSnapshot(`
      "
      pixels = SigLIP's (preprocessor_config.json: image_mean)
      vision.window = 384 (preprocessor_config.json: size)
      "
    `);
  });

  it("takes statistics for said where both are, rounded or not", async () => {
    const rounded = { image_mean: [0.48145, 0.45783, 0.40821], image_std: [0.26863, 0.2613, 0.27578] };
    expect(await told({ "preprocessor_config.json": rounded })).toBe(
      "\npixels = CLIP's (preprocessor_config.json: image_mean)\n",
    );
    expect(await told({ "preprocessor_config.json": { image_mean: rounded.image_mean } })).toBe("\n\n");
    expect(await told({ "preprocessor_config.json": { image_std: rounded.image_std } })).toBe("\n\n");
  });

  it("reads the manifest of our exports, and no other manifest", async () => {
    expect(await told({ "manifest.json": MANIFEST })).toMatchInlineSnapshot(`
      "
      vision.heads = 12 (manifest.json: model.architecture.vision.heads)
      vision.width = 768 (manifest.json: model.architecture.vision.width)
      vision.activation = gelu (manifest.json: model.architecture.vision.activation)
      text.heads = 8 (manifest.json: model.architecture.text.heads)
      text.width = 512 (manifest.json: model.architecture.text.width)
      text.activation = quick-gelu (manifest.json: model.architecture.text.activation)
      pixels = CLIP's (manifest.json: preprocessing.mean)
      "
    `);
    const resnet = { vision: { kind: "resnet", heads: 32, width: 64 }, text: { heads: 8, width: 512 } };
    const older = { manifestVersion: 1, model: { architecture: resnet } };
    expect(await told({ "manifest.json": older })).toMatchInlineSnapshot(`
      "
      vision.heads = 32 (manifest.json: model.architecture.vision.heads)
      vision.width = 64 (manifest.json: model.architecture.vision.width)
      text.heads = 8 (manifest.json: model.architecture.text.heads)
      text.width = 512 (manifest.json: model.architecture.text.width)
      text.activation = quick-gelu (manifest.json: model.architecture.text.activation (not there, so its program's default))
      "
    `);
    expect(await told({ "manifest.json": { name: "a site", model: 3 } })).toBe("\n\n");
  });

  it("says of each config why it is refused", async () => {
    const config = (change: object, isSiglip = false) =>
      told({ "config.json": { ...(isSiglip ? HF_SIGLIP : HF), ...change } }, isSiglip);
    const openClip = (change: object, whole: object = {}) =>
      told({ "open_clip_config.json": { ...OPEN_CLIP, model_cfg: { ...OPEN_CLIP.model_cfg, ...change }, ...whole } });
    const siglip = (change: object, part?: "vision_cfg" | "text_cfg", whole: object = {}) => {
      const { model_cfg: model } = OPEN_CLIP_SIGLIP;
      const changed = part === undefined ? change : { [part]: { ...model[part], ...change } };
      return told(
        { "open_clip_config.json": { ...OPEN_CLIP_SIGLIP, model_cfg: { ...model, ...changed }, ...whole } },
        true,
      );
    };
    const pixels = (json: object) => told({ "preprocessor_config.json": json });
    const refusals = [
      config({ model_type: "siglip2" }, true),
      config({ model_type: "siglip2" }),
      config({ model_type: "clip" }, true),
      config({ model_type: "blip" }),
      config({ vision_config: { num_channels: 4 } }),
      config({ vision_config: { vision_use_head: false } }, true),
      config({ text_config: { eos_token_id: 3 } }),
      config({ text_config: { layer_norm_eps: 1e-6 } }),
      config({ text_config: { layer_norm_eps: 1e-5 } }, true),
      config({ text_config: { hidden_act: "gelu_new" } }),
      config({ text_config: { hidden_act: 3 } }),
      config({ vision_config: { hidden_size: 0 } }),
      config({ vision_config: { hidden_size: "768" } }),
      config({ vision_config: 7 }),
      config({ text_config_dict: { hidden_size: 64 } }),
      config({ projection_dim: -1 }),
      openClip({}, { preprocess_cfg: { mode: "BGR" } }),
      openClip({}, { preprocess_cfg: { size: [224, 256] } }),
      openClip({}, { preprocess_cfg: { size: { height: 224, width: "224" } } }),
      openClip({}, { preprocess_cfg: { size: [] } }),
      openClip({}, { preprocess_cfg: { mean: [0.5, 0.4578275, 0.40821073] } }),
      openClip({}, { preprocess_cfg: { mean: [0.48145466, 0.4578275] } }),
      openClip({}, { preprocess_cfg: { std: HALVES } }),
      openClip({ quick_gelu: 1 }),
      openClip({ custom_text: true }),
      openClip({
        vision_cfg: { timm_model_name: "vit_base_patch16_siglip_224_with_a_name_of_more_than_sixty_letters" },
      }),
      openClip({ vision_cfg: { pool_type: "avg" } }),
      openClip({ text_cfg: { pool_type: "tok" } }),
      openClip({ text_cfg: { proj_type: "mlp" } }),
      openClip({ text_cfg: { act_kwargs: { approximate: "tanh" } } }),
      openClip({ text_cfg: null, vision_cfg: [] }),
      told({ "open_clip_config.json": { model_cfg: null } }),
      siglip({ quick_gelu: true }),
      siglip({ timm_pool: "avg" }, "vision_cfg"),
      siglip({ timm_proj: "linear" }, "vision_cfg"),
      siglip({ timm_model_name: "vit_base_patch16_naflexvit_siglip" }, "vision_cfg"),
      siglip({ image_size: [1, 2] }, "vision_cfg"),
      siglip({ pool_type: "argmax" }, "text_cfg"),
      siglip({ no_causal_mask: false }, "text_cfg"),
      siglip({ proj_bias: false }, "text_cfg"),
      siglip({ norm_kwargs: { eps: 1e-5 } }, "text_cfg"),
      siglip({ act_kwargs: { approximate: "none" } }, "text_cfg"),
      siglip({ text_mask: "first" }, "text_cfg"),
      siglip({}, undefined, { preprocess_cfg: { mean: CLIP_PIXELS.mean } }),
      pixels({ do_normalize: false }),
      pixels({ do_rescale: false }),
      pixels({ rescale_factor: 1 }),
      pixels({ rescale_offset: true }),
      pixels({ crop_size: { height: 224, width: 225 } }),
      told({ "manifest.json": { ...MANIFEST, model: { architecture: { text: { activation: "relu" } } } } }),
      told({ "config.json": [1] }),
      told({ "config.json": null }),
    ];
    expect(`\n${(await Promise.all(refusals)).join("\n")}\n`).toMatchInlineSnapshot(`
      "
      CheckpointError: config.json: model_type is "siglip2", a SigLIP 2 of variable resolution (NaFlex), which is not computed here: those of fixed resolution are; if it is another model's config, move it away
      CheckpointError: config.json: model_type is "siglip2", a SigLIP 2 of variable resolution (NaFlex), which is not computed here: those of fixed resolution are; if it is another model's config, move it away
      CheckpointError: config.json: model_type is "clip", which is not computed here ("siglip" is); if it is another model's config, move it away
      CheckpointError: config.json: model_type is "blip", which is not computed here ("clip" or "liqe-stem" is); if it is another model's config, move it away
      CheckpointError: config.json: vision_config.num_channels is 4, which is not computed here (3 is); if it is another model's config, move it away
      CheckpointError: config.json: vision_config.vision_use_head is false, which is not computed here (true is); if it is another model's config, move it away
      CheckpointError: config.json: text_config.eos_token_id is 3, which is not computed here (2 or 49407 is); if it is another model's config, move it away
      CheckpointError: config.json: text_config.layer_norm_eps is 0.000001, which is not computed here (0.00001 is); if it is another model's config, move it away
      CheckpointError: config.json: text_config.layer_norm_eps is 0.00001, which is not computed here (0.000001 is); if it is another model's config, move it away
      CheckpointError: config.json: text_config.hidden_act is "gelu_new"; quick_gelu, gelu, gelu_pytorch_tanh are computed here; if it is another model's config, move it away
      CheckpointError: config.json: text_config.hidden_act is 3; quick_gelu, gelu, gelu_pytorch_tanh are computed here; if it is another model's config, move it away
      CheckpointError: config.json: vision_config.hidden_size is 0, not a number above 0; if it is another model's config, move it away
      CheckpointError: config.json: vision_config.hidden_size is "768", not a number above 0; if it is another model's config, move it away
      CheckpointError: config.json: vision_config is 7, not an object; if it is another model's config, move it away
      CheckpointError: config.json: text_config_dict.hidden_size is 64, which is not computed here (640 is); if it is another model's config, move it away
      CheckpointError: config.json: projection_dim is -1, not a number above 0; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: preprocess_cfg.mode is "BGR", which is not computed here ("RGB" is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: preprocess_cfg.size is [224,256], not the side of a square; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: preprocess_cfg.size is {"height":224,"width":"224"}, not the side of a square; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: preprocess_cfg.size is [], not the side of a square; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: preprocess_cfg.mean is [0.5,0.4578275,0.40821073], which is not computed here ([0.48145466,0.4578275,0.40821073] is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: preprocess_cfg.mean is [0.48145466,0.4578275], which is not computed here ([0.48145466,0.4578275,0.40821073] is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: preprocess_cfg.std is [0.5,0.5,0.5], which is not computed here ([0.26862954,0.26130258,0.27577711] is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.quick_gelu is 1, which is not computed here (true or false is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.custom_text is true, which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.vision_cfg.timm_model_name is "vit_base_patch16_siglip_224_with_a_name_of_more_than_sixty_, which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.vision_cfg.pool_type is "avg", which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.pool_type is "tok", which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.proj_type is "mlp", which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.act_kwargs is {"approximate":"tanh"}, which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.vision_cfg is [], not an object; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: has no model_cfg; get it again, or move it away
      CheckpointError: open_clip_config.json: model_cfg.quick_gelu is true, which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.vision_cfg.timm_pool is "avg", which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.vision_cfg.timm_proj is "linear", which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.vision_cfg.timm_model_name is "vit_base_patch16_naflexvit_siglip", which is not computed here (SigLIPs of fixed resolution are); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.vision_cfg.image_size is [1,2], not the side of a square; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.pool_type is "argmax", which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.no_causal_mask is false, which is not computed here (true is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.proj_bias is false, which is not computed here (true is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.norm_kwargs.eps is 0.00001, which is not computed here (0.000001 is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.act_kwargs.approximate is "none", which is not computed here ("tanh" is); if it is another model's config, move it away
      CheckpointError: open_clip_config.json: model_cfg.text_cfg.text_mask is "first", which is not computed here; if it is another model's config, move it away
      CheckpointError: open_clip_config.json: preprocess_cfg.mean is [0.48145466,0.4578275,0.40821073], which is not computed here ([0.5,0.5,0.5] is); if it is another model's config, move it away
      CheckpointError: preprocessor_config.json: do_normalize is false, which is not computed here (true is); if it is another model's config, move it away
      CheckpointError: preprocessor_config.json: do_rescale is false, which is not computed here (true is); if it is another model's config, move it away
      CheckpointError: preprocessor_config.json: rescale_factor is 1, which is not computed here (0.00392156862745098 is); if it is another model's config, move it away
      CheckpointError: preprocessor_config.json: rescale_offset is true, which is not computed here (false is); if it is another model's config, move it away
      CheckpointError: preprocessor_config.json: crop_size is {"height":224,"width":225}, not the side of a square; if it is another model's config, move it away
      CheckpointError: manifest.json: model.architecture.text.activation is "relu", which is not computed here ("quick-gelu" or "gelu" or "gelu-tanh" is); if it is another model's config, move it away
      CheckpointError: config.json: is no JSON object; get it again, or move it away from the weights
      CheckpointError: config.json: is no JSON object; get it again, or move it away from the weights
      "
    `);
  });

  it("refuses what cannot be read", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "config.json"));
    await expect(configClaims(join(folder, "model.safetensors"), false)).rejects.toThrow(
      `${join(folder, "config.json")}: cannot be read, EISDIR`,
    );
    const file = join(temporaryFolder(), "config.json");
    const beside = () => configClaims(join(file, "..", "model.safetensors"), false);
    writeFileSync(file, `{}${" ".repeat(4e6 - 2)}`);
    expect(await beside()).toEqual([]);
    writeFileSync(file, `{}${" ".repeat(4e6 - 1)}`);
    await expect(beside()).rejects.toThrow(`${file}: 4000001 bytes are too many for a config`);
  });
});

describe("hiddenActOf", () => {
  it("gives transformers' names", () => {
    expect((["quick-gelu", "gelu", "gelu-tanh"] as const).map(hiddenActOf)).toEqual([
      "quick_gelu",
      "gelu",
      "gelu_pytorch_tanh",
    ]);
    expect(() => hiddenActOf("relu" as "gelu")).toThrow("internal: hiddenActOf: transformers has no relu");
  });
});
