/** Kind of a weight file's encoders: what says it, what is assumed, and what contradicts it. */
import { z } from "zod";
import { jsonOf } from "../../../base/text.js";
import {
  type Activation,
  ACTIVATIONS,
  type Architecture,
  kindOf,
  type KnownKind,
  PIXEL_STATISTICS,
  pixelsOf,
  resNetOutput,
  TOWER_NAMES,
  type TowerName,
} from "../../architecture/architecture.js";
import type { ModelConfig } from "../../config.js";
import { PRESETS } from "../../architecture/presets.js";
import { mlpWidthOf, RESNET_POSITIONS, SIGLIP_PROBE, VIT_POSITIONS } from "../../parameters/shapes.js";
import { rejectFile } from "../byteSource.js";
import { recognizeFile } from "../published.js";
import type { Weights } from "../readWeights.js";
import { type Claim, configClaims } from "./claims.js";

/** Kind that heads and an activation ask for, before the one that a config names. */
export function kindAsked(
  { heads, activation }: { readonly heads?: number | undefined; readonly activation?: Activation | undefined },
  { vision, text }: NonNullable<ModelConfig["architecture"]> = {},
): KnownKind {
  return {
    vision: { heads: heads ?? vision?.heads, activation: activation ?? vision?.activation },
    text: { heads: text?.heads, activation: activation ?? text?.activation },
  };
}

/** Properties of the encoders that the shapes of weights do not tell. */
const UNTOLD = ["vision.heads", "vision.activation", "text.heads", "text.activation", "pixels"] as const;
type Untold = (typeof UNTOLD)[number];

/** Sources of what a weight file's shapes do not tell. */
export interface KindSources {
  /** Place that says it, by property. */
  readonly sources: Readonly<Record<string, string>>;
  /** Properties that nothing says: they are taken for OpenAI's, those of a SigLIP for the published ones'. */
  readonly assumed: readonly Untold[];
}

/** Key of a safetensors file's metadata: the kind of the encoders, as JSON. */
const RECORD_KEY = "liqe.encoders";

const TowerRecord = z.strictObject({
  heads: z.int().positive().optional(),
  activation: z.enum(ACTIVATIONS).optional(),
});
const EncoderRecord = z.strictObject({
  vision: TowerRecord.optional(),
  text: TowerRecord.optional(),
  pixels: z.enum(PIXEL_STATISTICS).optional(),
});

/** Metadata of a safetensors file that records the kind of its encoders. @param assumed  what is left out of it */
export function kindMetadata(kind: KnownKind, assumed: readonly string[] = []): Record<string, string> {
  const said = (tower: TowerName) =>
    Object.fromEntries(Object.entries(kind[tower] ?? {}).filter(([key]) => !assumed.includes(`${tower}.${key}`)));
  const pixels = assumed.includes("pixels") ? {} : { pixels: kind.pixels ?? "CLIP's" };
  return { [RECORD_KEY]: JSON.stringify({ vision: said("vision"), text: said("text"), ...pixels }) };
}

/** Kind that a safetensors file's metadata record; {} where they have none. @throws {CheckpointError} for a broken one */
export function recordedKind(file: string, metadata: Readonly<Record<string, string>>) {
  const text = metadata[RECORD_KEY];
  if (text === undefined) return {};
  const record = EncoderRecord.safeParse(jsonOf(text));
  if (record.success) return record.data;
  return rejectFile(file, `its metadata ${RECORD_KEY} is "${text}", which is not known; it needs a newer liqe-train`);
}

/**
 * All that is said of a weight file's encoders, the first to be believed before the others: its own record, the configs
 * beside it, its published checksum, and what was asked for.
 */
export async function claimsOf({ file, metadata, names }: Weights, asked: KnownKind = {}): Promise<Claim[]> {
  const { pixels, ...recorded } = recordedKind(file, metadata);
  const own = kindClaims(recorded, "the file's own record");
  const pixelRecord = pixels === undefined ? [] : [{ name: "pixels", value: pixels, where: "the file's own record" }];
  const published = await recognizeFile(file);
  const checksum = "the published checksum";
  const byChecksum =
    published === null
      ? []
      : [...kindClaims(kindOf(PRESETS[published]), checksum), { name: "pixels", value: "CLIP's", where: checksum }];
  return [
    ...own,
    ...pixelRecord,
    ...(await configClaims(file, names.has(SIGLIP_PROBE))),
    ...byChecksum,
    ...kindClaims(asked, ASKED),
  ];
}

const ASKED = "what was asked for (--heads, --activation, model.architecture)";

function kindClaims(kind: KnownKind, where: string): Claim[] {
  return TOWER_NAMES.flatMap((tower) => {
    const { heads, activation } = kind[tower] ?? {};
    return [
      ...(heads === undefined ? [] : [{ name: `${tower}.heads`, value: heads, where }]),
      ...(activation === undefined ? [] : [{ name: `${tower}.activation`, value: activation, where }]),
    ];
  });
}

/** Kind by the first claim about each property. */
export function kindBy(claims: readonly Claim[]): KnownKind {
  const first = (name: string) => claims.find((claim) => claim.name === name)?.value;
  const tower = (name: TowerName) => ({
    heads: first(`${name}.heads`) as number | undefined, // as claims of this name have
    activation: first(`${name}.activation`) as Activation | undefined,
  });
  return { vision: tower("vision"), text: tower("text") };
}

/** Activation of every ResNet: no config of one has a word for it. */
const RESNET_ACTIVATION = "relu";

/** Checks all claims against the architecture that came of them and of the shapes. @throws {CheckpointError} */
export function checkClaims(file: string, architecture: Architecture, claims: readonly Claim[]): KindSources {
  const properties = propertiesOf(architecture);
  const isResNet = architecture.vision.kind === "resnet";
  // What is said of both towers' activation is about the text tower alone where the other is a ResNet
  const applying = claims.filter(({ name }) => !(isResNet && name === "vision.activation"));
  const sourceOf = (name: string) =>
    isResNet && name === "vision.activation"
      ? "its kind: a ResNet"
      : applying.find((claim) => claim.name === name)?.where;
  const wrong = applying.filter((claim) => properties[claim.name] !== claim.value && !isCutWindow(architecture, claim));
  if (wrong.length > 0) {
    const lines = wrong.map(({ name, value, where }) => {
      const isUntold = UNTOLD.some((untold) => untold === name);
      const by = isUntold ? (sourceOf(name) ?? "") : "the shapes of its weights";
      return `${name} is ${value} by ${where}, but ${properties[name] ?? "unknown"} by ${by}`;
    });
    rejectFile(file, `${lines.join("; ")}: which is right? Correct or move away the other one`);
  }
  const said = UNTOLD.flatMap((name) => {
    const where = sourceOf(name);
    return where === undefined ? [] : [[name, where] as const];
  });
  return {
    sources: {
      ...Object.fromEntries(said),
      "vision.window": `the shape of ${isResNet ? RESNET_POSITIONS : VIT_POSITIONS}`,
    },
    assumed: UNTOLD.filter((name) => sourceOf(name) === undefined),
  };
}

/** True for a window whose last pixels no patch covers: SigLIP so400m's patches of 14 read 378 pixels of 384. */
function isCutWindow({ vision }: Architecture, { name, value }: Claim): boolean {
  if (vision.kind !== "siglip" || name !== "vision.window") return false;
  return Math.floor(Number(value) / vision.patchSize) * vision.patchSize === vision.imageSize;
}

/** Checks what was asked for against an architecture that is known. @throws {CheckpointError} where it is not that */
export function requireKind(file: string, architecture: Architecture, asked: KnownKind = {}): void {
  checkClaims(file, architecture, [...kindClaims(kindOf(architecture), "its record"), ...kindClaims(asked, ASKED)]);
}

/** Properties of an architecture by the names of claims. */
function propertiesOf(architecture: Architecture): Readonly<Record<string, number | string>> {
  const { vision, text, embedding } = architecture;
  const named = (tower: TowerName, properties: Readonly<Record<string, number | string>>) =>
    Object.fromEntries(Object.entries(properties).map(([key, value]) => [`${tower}.${key}`, value]));
  const ofTransformer = (tower: Omit<Architecture["text"], "contextLength" | "vocabulary" | "kind">) => {
    const { width, layers, heads, activation } = tower;
    return { width, layers, heads, activation, mlpWidth: mlpWidthOf(tower) };
  };
  const ofVision =
    vision.kind === "resnet"
      ? { width: vision.width, layers: vision.stages.join(), heads: vision.heads, activation: RESNET_ACTIVATION }
      : { ...ofTransformer(vision), patchSize: vision.patchSize };
  return {
    ...named("vision", { ...ofVision, window: vision.imageSize }),
    ...named("text", ofTransformer(text)),
    embedding,
    ...{ "text.contextLength": text.contextLength, "text.vocabulary": text.vocabulary, pixels: pixelsOf(vision) },
  };
}

/** Width that the heads of an image tower share. */
function widthOf(vision: Architecture["vision"]): number {
  return vision.kind === "resnet" ? resNetOutput(vision) : vision.width;
}

/** Line on what was assumed; null where nothing was. */
export function assumptionNote(
  file: string,
  { vision, text }: Architecture,
  assumed: readonly string[],
): string | null {
  if (assumed.length === 0) return null;
  const values: Readonly<Record<string, string>> = {
    "vision.heads": `${vision.heads} heads of ${widthOf(vision) / vision.heads} in the image tower`,
    "text.heads": `${text.heads} of ${text.width / text.heads} in the text tower`,
    [vision.kind === "resnet" ? "text.activation" : "vision.activation"]:
      vision.kind === "siglip" ? "GELU by tanh" : "QuickGELU",
    pixels: `${pixelsOf(vision)} pixel statistics`,
  };
  const whose = vision.kind === "siglip" ? "the published SigLIPs'" : "OpenAI's";
  const taken = assumed.flatMap((name) => values[name] ?? []);
  return (
    `${file}: nothing in it or beside it says ${assumed.join(", ")}; taken for ${whose} kind (${taken.join(", ")}); ` +
    "a config.json beside it, model.architecture, --heads and --activation say otherwise"
  );
}
