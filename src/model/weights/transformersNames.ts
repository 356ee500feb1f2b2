/** Names and layouts of CLIP's tensors in transformers' `CLIPModel`, and in OpenAI's state dict. */
import type { NamedArrays } from "../parameters/parameters.js";

/** Conversion of a Hugging Face tensor to OpenAI's: none, transposed, or the n-th part of three. */
type Change = "same" | "transposed" | 0 | 1 | 2;

/** Row of the table: transformers' name, OpenAI's, conversion. `#`: number of a block or of a level; `*`: weight or bias. */
type Row = readonly [theirs: string, ours: string, change: Change];

const PATCHES = "vision_model.embeddings.patch_embedding";

const NAMES: readonly Row[] = [
  ["vision_model.embeddings.class_embedding", "visual.class_embedding", "same"],
  [`${PATCHES}.weight`, "visual.conv1.weight", "same"],
  [`${PATCHES}.#.*`, "visual.stem.#.*", "same"], // ours: transformers has no hierarchical stem
  [`${PATCHES}.#.norm.*`, "visual.stem.#.norm.*", "same"],
  ["vision_model.embeddings.position_embedding.weight", "visual.positional_embedding", "same"],
  ["vision_model.pre_layrnorm.*", "visual.ln_pre.*", "same"], // the library's own spelling
  ["vision_model.post_layernorm.*", "visual.ln_post.*", "same"],
  ["visual_projection.weight", "visual.proj", "transposed"],
  ["text_model.embeddings.token_embedding.weight", "token_embedding.weight", "same"],
  ["text_model.embeddings.position_embedding.weight", "positional_embedding", "same"],
  ["text_model.final_layer_norm.*", "ln_final.*", "same"],
  ["text_projection.weight", "text_projection", "transposed"],
  ...blocks("vision_model", "visual.transformer"),
  ...blocks("text_model", "transformer"),
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

const TO_OPENAI: readonly Pattern[] = NAMES.map(([theirs, ours, change]) => patternOf(theirs, ours, change));
const TO_TRANSFORMERS: readonly Pattern[] = NAMES.map(([theirs, ours, change]) => patternOf(ours, theirs, change));

function patternOf(from: string, to: string, change: Change): Pattern {
  const source = from.replaceAll(".", "\\.").replace("#", "(?<number>\\d+)").replace("*", "(?<kind>weight|bias)");
  return {
    matches: new RegExp(`^${source}$`),
    to: to.replace("#", "$<number>").replace("*", "$<kind>"),
    change,
  };
}

/** OpenAI's name of a tensor, and how its values become OpenAI's; an unknown name stays as it is. */
export function openAiName(name: string): readonly [string, Change] {
  const known = TO_OPENAI.find(({ matches }) => matches.test(name));
  return known === undefined ? [name, "same"] : [name.replace(known.matches, known.to), known.change];
}

/** Tensor under transformers' name; its values are made when they are asked for. */
export interface TransformersTensor {
  readonly shape: readonly number[];
  readonly values: () => Float32Array;
  /** OpenAI's name of the tensor that it is, or is a part of. */
  readonly source: string;
}

/**
 * Tensors under the names and in the layouts of transformers' `CLIPModel`; those of a hierarchical stem are
 * `vision_model.embeddings.patch_embedding.<i>.{weight,bias}` and `.<i>.norm.{weight,bias}`.
 * @param weights  under OpenAI's names, borrowed
 * @returns        by name; a linear map of queries, keys and values is three, projections are [embedding, width]
 */
export function toTransformers(weights: NamedArrays): Map<string, TransformersTensor> {
  const tensors = new Map<string, TransformersTensor>();
  for (const [source, { shape, values }] of weights) {
    const known = TO_TRANSFORMERS.filter(({ matches }) => matches.test(source));
    if (known.length === 0) tensors.set(source, { source, shape, values: () => values });
    for (const { matches, to, change } of known) {
      tensors.set(source.replace(matches, to), { source, ...converted(shape, values, change) });
    }
  }
  return tensors;
}

function converted(shape: readonly number[], values: Float32Array, change: Change): Omit<TransformersTensor, "source"> {
  const [first = 1, second = 1] = shape;
  if (change === "same") return { shape, values: () => values };
  if (change === "transposed") return { shape: [second, first], values: () => transposedValues(values, second) };
  const size = values.length / 3;
  return { shape: [first / 3, ...shape.slice(1)], values: () => values.subarray(change * size, (change + 1) * size) };
}

/** [rows, cols], row-major → [cols, rows], given. */
export function transposedValues(values: Float32Array, cols: number): Float32Array<ArrayBuffer> {
  const rows = values.length / cols;
  const turned = new Float32Array(values.length);
  values.forEach((value, i) => (turned[(i % cols) * rows + Math.floor(i / cols)] = value));
  return turned;
}
