import { ConfigError } from "../../base/errors.js";
import { editDistance } from "../../base/text.js";
import type { Architecture, TextArchitecture, VisionArchitecture } from "./architecture.js";

/** Width of one attention head. */
export const HEAD_WIDTH = 64;

/** What all of CLIP's text towers share: 12 layers, 77 positions, 49,408 tokens. */
const CLIP_TEXT = { layers: 12, contextLength: 77, vocabulary: 49_408 };

/** CLIP's vision transformers (arXiv 2103.00020, table 20), 224 pixels, and a small one of this project. */
export const PRESETS = {
  "vit-b-32": clip({ width: 768, layers: 12, patchSize: 32 }, { width: 512 }, 512),
  "vit-b-16": clip({ width: 768, layers: 12, patchSize: 16 }, { width: 512 }, 512),
  "vit-l-14": clip({ width: 1024, layers: 24, patchSize: 14 }, { width: 768 }, 768),
  /** For learning from scratch on a CPU: a stem of small patches, matrix products only (arXiv 2203.09795). */
  "vit-tiny": {
    vision: {
      ...heads({ width: 256, layers: 4 }),
      imageSize: 224,
      patchSize: 32,
      stem: [
        { stride: 4, width: 48 },
        { stride: 2, width: 96 },
        { stride: 2, width: 192 },
        { stride: 2, width: 256 },
      ],
    },
    text: { ...CLIP_TEXT, ...heads({ width: 64, layers: 2 }) },
    embedding: 128,
  },
} as const satisfies Record<string, Architecture>;

export type PresetName = keyof typeof PRESETS;

/** The presets' names, as error messages and help list them. */
export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[]; // keys of a literal

/** CLIP's rule: one head for each 64 of width, and at least one. */
export function clipHeads(width: number): number {
  return Math.max(1, Math.floor(width / HEAD_WIDTH));
}

/**
 * The preset a user means: `vit-b-32`, or OpenAI's and others' spellings, `ViT-B/32`, `ViT-B-32`, `vit_b_32`.
 *
 * @throws {ConfigError} for another name; it names the nearest one
 */
export function presetName(name: string): PresetName {
  const plain = name.toLowerCase().replaceAll(/[\s/_]/g, "-");
  const found = PRESET_NAMES.find((known) => known === plain);
  if (found !== undefined) return found;
  const [nearest] = PRESET_NAMES.toSorted((a, b) => editDistance(plain, a) - editDistance(plain, b));
  throw new ConfigError(
    `preset: there is none called "${name}"; did you mean "${nearest ?? ""}"? (known: ${PRESET_NAMES.join(", ")})`,
  );
}

/** The architecture of a preset's name or alias. @throws {ConfigError} see {@link presetName} */
export function presetArchitecture(name: string): Architecture {
  return PRESETS[presetName(name)];
}

/** The preset that has this architecture, or null where none has. */
export function presetOf(architecture: Architecture): PresetName | null {
  return PRESET_NAMES.find((name) => sameArchitecture(PRESETS[name], architecture)) ?? null;
}

/** Whether two architectures have equal numbers throughout. */
function sameArchitecture(a: Architecture, b: Architecture): boolean {
  const numbers = ({ vision: v, text: t, embedding }: Architecture) => [
    [v.width, v.layers, v.heads, v.imageSize, v.patchSize],
    v.stem === "patch" ? v.stem : v.stem.map(({ stride, width }) => [stride, width]),
    [t.width, t.layers, t.heads, t.contextLength, t.vocabulary, embedding],
  ];
  return JSON.stringify(numbers(a)) === JSON.stringify(numbers(b));
}

function heads<T extends { width: number }>(tower: T): T & { heads: number } {
  return { ...tower, heads: clipHeads(tower.width) };
}

function clip(
  vision: Pick<VisionArchitecture, "width" | "layers" | "patchSize">,
  text: Pick<TextArchitecture, "width">,
  embedding: number,
): Architecture {
  return {
    vision: { ...heads(vision), imageSize: 224, stem: "patch" },
    text: { ...CLIP_TEXT, ...heads(text) },
    embedding,
  };
}
