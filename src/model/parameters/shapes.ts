import type { Architecture, VisionArchitecture } from "../architecture/architecture.js";

/** Name → shape, axes as PyTorch lays them out: slowest first, `[out, in]` for a linear map. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** A feed-forward layer is four times as wide as its transformer. */
export const MLP_RATIO = 4;

/**
 * Every parameter of an architecture under the names of OpenAI's state dict, with its shape.
 *
 * A hierarchical stem, which OpenAI has no name for, is `visual.stem.<i>.{weight,bias}` and its layer norm
 * `visual.stem.<i>.norm.{weight,bias}`, in place of `visual.conv1.weight`. `logit_scale` is a scalar, the logarithm.
 */
export function parameterShapes(architecture: Architecture): Shapes {
  const { vision, text, embedding } = architecture;
  const tokens = (vision.imageSize / vision.patchSize) ** 2 + 1; // one more for the class
  return new Map<string, readonly number[]>([
    ["visual.class_embedding", [vision.width]],
    ["visual.positional_embedding", [tokens, vision.width]],
    ...stem(vision),
    ...layerNorm("visual.ln_pre", vision.width),
    ...transformer("visual.transformer", vision),
    ...layerNorm("visual.ln_post", vision.width),
    ["visual.proj", [vision.width, embedding]],
    ["positional_embedding", [text.contextLength, text.width]],
    ["token_embedding.weight", [text.vocabulary, text.width]],
    ...transformer("transformer", text),
    ...layerNorm("ln_final", text.width),
    ["text_projection", [text.width, embedding]],
    ["logit_scale", []],
  ]);
}

/** How many numbers a tensor of this shape holds. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, axis) => size * axis, 1);
}

/** How many numbers all parameters hold together. */
export function countParameters(shapes: Shapes): number {
  return [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}

type Entry = readonly [string, readonly number[]];

function stem({ stem: stages, width, patchSize }: VisionArchitecture): Entry[] {
  if (stages === "patch") return [["visual.conv1.weight", [width, 3, patchSize, patchSize]]];
  return stages.flatMap(({ stride, width: out }, i) => [
    [`visual.stem.${i}.weight`, [out, stages[i - 1]?.width ?? 3, stride, stride]],
    [`visual.stem.${i}.bias`, [out]],
    ...layerNorm(`visual.stem.${i}.norm`, out),
  ]);
}

function transformer(name: string, { width, layers }: { width: number; layers: number }): Entry[] {
  return Array.from({ length: layers }, (_, i) => block(`${name}.resblocks.${i}`, width)).flat();
}

function block(name: string, width: number): Entry[] {
  return [
    ...layerNorm(`${name}.ln_1`, width),
    [`${name}.attn.in_proj_weight`, [3 * width, width]], // queries, keys, values
    [`${name}.attn.in_proj_bias`, [3 * width]],
    ...linear(`${name}.attn.out_proj`, width, width),
    ...layerNorm(`${name}.ln_2`, width),
    ...linear(`${name}.mlp.c_fc`, MLP_RATIO * width, width),
    ...linear(`${name}.mlp.c_proj`, width, MLP_RATIO * width),
  ];
}

function layerNorm(name: string, width: number): Entry[] {
  return [
    [`${name}.weight`, [width]],
    [`${name}.bias`, [width]],
  ];
}

function linear(name: string, out: number, width: number): Entry[] {
  return [
    [`${name}.weight`, [out, width]],
    [`${name}.bias`, [out]],
  ];
}

/** Where in the network a parameter stands: what `train.freeze` names, and what layer-wise rates go by. */

export type Tower = "vision" | "text";

/** From the input up: pixels to tokens (vision alone), what marks tokens, the transformer, what leads to the features. */
type Part = "stem" | "embeddings" | "blocks" | "head";

export interface ParameterPart {
  readonly tower: Tower;
  readonly part: Part;
  /** Which one of the transformer's blocks, from 0 at the input; null outside of them. */
  readonly block: number | null;
}

/** OpenAI's names by their beginnings. `$1`, where there is one, is the block's number. */
const PARTS: readonly (readonly [RegExp, Tower, Part])[] = [
  [/^visual\.(?:conv1|stem)\./, "vision", "stem"],
  [/^visual\.(?:class_embedding$|positional_embedding$|ln_pre\.)/, "vision", "embeddings"],
  [/^visual\.transformer\.resblocks\.(\d+)\./, "vision", "blocks"],
  [/^visual\.(?:ln_post\.|proj$)/, "vision", "head"],
  [/^(?:token_embedding\.|positional_embedding$)/, "text", "embeddings"],
  [/^transformer\.resblocks\.(\d+)\./, "text", "blocks"],
  [/^(?:ln_final\.|text_projection$)/, "text", "head"],
];

/** The part of a parameter of `Parameters` or `parameterShapes`; null for the logit scale, which is part of no tower. */
export function partOf(name: string): ParameterPart | null {
  for (const [pattern, tower, part] of PARTS) {
    const found = pattern.exec(name);
    if (found !== null) return { tower, part, block: found[1] === undefined ? null : Number(found[1]) };
  }
  return null;
}

/** How many blocks each tower has, counted from the names of all its parameters. */
export function blockCounts(names: Iterable<string>): Record<Tower, number> {
  const counts: Record<Tower, number> = { vision: 0, text: 0 };
  for (const name of names) {
    const { tower, block } = partOf(name) ?? {};
    if (tower !== undefined && typeof block === "number") counts[tower] = Math.max(counts[tower], block + 1);
  }
  return counts;
}
