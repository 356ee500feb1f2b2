import type { Architecture, VisionArchitecture } from "../architecture/architecture.js";

/** Name → shape, axes as PyTorch lays them out: slowest first, `[out, in]` for a linear map. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** Usual width of a feed-forward layer, in widths of its transformer. */
const MLP_RATIO = 4;

/** Width of a tower's feed-forward layers. */
export function mlpWidthOf({ width, mlpWidth }: { width: number; mlpWidth?: number | undefined }): number {
  return mlpWidth ?? MLP_RATIO * width;
}

/**
 * Shapes of an architecture's parameters under the names of OpenAI's state dict.
 * A hierarchical stem, which OpenAI has no name for, is `visual.stem.<i>.{weight,bias}` and its layer norm
 * `visual.stem.<i>.norm.{weight,bias}`, instead of `visual.conv1.weight`. `logit_scale` is a scalar, the logarithm.
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

/** Elements of a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, axis) => size * axis, 1);
}

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

type Stack = { readonly width: number; readonly layers: number; readonly mlpWidth?: number | undefined };

function transformer(name: string, stack: Stack): Entry[] {
  return Array.from({ length: stack.layers }, (_, i) => block(`${name}.resblocks.${i}`, stack)).flat();
}

function block(name: string, stack: Stack): Entry[] {
  const { width } = stack;
  const hidden = mlpWidthOf(stack);
  return [
    ...layerNorm(`${name}.ln_1`, width),
    [`${name}.attn.in_proj_weight`, [3 * width, width]], // queries, keys, values
    [`${name}.attn.in_proj_bias`, [3 * width]],
    ...linear(`${name}.attn.out_proj`, width, width),
    ...layerNorm(`${name}.ln_2`, width),
    ...linear(`${name}.mlp.c_fc`, hidden, width),
    ...linear(`${name}.mlp.c_proj`, width, hidden),
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

export type Tower = "vision" | "text";

/** Position of a parameter in the network, for `train.freeze` and layer-wise learning rates. */
export interface ParameterPart {
  readonly tower: Tower;
  /** From the input up: pixels to tokens (vision alone), embeddings, transformer, projection to the features. */
  readonly part: "stem" | "embeddings" | "blocks" | "head";
  /** Number of the transformer's block, from 0 at the input; null outside of blocks. */
  readonly block: number | null;
}

/** OpenAI's names by their beginnings. `$1`, where there is one, is the block's number. */
const PARTS: readonly (readonly [RegExp, Tower, ParameterPart["part"]])[] = [
  [/^visual\.(?:conv1|stem)\./, "vision", "stem"],
  [/^visual\.(?:class_embedding$|positional_embedding$|ln_pre\.)/, "vision", "embeddings"],
  [/^visual\.transformer\.resblocks\.(\d+)\./, "vision", "blocks"],
  [/^visual\.(?:ln_post\.|proj$)/, "vision", "head"],
  [/^(?:token_embedding\.|positional_embedding$)/, "text", "embeddings"],
  [/^transformer\.resblocks\.(\d+)\./, "text", "blocks"],
  [/^(?:ln_final\.|text_projection$)/, "text", "head"],
];

/** Part of a parameter of `Parameters` or `parameterShapes`; null for the logit scale, which is in no tower. */
export function partOf(name: string): ParameterPart | null {
  for (const [pattern, tower, part] of PARTS) {
    const found = pattern.exec(name);
    if (found !== null) return { tower, part, block: found[1] === undefined ? null : Number(found[1]) };
  }
  return null;
}

/** Number of blocks in each tower, counted from the names of all its parameters. */
export function blockCounts(names: Iterable<string>): Record<Tower, number> {
  const counts: Record<Tower, number> = { vision: 0, text: 0 };
  for (const name of names) {
    const { tower, block } = partOf(name) ?? {};
    if (tower !== undefined && typeof block === "number") counts[tower] = Math.max(counts[tower], block + 1);
  }
  return counts;
}
