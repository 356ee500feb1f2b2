/** Claims of the configs beside a weight file about what its tensors' shapes do not tell, and about those shapes. */
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { isCode } from "../../../base/files.js";
import { jsonOf, reasonOf } from "../../../base/text.js";
import {
  type Activation,
  ACTIVATIONS,
  pixelsOf,
  resNetOutput,
  TOWER_NAMES,
  type TowerName,
} from "../../architecture/architecture.js";
import { PIXELS } from "../../vision/patches.js";
import { rejectFile } from "../byteSource.js";

/** Claim about an architecture. */
export interface Claim {
  /** Property, such as `vision.heads`; `pixels` is for the statistics that pixels are normalized by. */
  readonly name: string;
  readonly value: number | string;
  /** Place that makes it, such as `config.json: vision_config.num_attention_heads`. */
  readonly where: string;
}

/**
 * All claims of the configs in a weight file's folder.
 * @param isSiglip  of the file, by its tensors' names
 * @throws {CheckpointError} for what cannot be read or computed
 */
export async function configClaims(file: string, isSiglip: boolean): Promise<Claim[]> {
  const folder = path.dirname(file);
  const claims = await Promise.all(
    Object.entries(READERS).map(async ([name, read]) => {
      const json = await readJson(path.join(folder, name));
      return json === null ? [] : read(new Section(path.join(folder, name), { prefix: "", isSiglip }, json));
    }),
  );
  return claims.flat();
}

/** Bytes of a config that are read at most; published ones have some kilobytes. */
const MOST_BYTES = 4e6;

function unreadable(file: string, error: unknown): never {
  return rejectFile(file, `cannot be read, ${reasonOf(error)}`);
}

/** Object of a config's file; null where there is no such file. */
async function readJson(file: string): Promise<Json | null> {
  const size = await stat(file).then(
    ({ size: bytes }) => bytes,
    (error: unknown) => (isCode(error, "ENOENT") ? null : unreadable(file, error)),
  );
  if (size === null) return null;
  if (size > MOST_BYTES) rejectFile(file, `${size} bytes are too many for a config`);
  const json = jsonOf(await readFile(file, "utf8").catch((error: unknown) => unreadable(file, error)));
  return isJson(json) ? json : rejectFile(file, "is no JSON object; get it again, or move it away from the weights");
}

type Json = Readonly<Record<string, unknown>>;

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Characters of a value that a message shows at most. */
const SHOWN = 60;

/** Part of a config: reads its keys, and refuses values that are not what they have to be. */
class Section {
  constructor(
    readonly file: string,
    private readonly place: { readonly prefix: string; readonly isSiglip: boolean },
    readonly json: Json,
  ) {}

  /** True where the weights are a SigLIP's. */
  get isSiglip(): boolean {
    return this.place.isSiglip;
  }

  /** The same part with other contents, under a key of its whole. */
  like(prefix: string, json: Json): Section {
    return new Section(this.file, { ...this.place, prefix }, json);
  }

  /** Refuses the file for a key's value. */
  refuse(key: string, why: string): never {
    return rejectFile(
      this.file,
      `${this.place.prefix}${key} is ${JSON.stringify(this.json[key]).slice(0, SHOWN)}${why}; if it is another model's config, move it away`,
    );
  }

  /** Section under a key; an empty one where there is none. */
  part(key: string): Section {
    const value = this.json[key] ?? {};
    return isJson(value) ? this.like(`${this.place.prefix}${key}.`, value) : this.refuse(key, ", not an object");
  }

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }

  number(key: string): number | undefined {
    const value = this.json[key];
    if (value === undefined || value === null) return undefined;
    return typeof value === "number" && Number.isFinite(value) && value > 0
      ? value
      : this.refuse(key, ", not a number above 0");
  }

  claim(key: string, name: string, value: number | string | undefined): Claim[] {
    if (value === undefined) return [];
    const missing = this.has(key) ? "" : " (not there, so its program's default)";
    return [{ name, value, where: `${path.basename(this.file)}: ${this.place.prefix}${key}${missing}` }];
  }

  /** Claims by keys that hold the value itself: key, and property. */
  numbers(keys: Readonly<Record<string, string>>): Claim[] {
    return Object.entries(keys).flatMap(([key, name]) => this.claim(key, name, this.number(key)));
  }

  /** Refuses any other value than these of a key that is there. */
  require(key: string, ...values: readonly unknown[]): void {
    if (!this.has(key)) return;
    const found = this.json[key];
    if (!values.some((value) => isSame(found, value)))
      this.refuse(
        key,
        `, which is not computed here (${values.map((value) => JSON.stringify(value)).join(" or ")} is)`,
      );
  }
}

/** Differences of statistics that are written with fewer digits. */
const ROUNDED = 1e-4;

function isSame(found: unknown, value: unknown): boolean {
  if (typeof found === "number" && typeof value === "number") return Math.abs(found - value) <= ROUNDED * value;
  if (!Array.isArray(found) || !Array.isArray(value)) return found === value;
  return found.length === value.length && found.every((entry, i) => isSame(entry, value[i]));
}

const READERS: Readonly<Record<string, (section: Section) => Claim[]>> = {
  "manifest.json": exportClaims,
  "config.json": transformersClaims,
  "open_clip_config.json": openClipClaims,
  "preprocessor_config.json": preprocessorClaims,
};

/** Names of the files beside weights that say what weights do not. */
export const CLAIM_FILES: readonly string[] = Object.keys(READERS);

/** Claims of the manifest of one of our exports; none of another `manifest.json`. */
function exportClaims(manifest: Section): Claim[] {
  if (!manifest.has("manifestVersion")) return [];
  const architecture = manifest.part("model").part("architecture");
  const towers = TOWER_NAMES.flatMap((tower) => {
    const section = architecture.part(tower);
    section.require("activation", ...ACTIVATIONS);
    const named = ACTIVATIONS.find((name) => name === section.json["activation"]);
    const activation = named ?? "quick-gelu"; // which the first ones did not name
    const isResNet = section.json["kind"] === "resnet"; // which has one activation, and names none
    return [
      ...section.numbers({ heads: `${tower}.heads`, width: `${tower}.width` }),
      ...(isResNet ? [] : section.claim("activation", `${tower}.activation`, activation)),
    ];
  });
  return [...towers, ...pixelClaims(manifest.part("preprocessing"), "mean", "std")];
}

/** Activations by transformers' names. Its other GELUs are further approximations, which differ. */
const HIDDEN_ACT: Readonly<Record<string, Activation>> = {
  quick_gelu: "quick-gelu",
  gelu: "gelu",
  gelu_pytorch_tanh: "gelu-tanh",
};

/** Transformers' name of an activation. */
export function hiddenActOf(activation: Activation): string {
  const name = Object.keys(HIDDEN_ACT).find((one) => HIDDEN_ACT[one] === activation);
  if (name === undefined) throw new Error(`internal: hiddenActOf: transformers has no ${activation}`);
  return name;
}

/** Values that transformers takes where its config does not say them, and that its towers are computed with here. */
const TRANSFORMERS = {
  clip: { heads: { vision: 12, text: 8 }, activation: "quick_gelu", epsilon: 1e-5 },
  siglip: { heads: { vision: 12, text: 12 }, activation: "gelu_pytorch_tanh", epsilon: 1e-6 },
} as const;

/** `model_type` of our hub exports with a hierarchical stem, which is otherwise a CLIP of transformers. */
export const STEM_MODEL_TYPE = "liqe-stem";

/** Identifiers of the end token with which transformers reads the state that CLIP's text tower ends with. */
const END_TOKENS = [2, 49_407];

/** Claims of transformers' `config.json`, class `CLIPConfig` or `SiglipConfig`; none where it is no model's. */
function transformersClaims(config: Section): Claim[] {
  const isOfModel = ["model_type", "vision_config", "text_config"].some((key) => config.has(key));
  if (!isOfModel) return [];
  if (config.json["model_type"] === "siglip2") {
    config.refuse("model_type", ", a SigLIP 2 of variable resolution (NaFlex), which is not computed here: those of fixed resolution are"); // prettier-ignore
  }
  config.require("model_type", ...(config.isSiglip ? ["siglip"] : ["clip", STEM_MODEL_TYPE]));
  const [vision, text] = [transformersTower(config, "vision"), transformersTower(config, "text")];
  vision.section.require("num_channels", 3);
  if (config.isSiglip) vision.section.require("vision_use_head", true);
  else text.section.require("eos_token_id", ...END_TOKENS);
  return [
    ...vision.claims,
    ...vision.section.numbers({ image_size: "vision.window", patch_size: "vision.patchSize" }),
    ...text.claims,
    ...text.section.numbers({ vocab_size: "text.vocabulary", max_position_embeddings: "text.contextLength" }),
    ...(config.isSiglip
      ? text.section.numbers({ projection_size: "embedding" })
      : config.numbers({ projection_dim: "embedding" })),
  ];
}

function transformersTower(config: Section, tower: TowerName): { section: Section; claims: Claim[] } {
  const section = config.part(`${tower}_config`);
  const older = config.part(`${tower}_config_dict`); // in its place where both are there, so they have to agree
  for (const [key, value] of Object.entries(older.json)) {
    if (section.has(key) && !isJson(value) && !Array.isArray(value)) older.require(key, section.json[key]);
  }
  const both = section.like(`${tower}_config.`, { ...section.json, ...older.json });
  const usual = TRANSFORMERS[config.isSiglip ? "siglip" : "clip"];
  both.require("layer_norm_eps", usual.epsilon);
  const act = both.json["hidden_act"] ?? usual.activation;
  const activation =
    (typeof act === "string" ? HIDDEN_ACT[act] : undefined) ??
    both.refuse("hidden_act", `; ${Object.keys(HIDDEN_ACT).join(", ")} are computed here`);
  const claims = [
    ...both.claim("num_attention_heads", `${tower}.heads`, both.number("num_attention_heads") ?? usual.heads[tower]),
    ...both.claim("hidden_act", `${tower}.activation`, activation),
    ...both.numbers({ hidden_size: `${tower}.width`, num_hidden_layers: `${tower}.layers` }),
    ...both.numbers({ intermediate_size: `${tower}.mlpWidth` }),
  ];
  return { section: both, claims };
}

/** Keys of open_clip's towers that are read, or change nothing that is computed here. */
const OPEN_CLIP_READ = {
  top: ["embed_dim", "quick_gelu", "vision_cfg", "text_cfg", "init_logit_scale", "nonscalar_logit_scale", "cast_dtype"],
  vision: ["layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "patch_dropout"],
  text: ["context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "pad_id", "eos_id"],
};

/** Values with which the other keys that are known change nothing. */
const OPEN_CLIP_USUAL: Readonly<Record<string, string>> = {
  pool_type: "tok", // of the image tower
  pos_embed_type: "learnable",
  proj_type: "linear",
};

/** Keys of the config of an open_clip SigLIP that are read, or change nothing that is computed here. */
const OPEN_CLIP_SIGLIP_READ = {
  top: ["embed_dim", "init_logit_scale", "init_logit_bias", "custom_text", "vision_cfg", "text_cfg", "cast_dtype"],
  vision: ["image_size", "timm_model_name", "timm_model_pretrained"],
  text: [
    ...[
      "context_length",
      "vocab_size",
      "width",
      "heads",
      "layers",
      "mlp_ratio",
      "hf_tokenizer_name",
      "tokenizer_kwargs",
    ],
    ...["no_causal_mask", "proj_bias", "norm_kwargs", "act_kwargs"],
  ],
};

/** Heads of timm's SigLIP towers by the size in their name. */
const TIMM_HEADS: Readonly<Record<string, number>> = { base: 12, large: 16, so400m: 16, giantopt: 16 };

/** Claims of `open_clip_config.json` about a SigLIP, whose image tower is named as timm's library does. */
function openClipSiglipClaims(model: Section, preprocessing: Section): Claim[] {
  const [vision, text] = [model.part("vision_cfg"), model.part("text_cfg")];
  requireUsual(model, OPEN_CLIP_SIGLIP_READ.top, {});
  requireUsual(vision, OPEN_CLIP_SIGLIP_READ.vision, { timm_pool: "map", timm_proj: "none" });
  requireUsual(text, OPEN_CLIP_SIGLIP_READ.text, { pool_type: "last" });
  text.require("no_causal_mask", true);
  text.require("proj_bias", true);
  text.part("norm_kwargs").require("eps", TRANSFORMERS.siglip.epsilon);
  const act = text.part("act_kwargs");
  act.require("approximate", "tanh");
  const name = vision.json["timm_model_name"];
  const [, size = "", patch, side] = /^vit_(\w+?)_patch(\d+)_siglip_(\d+)(?:\.\w+)?$/.exec(String(name)) ?? [];
  if (patch === undefined) vision.refuse("timm_model_name", ", which is not computed here (SigLIPs of fixed resolution are)"); // prettier-ignore
  const activation: Activation = "gelu-tanh";
  return [
    ...model.numbers({ embed_dim: "embedding" }),
    ...vision.claim("timm_model_name", "vision.heads", TIMM_HEADS[size]),
    ...vision.claim("timm_model_name", "vision.patchSize", Number(patch)),
    ...vision.claim("timm_model_name", "vision.window", Number(side)),
    ...vision.claim("image_size", "vision.window", sideOf(vision, "image_size")),
    ...text.numbers({ width: "text.width", layers: "text.layers", heads: "text.heads" }),
    ...text.numbers({ context_length: "text.contextLength", vocab_size: "text.vocabulary" }),
    ...(act.has("approximate") ? text.claim("act_kwargs", "text.activation", activation) : []),
    ...pixelClaims(preprocessing, "mean", "std"),
    ...preprocessing.claim("size", "vision.window", sideOf(preprocessing, "size")),
  ];
}

/** Claims of open_clip's `open_clip_config.json`. */
function openClipClaims(config: Section): Claim[] {
  if (!config.has("model_cfg")) rejectFile(config.file, "has no model_cfg; get it again, or move it away");
  const model = config.part("model_cfg");
  config.part("preprocess_cfg").require("mode", "RGB");
  if (config.isSiglip) return openClipSiglipClaims(model, config.part("preprocess_cfg"));
  const [vision, text] = [model.part("vision_cfg"), model.part("text_cfg")];
  requireUsual(model, OPEN_CLIP_READ.top, {});
  requireUsual(vision, OPEN_CLIP_READ.vision, OPEN_CLIP_USUAL);
  requireUsual(text, OPEN_CLIP_READ.text, { ...OPEN_CLIP_USUAL, pool_type: "argmax" });
  model.require("quick_gelu", true, false);
  const activation: Activation = model.json["quick_gelu"] === true ? "quick-gelu" : "gelu";
  const preprocessing = config.part("preprocess_cfg");
  return [
    ...model.numbers({ embed_dim: "embedding" }),
    ...(Array.isArray(vision.json["layers"]) ? resNetClaims(vision) : vitClaims(vision)),
    ...text.claim("heads", "text.heads", text.number("heads") ?? 8), // open_clip's default
    ...["vision.activation", "text.activation"].flatMap((name) => model.claim("quick_gelu", name, activation)),
    ...vision.claim("image_size", "vision.window", sideOf(vision, "image_size")),
    ...text.numbers({ width: "text.width", layers: "text.layers" }),
    ...text.numbers({ context_length: "text.contextLength", vocab_size: "text.vocabulary" }),
    ...[vision, text].flatMap((tower, i) => {
      const [ratio, width] = [tower.number("mlp_ratio"), tower.number("width")];
      const hidden = ratio === undefined || width === undefined ? undefined : Math.floor(width * ratio);
      return tower.claim("mlp_ratio", `${i === 0 ? "vision" : "text"}.mlpWidth`, hidden);
    }),
    ...pixelClaims(preprocessing, "mean", "std"),
    ...preprocessing.claim("size", "vision.window", sideOf(preprocessing, "size")),
  ];
}

/** Claims of a vision transformer's section; the width and the heads' have open_clip's defaults. */
function vitClaims(vision: Section): Claim[] {
  const heads = Math.floor((vision.number("width") ?? 768) / (vision.number("head_width") ?? 64));
  return [
    ...vision.claim("head_width", "vision.heads", heads),
    ...vision.numbers({ width: "vision.width", layers: "vision.layers", patch_size: "vision.patchSize" }),
  ];
}

/** The same of a ResNet: its `layers` are the bottlenecks of its stages, and its heads share the last stage's width. */
function resNetClaims(vision: Section): Claim[] {
  const stages = vision.json["layers"] as unknown[]; // an array where this is called
  const width = vision.number("width") ?? 64;
  const output = resNetOutput({ width, stages: stages.map(Number) });
  return [
    ...vision.claim("head_width", "vision.heads", Math.floor(output / (vision.number("head_width") ?? 64))),
    ...vision.claim("layers", "vision.layers", stages.join()),
    ...vision.numbers({ width: "vision.width" }),
  ];
}

/** Refuses keys that are not read, unless they are off or have their usual value. */
function requireUsual(section: Section, read: readonly string[], usual: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(section.json)) {
    const isOff = value === null || value === false || (isJson(value) && Object.keys(value).length === 0);
    if (read.includes(key) || isOff || usual[key] === value) continue;
    section.refuse(key, ", which is not computed here");
  }
}

/** Side of a square: a number, or a list or an object of equal ones. */
function sideOf(section: Section, key: string): number | undefined {
  const value = section.json[key];
  if (typeof value !== "object" || value === null) return section.number(key);
  const sides = Object.values(value).filter((side) => typeof side === "number");
  const [side] = sides;
  const isSquare = side !== undefined && sides.length === Object.keys(value).length && sides.every((s) => s === side);
  return isSquare ? side : section.refuse(key, ", not the side of a square");
}

/** Claims of transformers' `preprocessor_config.json`. */
function preprocessorClaims(config: Section): Claim[] {
  config.require("do_normalize", true);
  config.require("do_rescale", true);
  config.require("rescale_factor", 1 / 255);
  config.require("rescale_offset", false);
  const pixels = pixelClaims(config, "image_mean", "image_std");
  if (config.isSiglip) return [...pixels, ...config.claim("size", "vision.window", sideOf(config, "size"))];
  const crop = config.json["do_center_crop"] === false ? undefined : sideOf(config, "crop_size");
  return [...pixels, ...config.claim("crop_size", "vision.window", crop)];
}

function pixelClaims(section: Section, mean: string, std: string): Claim[] {
  const statistics = pixelsOf(section.isSiglip ? { kind: "siglip" } : {});
  section.require(mean, PIXELS[statistics].mean);
  section.require(std, PIXELS[statistics].std);
  return section.has(mean) && section.has(std) ? section.claim(mean, "pixels", statistics) : [];
}
