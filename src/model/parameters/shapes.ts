import {
  type Architecture,
  type ResNet,
  RESNET_REDUCTION,
  resNetOutput,
  resNetWidths,
  type SiglipVision,
  type VisionArchitecture,
  type VisionTransformer,
} from "../architecture/architecture.js";

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
 * SigLIP's parts that CLIP lacks have names in their manner; its files have transformers' (`transformersNames.ts`).
 */
export function parameterShapes(architecture: Architecture): Shapes {
  const { vision, text, embedding } = architecture;
  return new Map<string, readonly number[]>([
    ...imageTower(vision, embedding),
    ["positional_embedding", [text.contextLength, text.width]],
    ["token_embedding.weight", [text.vocabulary, text.width]],
    ...transformer("transformer", text),
    ...layerNorm("ln_final", text.width),
    ["text_projection", [text.width, embedding]],
    ["logit_scale", []],
    ...(text.kind === "siglip" ? siglipEnd(embedding) : []),
  ]);
}

function imageTower(vision: VisionArchitecture, embedding: number): Entry[] {
  if (vision.kind === "resnet") return resNet(vision, embedding);
  return vision.kind === "siglip" ? siglip(vision) : vit(vision, embedding);
}

/** Names of the position embeddings of a vision transformer, and of a ResNet's attention pooling. */
export const VIT_POSITIONS = "visual.positional_embedding";
export const RESNET_POSITIONS = "visual.attnpool.positional_embedding";

function vit(vision: VisionTransformer, embedding: number): Entry[] {
  const tokens = (vision.imageSize / vision.patchSize) ** 2 + 1; // one more for the class
  return [
    ["visual.class_embedding", [vision.width]],
    [VIT_POSITIONS, [tokens, vision.width]],
    ...stem(vision),
    ...layerNorm("visual.ln_pre", vision.width),
    ...transformer("visual.transformer", vision),
    ...layerNorm("visual.ln_post", vision.width),
    ["visual.proj", [vision.width, embedding]],
  ];
}

/** Names of the query of SigLIP's attention pooling, and of the constant that its training added to logits. */
export const SIGLIP_PROBE = "visual.attnpool.probe";
export const SIGLIP_LOGIT_BIAS = "logit_bias";

function siglip(vision: SiglipVision): Entry[] {
  const { width, patchSize, imageSize } = vision;
  const hidden = mlpWidthOf(vision);
  return [
    ["visual.conv1.weight", [width, 3, patchSize, patchSize]],
    ["visual.conv1.bias", [width]],
    [VIT_POSITIONS, [(imageSize / patchSize) ** 2, width]],
    ...transformer("visual.transformer", vision),
    ...layerNorm("visual.ln_post", width),
    [SIGLIP_PROBE, [1, 1, width]],
    ["visual.attnpool.attn.in_proj_weight", [3 * width, width]],
    ["visual.attnpool.attn.in_proj_bias", [3 * width]],
    ...linear("visual.attnpool.attn.out_proj", width, width),
    ...layerNorm("visual.attnpool.ln_mlp", width),
    ...linear("visual.attnpool.mlp.c_fc", hidden, width),
    ...linear("visual.attnpool.mlp.c_proj", width, hidden),
  ];
}

/** The bias of the text's projection, and that of logits, which a softmax over prompts cancels. */
function siglipEnd(embedding: number): Entry[] {
  return [
    ["text_projection_bias", [embedding]],
    [SIGLIP_LOGIT_BIAS, []],
  ];
}

function resNet(vision: ResNet, embedding: number): Entry[] {
  const half = vision.width / 2;
  const output = resNetOutput(vision);
  const places = (vision.imageSize / RESNET_REDUCTION) ** 2 + 1; // one more for their mean
  return [
    ...convolution("visual", "1", [half, 3, 3, 3]),
    ...convolution("visual", "2", [half, half, 3, 3]),
    ...convolution("visual", "3", [vision.width, half, 3, 3]),
    ...vision.stages.flatMap((blocks, stage) => {
      const { input, planes, output: out } = resNetWidths(vision, stage);
      return Array.from({ length: blocks }, (_, i) => {
        const name = `visual.layer${stage + 1}.${i}`;
        const width = i === 0 ? input : out;
        return [
          ...convolution(name, "1", [planes, width, 1, 1]),
          ...convolution(name, "2", [planes, planes, 3, 3]),
          ...convolution(name, "3", [out, planes, 1, 1]),
          ...(i === 0 ? downsample(name, [out, width, 1, 1]) : []),
        ];
      }).flat();
    }),
    [RESNET_POSITIONS, [places, output]],
    ...["q_proj", "k_proj", "v_proj"].flatMap((name) => linear(`visual.attnpool.${name}`, output, output)),
    ...linear("visual.attnpool.c_proj", embedding, output),
  ];
}

function convolution(name: string, number: string, shape: readonly number[]): Entry[] {
  return [[`${name}.conv${number}.weight`, shape], ...batchNorm(`${name}.bn${number}`, shape[0] ?? NaN)];
}

function downsample(name: string, shape: readonly number[]): Entry[] {
  return [[`${name}.downsample.0.weight`, shape], ...batchNorm(`${name}.downsample.1`, shape[0] ?? NaN)];
}

function batchNorm(name: string, width: number): Entry[] {
  return ["weight", "bias", "running_mean", "running_var"].map((part) => [`${name}.${part}`, [width]]);
}

/** True for the statistics of a batch norm, which training leaves as they are. */
export function isBatchStatistic(name: string): boolean {
  return /\.running_(mean|var)$/.test(name);
}

/** Elements of a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, axis) => size * axis, 1);
}

export function countParameters(shapes: Shapes): number {
  return [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}

type Entry = readonly [string, readonly number[]];

function stem({ stem: stages, width, patchSize }: VisionTransformer): Entry[] {
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
  /** Number of the transformer's block, or of the ResNet's stage, from 0 at the input; null outside of blocks. */
  readonly block: number | null;
}

/** OpenAI's names by their beginnings. `$1`, where there is one, is the block's number; a ResNet's stages count from 1. */
const PARTS: readonly (readonly [RegExp, Tower, ParameterPart["part"]])[] = [
  [/^visual\.(?:conv\d|bn\d|stem)\./, "vision", "stem"],
  [/^visual\.layer(\d+)\./, "vision", "blocks"],
  [/^visual\.attnpool\./, "vision", "head"],
  [/^visual\.(?:class_embedding$|positional_embedding$|ln_pre\.)/, "vision", "embeddings"],
  [/^visual\.transformer\.resblocks\.(\d+)\./, "vision", "blocks"],
  [/^visual\.(?:ln_post\.|proj$)/, "vision", "head"],
  [/^(?:token_embedding\.|positional_embedding$)/, "text", "embeddings"],
  [/^transformer\.resblocks\.(\d+)\./, "text", "blocks"],
  [/^(?:ln_final\.|text_projection(?:_bias)?$)/, "text", "head"],
  [/^(?:prompt_features|prompt_context)$/, "text", "head"],
];

/**
 * Part of a parameter of `Parameters` or `parameterShapes`; null for logit scale and bias and for batch statistics, none
 * of which is trained.
 */
export function partOf(name: string): ParameterPart | null {
  if (isBatchStatistic(name)) return null;
  for (const [pattern, tower, part] of PARTS) {
    const found = pattern.exec(name);
    if (found === null) continue;
    const first = name.startsWith("visual.layer") ? 1 : 0;
    return { tower, part, block: found[1] === undefined ? null : Number(found[1]) - first };
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
