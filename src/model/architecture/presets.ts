import { ConfigError } from "../../base/errors.js";
import { nearestName } from "../../base/text.js";
import {
  type Architecture,
  clipHeads,
  type ResNet,
  resNetOutput,
  type StemStage,
  type TowerKind,
  type VitArchitecture,
} from "./architecture.js";

/** Size of all of CLIP's text towers. */
const CLIP_TEXT = { layers: 12, contextLength: 77, vocabulary: 49_408 };

/** OpenAI's nine CLIPs (arXiv 2103.00020, tables 19 and 20), and a small one of this project. */
export const PRESETS = {
  "vit-b-32": clip({ width: 768, layers: 12, patchSize: 32 }, 512),
  "vit-b-16": clip({ width: 768, layers: 12, patchSize: 16 }, 512),
  "vit-l-14": clip({ width: 1024, layers: 24, patchSize: 14 }, 768),
  "vit-l-14-336": clip({ width: 1024, layers: 24, patchSize: 14, imageSize: 336 }, 768),
  rn50: resNetClip({ width: 64, stages: [3, 4, 6, 3], imageSize: 224 }, 1024, 512),
  rn101: resNetClip({ width: 64, stages: [3, 4, 23, 3], imageSize: 224 }, 512, 512),
  rn50x4: resNetClip({ width: 80, stages: [4, 6, 10, 6], imageSize: 288 }, 640, 640),
  rn50x16: resNetClip({ width: 96, stages: [6, 8, 18, 8], imageSize: 384 }, 768, 768),
  rn50x64: resNetClip({ width: 128, stages: [3, 15, 36, 10], imageSize: 448 }, 1024, 1024),
  /** For learning from scratch on a CPU: a stem of small patches, matrix products only (arXiv 2203.09795). */
  "vit-tiny": {
    vision: {
      ...tower({ width: 256, layers: 4 }),
      imageSize: 224,
      patchSize: 32,
      stem: [
        { stride: 4, width: 48 },
        { stride: 2, width: 96 },
        { stride: 2, width: 192 },
        { stride: 2, width: 256 },
      ],
    },
    text: { ...CLIP_TEXT, ...tower({ width: 64, layers: 2 }) },
    embedding: 128,
  },
} as const satisfies Record<string, Architecture>;

export type PresetName = keyof typeof PRESETS;

/** The presets' names, as error messages and help list them. */
export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[]; // keys of a literal

/**
 * Preset of a name or an alias, as `ViT-B/32`, `vit_b_32` or `ViT-L/14@336px`.
 * @throws {ConfigError} for another, with the nearest
 */
export function presetName(name: string): PresetName {
  const plain = name
    .toLowerCase()
    .replaceAll(/[\s/_@]/g, "-")
    .replace(/px$/, "");
  const found = PRESET_NAMES.find((known) => known === plain);
  if (found !== undefined) return found;
  const nearest = nearestName(plain, PRESET_NAMES, Infinity) ?? "";
  throw new ConfigError(
    `preset: there is none called "${name}"; did you mean "${nearest}"? (known: ${PRESET_NAMES.join(", ")})`,
  );
}

/** Architecture of a preset's name or alias. @throws {ConfigError} see {@link presetName} */
export function presetArchitecture(name: string): Architecture {
  return PRESETS[presetName(name)];
}

/** Preset of an architecture, or null where none has it. */
export function presetOf(architecture: Architecture): PresetName | null {
  return PRESET_NAMES.find((name) => isSame(PRESETS[name], architecture)) ?? null;
}

function isSame(a: Architecture, b: Architecture): boolean {
  if (a.vision.kind === "siglip" || b.vision.kind === "siglip") return false; // none is one
  const numbers = ({ vision: v, text: t, embedding }: Architecture) => [
    [v.width, v.heads, v.imageSize],
    v.kind === "resnet"
      ? v.stages
      : v.kind === "siglip"
        ? [] // see above
        : [v.layers, v.activation, v.mlpWidth, v.patchSize, v.stem === "patch" ? v.stem : v.stem.map(stageNumbers)],
    [t.width, t.layers, t.heads, t.activation, t.mlpWidth, t.contextLength, t.vocabulary, embedding],
  ];
  return JSON.stringify(numbers(a)) === JSON.stringify(numbers(b));
}

function stageNumbers({ stride, width }: StemStage): number[] {
  return [stride, width];
}

/** CLIP with a ResNet. */
function resNetClip(vision: Pick<ResNet, "width" | "stages" | "imageSize">, embedding: number, textWidth: number) {
  return {
    vision: { kind: "resnet", ...vision, heads: clipHeads(resNetOutput(vision)) },
    text: { ...CLIP_TEXT, ...tower({ width: textWidth }) },
    embedding,
  } satisfies Architecture as Architecture;
}

/** CLIP with an embedding as wide as its text tower. */
function clip(
  { imageSize = 224, ...vision }: { width: number; layers: number; patchSize: number; imageSize?: number },
  embedding: number,
): VitArchitecture {
  return {
    vision: { ...tower(vision), imageSize, stem: "patch" },
    text: { ...CLIP_TEXT, ...tower({ width: embedding }) },
    embedding,
  };
}

function tower<T extends { width: number }>(size: T): T & TowerKind {
  return { ...size, heads: clipHeads(size.width), activation: "quick-gelu" };
}
