/** Names and layouts of tensors in transformers' `CLIPModel` and `SiglipModel`, and in OpenAI's state dict. */
import { concatenated } from "../../base/collections.js";
import type { NamedArray, NamedArrays } from "../parameters/parameters.js";
import { SIGLIP_LOGIT_BIAS, sizeOf } from "../parameters/shapes.js";

/**
 * Conversion of another program's tensor to OpenAI's: none, transposed, the only entry along its first axis, or the n-th
 * part of three, or both that are not the first.
 */
export type Change = "same" | "transposed" | "first of one" | 0 | 1 | 2 | "second and third";

/** Row of the table: transformers' name, OpenAI's, conversion. `#`: number of a block or of a level; `*`: weight or bias. */
type Row = readonly [theirs: string, ours: string, change: Change];

const PATCHES = "vision_model.embeddings.patch_embedding";

/** Names that both have. */
const NAMES: readonly Row[] = [
  [`${PATCHES}.*`, "visual.conv1.*", "same"],
  ["vision_model.embeddings.position_embedding.weight", "visual.positional_embedding", "same"],
  ["vision_model.post_layernorm.*", "visual.ln_post.*", "same"],
  ["text_model.embeddings.token_embedding.weight", "token_embedding.weight", "same"],
  ["text_model.embeddings.position_embedding.weight", "positional_embedding", "same"],
  ["text_model.final_layer_norm.*", "ln_final.*", "same"],
  ...blocks("vision_model", "visual.transformer"),
  ...blocks("text_model", "transformer"),
];

const CLIP_NAMES: readonly Row[] = [
  ["vision_model.embeddings.class_embedding", "visual.class_embedding", "same"],
  [`${PATCHES}.#.*`, "visual.stem.#.*", "same"], // ours: transformers has no hierarchical stem
  [`${PATCHES}.#.norm.*`, "visual.stem.#.norm.*", "same"],
  ["vision_model.pre_layrnorm.*", "visual.ln_pre.*", "same"], // the library's own spelling
  ["visual_projection.weight", "visual.proj", "transposed"],
  ["text_projection.weight", "text_projection", "transposed"],
];

const SIGLIP_NAMES: readonly Row[] = [
  ["vision_model.head.probe", "visual.attnpool.probe", "same"],
  ["vision_model.head.attention.in_proj_*", "visual.attnpool.attn.in_proj_*", "same"],
  ["vision_model.head.attention.out_proj.*", "visual.attnpool.attn.out_proj.*", "same"],
  ["vision_model.head.layernorm.*", "visual.attnpool.ln_mlp.*", "same"],
  ["vision_model.head.mlp.fc1.*", "visual.attnpool.mlp.c_fc.*", "same"],
  ["vision_model.head.mlp.fc2.*", "visual.attnpool.mlp.c_proj.*", "same"],
  ["text_model.head.weight", "text_projection", "transposed"],
  ["text_model.head.bias", "text_projection_bias", "same"],
];

function blocks(theirs: string, ours: string): Row[] {
  const parts = [
    ["layer_norm1.*", "ln_1.*", "same"],
    ["layer_norm2.*", "ln_2.*", "same"],
    ["mlp.fc1.*", "mlp.c_fc.*", "same"],
    ["mlp.fc2.*", "mlp.c_proj.*", "same"],
    ["self_attn.out_proj.*", "attn.out_proj.*", "same"],
    ["self_attn.q_proj.*", "attn.in_proj_*", 0],
    ["self_attn.k_proj.*", "attn.in_proj_*", 1],
    ["self_attn.v_proj.*", "attn.in_proj_*", 2],
  ] as const;
  return parts.map(([part, name, change]) => [
    `${theirs}.encoder.layers.#.${part}`,
    `${ours}.resblocks.#.${name}`,
    change,
  ]);
}

type Pattern = { readonly matches: RegExp; readonly to: string; readonly change: Change };

const outOf = (rows: readonly Row[]) => rows.map(([theirs, ours, change]) => patternOf(ours, theirs, change));
const TO_CLIP = outOf([...NAMES, ...CLIP_NAMES]);
const TO_SIGLIP = outOf([...NAMES, ...SIGLIP_NAMES]);

function patternOf(from: string, to: string, change: Change): Pattern {
  const source = from.replaceAll(".", "\\.").replace("#", "(?<number>\\d+)").replace("*", "(?<kind>weight|bias)");
  return {
    matches: new RegExp(`^${source}$`),
    to: to.replace("#", "$<number>").replace("*", "$<kind>"),
    change,
  };
}

/** Function of a table's rows that gives OpenAI's name of a tensor, and how its values become OpenAI's. */
export function rowsBy(rows: readonly Row[]): (name: string) => readonly [string, Change] {
  const patterns = rows.map(([theirs, ours, change]) => patternOf(theirs, ours, change));
  return (name) => {
    const known = patterns.find(({ matches }) => matches.test(name));
    return known === undefined ? [name, "same"] : [name.replace(known.matches, known.to), known.change];
  };
}

/** OpenAI's name of a tensor, and how its values become OpenAI's; an unknown name stays as it is. */
export const openAiName = rowsBy([...NAMES, ...CLIP_NAMES, ...SIGLIP_NAMES]);

/** Tensor under transformers' name; its values are made when they are asked for. */
export interface TransformersTensor {
  readonly shape: readonly number[];
  readonly values: () => Float32Array;
  /** OpenAI's name of the tensor that it is, or is a part of. */
  readonly source: string;
}

/** True for the weights of a SigLIP, under OpenAI's names. */
function isSiglip(weights: ReadonlyMap<string, unknown>): boolean {
  return weights.has(SIGLIP_LOGIT_BIAS);
}

/** True for scalars that transformers' `SiglipModel` has with an axis of 1. */
export function isLogitScalar(name: string): boolean {
  return name === "logit_scale" || name === SIGLIP_LOGIT_BIAS;
}

/**
 * Tensors under the names and in the layouts of transformers' `CLIPModel` or `SiglipModel`; those of a hierarchical stem are
 * `vision_model.embeddings.patch_embedding.<i>.{weight,bias}` and `.<i>.norm.{weight,bias}`.
 * @param weights  under OpenAI's names, borrowed
 * @returns        by name; a linear map of queries, keys and values is three, projections are [embedding, width]
 */
export function toTransformers(weights: NamedArrays): Map<string, TransformersTensor> {
  const tensors = new Map<string, TransformersTensor>();
  const patterns = isSiglip(weights) ? TO_SIGLIP : TO_CLIP;
  for (const [source, array] of weights) {
    const known = patterns.filter(({ matches }) => matches.test(source));
    const shape = isSiglip(weights) && isLogitScalar(source) ? [1] : array.shape;
    if (known.length === 0) tensors.set(source, { source, shape, values: () => array.values });
    for (const { matches, to, change } of known) {
      tensors.set(source.replace(matches, to), { source, ...converted(array, change) });
    }
  }
  return tensors;
}

/** The values are read from the array when they are asked for. */
function converted(array: NamedArray, change: Change): Omit<TransformersTensor, "source"> {
  const { shape } = array;
  const [first = 1, second = 1] = shape;
  if (change === "transposed") return { shape: [second, first], values: () => transposedValues(array.values, second) };
  if (typeof change !== "number") return { shape, values: () => array.values };
  const size = sizeOf(shape) / 3;
  const values = () => array.values.subarray(change * size, (change + 1) * size);
  return { shape: [first / 3, ...shape.slice(1)], values };
}

/**
 * Weights as their files hold them: under OpenAI's names, those of a SigLIP under transformers', since OpenAI has none.
 * @param weights  under OpenAI's names, borrowed; values are read when they are asked for
 */
export function inFileNames(weights: NamedArrays): NamedArrays {
  if (!isSiglip(weights)) return weights;
  return new Map(
    [...toTransformers(weights)].map(([name, { shape, values }]): [string, NamedArray] => [
      name,
      {
        shape,
        get values() {
          return values();
        },
      },
    ]),
  );
}

/** The opposite of `inFileNames`: values are copied where their layout is another one. */
export function inOpenAiNames(arrays: NamedArrays): NamedArrays {
  if (!isSiglip(arrays)) return arrays; // `logit_bias` is called so by both
  const parts = new Map<string, NamedArray[]>();
  for (const [name, array] of arrays) {
    const [target, change] = openAiName(name);
    const shape = isLogitScalar(name) ? [] : array.shape;
    const [rows = 0, cols = 0] = shape;
    if (change === "transposed")
      parts.set(target, [{ shape: [cols, rows], values: transposedValues(array.values, cols) }]); // prettier-ignore
    else {
      const place = parts.get(target) ?? [];
      place[typeof change === "number" ? change : 0] = { shape, values: array.values };
      parts.set(target, place);
    }
  }
  return new Map([...parts].map(([name, pieces]) => [name, stacked(pieces)]));
}

/** Arrays of one shape, one after the other along the first axis. */
function stacked(pieces: readonly NamedArray[]): NamedArray {
  const [only] = pieces;
  if (only === undefined || pieces.length === 1) return only ?? { shape: [0], values: new Float32Array() };
  const [rows = 0, ...others] = only.shape;
  const values = pieces.map((piece) => piece.values);
  return { shape: [pieces.length * rows, ...others], values: concatenated(Float32Array, values) };
}

/** [rows, cols], row-major → [cols, rows], given. */
export function transposedValues(values: Float32Array, cols: number): Float32Array<ArrayBuffer> {
  const rows = values.length / cols;
  const turned = new Float32Array(values.length);
  values.forEach((value, i) => (turned[(i % cols) * rows + Math.floor(i / cols)] = value));
  return turned;
}
