import { copyFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { openWeights } from "../../../src/api/openModel.js";
import { CheckpointError } from "../../../src/base/errors.js";
import { writeDurable } from "../../../src/base/files.js";
import { inferArchitecture } from "../../../src/model/architecture/inferArchitecture.js";
import { PRESETS } from "../../../src/model/architecture/presets.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import { parameterShapes } from "../../../src/model/parameters/shapes.js";
import { convertWeights } from "../../../src/model/weights/convertWeights.js";
import { inspectWeights } from "../../../src/model/weights/inspectWeights.js";
import { writeSafetensors } from "../../../src/model/weights/safetensors.js";
import { startTestEngine } from "../../support/testEngine.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyWeights } from "../../support/runs.js";

await startTestEngine();
const bare = await toyWeights();

/** The toy's weights alone in a folder, with these files beside them. */
function beside(files: Readonly<Record<string, unknown>>): string {
  const folder = temporaryFolder();
  copyFileSync(bare, join(folder, "model.safetensors"));
  for (const [name, json] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof json === "string" ? json : JSON.stringify(json));
  }
  return join(folder, "model.safetensors");
}

/** Transformers' config of the toy, changed. */
const hf = (vision: object = {}, text: object = {}, more: object = {}) => ({
  "config.json": {
    model_type: "clip",
    vision_config: { hidden_size: 16, num_attention_heads: 2, hidden_act: "gelu", ...vision },
    text_config: { hidden_size: 8, num_attention_heads: 4, hidden_act: "quick_gelu", ...text },
    ...more,
  },
});

/** open_clip's config of the toy, changed. */
const openClip = (vision: object = {}, text: object = {}, model: object = {}, preprocess: object = {}) => ({
  "open_clip_config.json": {
    model_cfg: {
      vision_cfg: { width: 16, head_width: 8, layers: 1, image_size: 224, patch_size: 32, ...vision },
      text_cfg: { width: 8, heads: 4, layers: 1, context_length: 77, vocab_size: 49_408, ...text },
      ...model,
    },
    preprocess_cfg: { size: [224, 224], ...preprocess },
  },
});

const ALL = ["vision.heads", "vision.activation", "text.heads", "text.activation", "pixels"];
const KIND_BESIDE = { vision: { heads: 2, activation: "gelu" }, text: { heads: 4 } };

describe("the kind of a weight file's encoders", () => {
  it("is taken for OpenAI's, and that is said, where nothing says it", async () => {
    const { architecture, assumed } = await inspectWeights(bare);
    expect(architecture).toMatchObject(TOY_ARCHITECTURE);
    expect(architecture.vision).toMatchObject({ kind: "vit", window: 224 });
    expect(assumed).toEqual(ALL);
    const notes: string[] = [];
    await openWeights(bare, { note: (line) => notes.push(line) });
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain(`${bare}: nothing in it or beside it says ${ALL.join(", ")}; taken for OpenAI's kind`);
  });

  it("is that of transformers' configs beside it", async () => {
    const pixels = { image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
    const file = beside({ ...hf(), "preprocessor_config.json": { ...pixels, crop_size: { height: 224, width: 224 } } });
    const { architecture, assumed, sources } = await inspectWeights(file);
    expect(architecture).toMatchObject({ ...KIND_BESIDE, text: { heads: 4, activation: "quick-gelu" } });
    expect(assumed).toEqual([]);
    expect(sources["vision.heads"]).toBe("config.json: vision_config.num_attention_heads");
    expect(sources["pixels"]).toBe("preprocessor_config.json: image_mean");
  });

  it("is that of open_clip's config beside it, GELU where quick_gelu is not named", async () => {
    const plain = await inspectWeights(beside(openClip()));
    expect(plain.architecture).toMatchObject({ ...KIND_BESIDE, text: { heads: 4, activation: "gelu" } });
    expect(plain.assumed).toEqual(["pixels"]);
    const quick = await inspectWeights(beside(openClip({}, {}, { quick_gelu: true })));
    expect(quick.architecture).toMatchObject({
      vision: { activation: "quick-gelu" },
      text: { activation: "quick-gelu" },
    });
  });

  it("has transformers' own defaults where its config names none", async () => {
    const file = beside({ "config.json": { model_type: "clip", vision_config: { num_attention_heads: 1 } } });
    const { architecture, sources } = await inspectWeights(file);
    expect(architecture).toMatchObject({ vision: { activation: "quick-gelu" }, text: { heads: 8 } });
    expect(sources["text.heads"]).toContain("not there, so its program's default");
  });

  it("is what is asked for, where nothing else says it", async () => {
    const kind = { vision: { heads: 4, activation: "gelu" }, text: { activation: "gelu" } } as const;
    const notes: string[] = [];
    const { architecture, assumed } = await openWeights(bare, { kind, note: (line) => notes.push(line) });
    expect(architecture).toMatchObject(kind);
    expect(assumed).toEqual(["text.heads", "pixels"]);
    expect(notes).toHaveLength(1);
  });

  it("stays with a file that was converted, without what was assumed", async () => {
    const out = join(temporaryFolder(), "converted.safetensors");
    const kind = { vision: { heads: 4, activation: "gelu" } } as const;
    const assumption = await convertWeights(bare, out, { kind, report: () => undefined });
    expect(assumption).toContain("says text.heads, text.activation, pixels;");
    const { architecture, assumed, sources } = await inspectWeights(out);
    expect(architecture.vision).toMatchObject({ heads: 4, activation: "gelu" });
    expect(assumed).toEqual(["text.heads", "text.activation", "pixels"]);
    expect(sources["vision.heads"]).toBe("the file's own record");
    await expect(openWeights(out, { kind: { vision: { heads: 2 } } })).rejects.toThrow(
      "vision.heads is 2 by what was asked for (--heads, --activation, model.architecture), but 4 by the file's own record",
    );
  });

  it.each([
    ["a number of heads that does not divide", hf({ num_attention_heads: 3 }), "width 16 does not split into 3 heads"],
    [
      "an activation that is an approximation",
      hf({ hidden_act: "gelu_new" }),
      'vision_config.hidden_act is "gelu_new"',
    ],
    ["another width than the tensors'", hf({ hidden_size: 32 }), "vision.width is 32 by config.json"],
    ["another window than the tensors'", hf({ image_size: 336 }), "vision.window is 336 by config.json"],
    ["another vocabulary", hf({}, { vocab_size: 32_000 }), "text.vocabulary is 32000 by config.json"],
    ["another end token", hf({}, { eos_token_id: 0 }), "text_config.eos_token_id is 0"],
    ["another constant of its norms", hf({ layer_norm_eps: 1e-6 }), "vision_config.layer_norm_eps is 0.000001"],
    ["another model's type", hf({}, {}, { model_type: "siglip" }), 'model_type is "siglip"'],
    ["a tower that is none", hf({}, {}, { text_config: [1] }), "text_config is [1], not an object"],
    [
      "two values of one key",
      hf({}, {}, { vision_config_dict: { hidden_act: "quick_gelu" } }),
      "vision_config_dict.hidden",
    ],
    [
      "two configs that differ",
      { ...hf(), ...openClip({ head_width: 4 }) },
      "vision.heads is 4 by open_clip_config.json",
    ],
    ["open_clip's other pooling", openClip({ attentional_pool: true }), "vision_cfg.attentional_pool is true"],
    ["a text tower that sees ahead", openClip({}, { no_causal_mask: true }), "text_cfg.no_causal_mask is true"],
    ["a tower of another library", openClip({ timm_model_name: "vit" }), 'vision_cfg.timm_model_name is "vit"'],
    ["a key that is not known", openClip({ rotary: 2 }), "vision_cfg.rotary is 2, which is not computed here"],
    ["other pixel statistics", openClip({}, {}, {}, { mean: [0.5, 0.5, 0.5] }), "preprocess_cfg.mean is [0.5,0.5,0.5]"],
    [
      "pixels that are not normalized",
      { "preprocessor_config.json": { do_normalize: false } },
      "do_normalize is false",
    ],
    ["a crop of another size", { "preprocessor_config.json": { crop_size: 384 } }, "vision.window is 384"],
    ["an empty open_clip config", { "open_clip_config.json": {} }, "has no model_cfg"],
    ["a config of more than 4 MB", { "config.json": " ".repeat(4_200_000) + "{}" }, "are too many for a config"],
    ["a config that is no JSON", { "config.json": "{" }, "is no JSON object"],
  ])("is refused for %s", async (_, files, message) => {
    const file = beside(files);
    const refused = inspectWeights(file);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(CheckpointError);
    await expect(refused).rejects.toThrow(dirname(file));
  });

  it("is not asked of a config.json that is no model's", async () => {
    const { assumed } = await inspectWeights(beside({ "config.json": { name: "a site" } }));
    expect(assumed).toEqual(ALL);
  });

  it("is refused for a record that is not known", async () => {
    const file = join(temporaryFolder(), "newer.safetensors");
    const record = { "liqe.encoders": '{"vision":{"activation":"swish"}}' };
    const arrays = initialParameters(TOY_ARCHITECTURE, 1);
    await writeDurable(file, (handle) => writeSafetensors(handle, arrays, record));
    await expect(inspectWeights(file)).rejects.toThrow(`${basename(file)}: its metadata liqe.encoders is`);
  });
});

describe("inferArchitecture", () => {
  const wide = (vision: object, text: object = {}) => ({
    ...PRESETS["vit-tiny"],
    vision: { ...PRESETS["vit-tiny"].vision, stem: "patch" as const, layers: 1, ...vision },
    text: { ...PRESETS["vit-tiny"].text, layers: 1, ...text },
  });

  it.each([
    ["ViT-H/14", 1280, 5120, 80],
    ["ViT-g/14", 1408, 6144, 88],
    ["ViT-bigG/14", 1664, 8192, 104],
  ])(
    "takes an image tower as wide as %s's to have its heads, and reads its feed-forward width",
    (_, width, mlpWidth, d) => {
      const text = inferArchitecture(parameterShapes(wide({ width, mlpWidth }, { width: 1280 })), "file.pt");
      expect(text.vision).toMatchObject({ heads: width / d, ...(mlpWidth === 4 * width ? {} : { mlpWidth }) });
      expect(text.text.heads).toBe(20); // of 64, as bigG/14's text tower
    },
  );

  it("asks for the heads of a width that 64 does not divide, and takes them", () => {
    const shapes = parameterShapes(wide({ width: 200 }));
    expect(() => inferArchitecture(shapes, "file.pt")).toThrow(
      "model.architecture.vision.heads of a config, --heads N",
    );
    expect(inferArchitecture(shapes, "file.pt", { vision: { heads: 5 } }).vision.heads).toBe(5);
  });
});
