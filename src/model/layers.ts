/**
 * Layers of both encoders, on matrices: rows are tokens, columns are features. They run inside the caller's tidy. Layer
 * norm has a hand-written gradient: TensorFlow.js would keep the intermediates of each of its elementwise operations.
 */
import { checkpointed } from "../engine/autodiff/checkpointed.js";
import { valueAndGradients } from "../engine/autodiff/valueAndGradients.js";
import { computedAfter } from "../engine/compile/tracing.js";
import { linear, matMul, matMulTransposed, transposedMatMul, withGradients } from "../engine/ops.js";
import * as tf from "../engine/tf.js";
import type { Activation } from "./architecture/architecture.js";
import { adaptersOfBlock, type BlockAdapters, type LowRank, plusLowRank, type TowerAdapters } from "./lowRank.js";
import type { ReadParameter } from "./parameters/parameters.js";

/** Queries, keys and values side by side, [rows, 3·width], to what each row gathers, [rows, width]. */
export type Attention = (queriesKeysValues: tf.Tensor2D) => tf.Tensor2D;

/** State that an encoder's blocks keep for the backward pass: all activations, or each block's input (checkpointing). */
export type Checkpointing = "activations" | "inputs";

interface TransformerOptions {
  readonly read: ReadParameter;
  /** Prefix of the blocks' parameters, such as `visual.transformer`. */
  readonly prefix: string;
  readonly layers: number;
  readonly attend: Attention;
  readonly activation: Activation;
  /** Constant inside the square root of layer norms; CLIP's by default. */
  readonly epsilon?: number | undefined;
  /** Selects the rows of the states that are read after the last block: [rows, width] → [selected, width]. */
  readonly select: (states: tf.Tensor2D) => tf.Tensor2D;
  /** For the backward pass; without a tape both are the same. */
  readonly keep?: Checkpointing | undefined;
  /** Adapters that `read` does not add to their matrices; none by default. */
  readonly adapters?: TowerAdapters | undefined;
}

/**
 * A stack of CLIP's residual blocks: x + attention(ln_1 x), then x + mlp(ln_2 x). The last block's output projection
 * and feed-forward part, three quarters of its work, are computed for the selected rows alone. Each block has a tidy,
 * so that at inference its intermediates are freed before the next block runs.
 * @param x  [rows, width], borrowed
 * @returns  [selected, width], given
 */
export function transformer(x: tf.Tensor2D, options: TransformerOptions): tf.Tensor2D {
  const { read, prefix, layers, select: selectLast, keep = "activations", adapters: ofTower, ...routing } = options;
  return Array.from({ length: layers }).reduce<tf.Tensor2D>((rows, _, layer) => {
    const adapters = adaptersOfBlock(ofTower, prefix, layer);
    const names = [...BLOCK_PARAMETERS, ...adapters.names];
    const parameters = names.map(blockParameters(read, prefix, layer));
    const select = layer === layers - 1 ? selectLast : (all: tf.Tensor2D) => all;
    const block = ([first, ...others]: readonly tf.Tensor[]) =>
      residualBlock(readFrom(names, others), first as tf.Tensor2D, { ...routing, adapters, select }); // the order of the inputs below
    const inputs = [rows, ...parameters];
    if (keep === "activations") return tf.tidy(() => block(inputs));
    return checkpointed(block, inputs) as tf.Tensor2D; // customGrad forgets the rank
  }, x);
}

/** Parameters of a residual block, in the order of its forward pass. */
const BLOCK_PARAMETERS = [
  "ln_1.weight",
  "ln_1.bias",
  "attn.in_proj_weight",
  "attn.in_proj_bias",
  "attn.out_proj.weight",
  "attn.out_proj.bias",
  "ln_2.weight",
  "ln_2.bias",
  "mlp.c_fc.weight",
  "mlp.c_fc.bias",
  "mlp.c_proj.weight",
  "mlp.c_proj.bias",
] as const;

/** Reads one block's parameters by the names in `BLOCK_PARAMETERS`. */
export function blockParameters(read: ReadParameter, prefix: string, layer: number): ReadParameter {
  return (part) => read(`${prefix}.resblocks.${layer}.${part}`);
}

/** Reads a block's parameters from a list in the order of their names. */
function readFrom(names: readonly string[], parameters: readonly tf.Tensor[]): ReadParameter {
  return <R extends tf.Rank>(name: string) => {
    const found = parameters[names.indexOf(name)];
    if (found === undefined) throw new Error(`internal: residualBlock: "${name}" is not among the block's parameters`);
    return found as tf.Tensor<R>; // its rank is what parameterShapes says of this name
  };
}

type Routing = Pick<TransformerOptions, "attend" | "activation" | "epsilon" | "select"> & {
  readonly adapters: BlockAdapters;
};

/** Each half has a tidy, so that one is freed before the other runs. All rows are attended to, the selected returned. */
function residualBlock(read: ReadParameter, x: tf.Tensor2D, routing: Routing): tf.Tensor2D {
  const attended = tf.tidy(() => tf.add<tf.Tensor2D>(routing.select(x), attentionSublayer(read, x, routing)));
  return tf.tidy(() => tf.add<tf.Tensor2D>(attended, feedForward(read, attended, routing)));
}

function attentionSublayer(read: ReadParameter, x: tf.Tensor2D, routing: Routing): tf.Tensor2D {
  const { attend, select, epsilon, adapters } = routing;
  const [weight, bias] = [read<tf.Rank.R2>("attn.in_proj_weight"), read<tf.Rank.R1>("attn.in_proj_bias")];
  const projection = { weight, bias, adapters: adapters.of(read, "attn.in_proj_weight") };
  const gathered = select(attend(linearOfNorm(x, normOf(read, "ln_1", epsilon), projection)));
  const output = linear(gathered, read("attn.out_proj.weight"), read("attn.out_proj.bias"));
  return plusLowRank(output, only, [gathered], adapters.of(read, "attn.out_proj.weight"));
}

/** The one input of a map. */
const only = ([x]: readonly tf.Tensor[]) => x as tf.Tensor2D; // as passed

function feedForward(
  read: ReadParameter,
  x: tf.Tensor2D,
  { activation, epsilon, adapters }: Pick<Routing, "activation" | "epsilon" | "adapters">,
): tf.Tensor2D {
  const adapted = (name: string) => ({ ...mapOf(read, name), adapters: adapters.of(read, `${name}.weight`) });
  const hidden = linearOfNorm(x, normOf(read, "ln_2", epsilon), adapted("mlp.c_fc"));
  return linearOfActivation(hidden, adapted("mlp.c_proj"), activation);
}

/** A linear map by its name. */
export function mapOf(read: ReadParameter, name: string): LinearMap {
  return { weight: read(`${name}.weight`), bias: read(`${name}.bias`) };
}

type Norm = {
  readonly gain: tf.Tensor1D;
  readonly shift: tf.Tensor1D;
  /** CLIP's by default. */
  readonly epsilon?: number | undefined;
};

/** A layer norm by its name. */
export function normOf(read: ReadParameter, name: string, epsilon?: number): Norm {
  return { gain: read(`${name}.weight`), shift: read(`${name}.bias`), epsilon };
}

/**
 * Width from which norms and activations are computed again in the backward pass instead of kept: the products' share of
 * the time grows with the width (256 wide, computing again takes 8 % of a vit-tiny step, measured), and so does memory.
 */
const COMPUTED_AGAIN_FROM = 512;

/** True where an encoder of this width keeps norms and activations for the backward pass. */
export function keepsNorms(width: number): boolean {
  return width < COMPUTED_AGAIN_FROM;
}

/** A linear map of the normalized rows; a wide encoder keeps `x` alone. */
export function linearOfNorm(x: tf.Tensor2D, { gain, shift, epsilon }: Norm, map: AdaptedMap): tf.Tensor2D {
  const norm = ([rows, g, s]: readonly tf.Tensor[]) =>
    normalized(rows as tf.Tensor2D, { gain: g as tf.Tensor1D, shift: s as tf.Tensor1D, epsilon }); // the inputs below
  return adaptedLinearOf(norm, [x, gain, shift], map, keepsNorms(x.shape[1]));
}

/** A linear map of the activated rows to the encoder's width; a wide encoder keeps `x` alone. */
export function linearOfActivation(x: tf.Tensor2D, map: AdaptedMap, activation: Activation): tf.Tensor2D {
  const op = ACTIVATION_OPS[activation];
  const activate = ([rows]: readonly tf.Tensor[]) => op(rows as tf.Tensor2D) as tf.Tensor2D; // the input below
  return adaptedLinearOf(activate, [x], map, keepsNorms(map.weight.shape[0]));
}

/** A linear map of f(inputs), and what its adapters add; `isKept`: whether the value of `f` is kept. */
function adaptedLinearOf(
  f: (inputs: readonly tf.Tensor[]) => tf.Tensor2D,
  inputs: readonly tf.Tensor[],
  map: AdaptedMap,
  isKept: boolean,
): tf.Tensor2D {
  const value = isKept ? linear(f(inputs), map.weight, map.bias) : linearOf(f, inputs, map);
  return plusLowRank(value, f, inputs, map.adapters);
}

/** QuickGELU's slope: x·σ(1.702 x) (OpenAI CLIP, model.py). */
export const QUICK_GELU_SLOPE = 1.702;

/**
 * x·σ(1.702 x), CLIP's activation: a quotient, since the engine's own sigmoid is two and a half times less exact than its
 * exponential; on the reference's step that alone doubles the error of the gradients.
 */
const quickGeluOp = withGradients((x: tf.Tensor) => {
  const divisor = tf.add(tf.exp(tf.mul(x, -QUICK_GELU_SLOPE)), 1); // 1/σ, infinite below x = −52
  const value = tf.div(x, divisor);
  // d(x·s)/dx = s + 1.702·x·s·(1 − s) = s + 1.702·y·(1 − s)
  const gradients = (dy: tf.Tensor, d: tf.Tensor, y: tf.Tensor) => {
    const s = tf.div(1, d);
    return [tf.mul(dy, tf.add(s, tf.mul(tf.mul(y, QUICK_GELU_SLOPE), tf.sub(1, s))))];
  };
  return { value, saved: [divisor, value], gradients };
});

/** x·Φ(x), the Gaussian error linear unit (arXiv 1606.08415); it keeps `x` alone. */
const geluOp = withGradients((x: tf.Tensor) => {
  const twicePhi = (at: tf.Tensor) => tf.add(tf.erf(tf.mul(at, Math.SQRT1_2)), 1); // 2·Φ
  // d(x·Φ)/dx = Φ + x·exp(−x²/2)/√(2π) = (2·Φ + x·exp(−x²/2 + ln √(2/π)))/2
  const gradients = (dy: tf.Tensor, at: tf.Tensor) => {
    const density = tf.exp(tf.add(tf.mul(tf.square(at), -0.5), LOG_TWICE_DENSITY));
    return [tf.mul(dy, tf.mul(tf.add(twicePhi(at), tf.mul(at, density)), 0.5))];
  };
  return { value: tf.mul(tf.mul(x, 0.5), twicePhi(x)), saved: [x], gradients };
});

/** Tanh form of GELU: x·Φ(x) ≈ x·σ(2·c·x·(1 + k·x²)), c = √(2/π) (arXiv 1606.08415, section 2). */
export const GELU_TANH = { factor: Math.sqrt(2 / Math.PI), cubic: 0.044715 } as const;

/** x·σ(2·c·x·(1 + k·x²)), a quotient as QuickGELU is; it keeps `x` alone. */
const geluTanhOp = withGradients((x: tf.Tensor) => {
  const { factor, cubic } = GELU_TANH;
  const divisorOf = (at: tf.Tensor) => {
    const slope = tf.add(tf.mul(tf.square(at), -2 * factor * cubic), -2 * factor);
    return tf.add(tf.exp(tf.mul(at, slope)), 1); // 1/σ, infinite far below 0
  };
  // d(x·s)/dx = s + x·s·(1 − s)·2·c·(1 + 3·k·x²)
  const gradients = (dy: tf.Tensor, at: tf.Tensor) => {
    const s = tf.div(1, divisorOf(at));
    const slope = tf.add(tf.mul(tf.square(at), 6 * factor * cubic), 2 * factor);
    return [tf.mul(dy, tf.mul(s, tf.add(tf.mul(tf.mul(at, tf.sub(1, s)), slope), 1)))];
  };
  return { value: tf.div(x, divisorOf(x)), saved: [x], gradients };
});

const ACTIVATION_OPS: Readonly<Record<Activation, (x: tf.Tensor) => tf.Tensor>> = {
  "quick-gelu": quickGeluOp,
  gelu: geluOp,
  "gelu-tanh": geluTanhOp,
};

/** Logarithm of twice the normal density's peak, √(2/π). */
const LOG_TWICE_DENSITY = Math.log(Math.sqrt(2 / Math.PI));

/**
 * Activations as folded weights have them: `into` is a factor of what goes in and `outOf` one of what comes out, which
 * the matrices around take over; `of` is what is left to compute.
 */
export const FOLDED_ACTIVATIONS: Readonly<
  Record<Activation, { into: number; outOf: number; of: (u: tf.Tensor2D) => tf.Tensor2D }>
> = {
  // u = 1.702 x; u·σ(u) = 1.702·QuickGELU(x)
  "quick-gelu": { into: QUICK_GELU_SLOPE, outOf: 1 / QUICK_GELU_SLOPE, of: (u) => tf.mul(u, tf.sigmoid(u)) },
  // u = x/√2; u·(1 + erf u) = √2·GELU(x)
  gelu: { into: Math.SQRT1_2, outOf: Math.SQRT1_2, of: (u) => tf.mul(u, tf.add(tf.erf(u), 1)) },
  // u = c·x; u·(1 + tanh(u·(1 + k/c²·u²))) = 2·c·GELU(x)
  "gelu-tanh": {
    into: GELU_TANH.factor,
    outOf: 0.5 / GELU_TANH.factor,
    of: (u) => {
      const grown = tf.add(tf.mul(tf.square(u), GELU_TANH.cubic / GELU_TANH.factor ** 2), 1);
      return tf.mul(u, tf.add(tf.tanh(tf.mul(u, grown)), 1));
    },
  },
};

/**
 * f(inputs)·Wᵀ + b for an `f` that is cheap beside the product: its value is not kept for the backward pass, which
 * computes it again. In a residual block it would be six of the seventeen states that are kept for each token.
 */
function linearOf(
  f: (inputs: readonly tf.Tensor[]) => tf.Tensor2D,
  inputs: readonly tf.Tensor[],
  { weight, bias }: LinearMap,
): tf.Tensor2D {
  const op = withGradients((w: tf.Tensor2D, b: tf.Tensor1D, ...given: tf.Tensor[]) => ({
    value: linear(f(given), w, b),
    saved: [w, ...given],
    gradients: (dy, matrix, ...again) => {
      const byValue = matMul(dy, matrix);
      const { value: x, gradients } = computedAfter(byValue, () => valueAndGradients(() => f(again), again, byValue));
      return [transposedMatMul(dy, x), tf.sum(dy, 0), ...gradients.map((gradient) => gradient ?? missing())];
    },
  }));
  return op(weight, bias, ...inputs) as tf.Tensor2D; // a matrix times a matrix
}

function missing(): never {
  throw new Error("internal: linearOf: f does not depend on all of its inputs");
}

/** Splits the leading axis of three into queries, keys and values of `shape`. */
export function splitQkv(
  x: tf.Tensor,
  shape: [number, number, number, number],
): [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D] {
  const parts = tf.split(x, 3, 0).map((part) => tf.reshape<tf.Rank.R4>(part, shape));
  return parts as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D]; // split gives as many parts as it is asked for
}

/** softmax(q·kᵀ/√d)·v for each sequence and head, every token seeing every other. */
export function selfAttention(sequences: number, heads: number): Attention {
  return (qkv) => {
    const [rows, threeWidths] = qkv.shape;
    const tokens = rows / sequences;
    const depth = threeWidths / 3 / heads;
    const apart = tf.transpose(tf.reshape(qkv, [sequences, tokens, 3, heads, depth]), [2, 0, 3, 1, 4]);
    const [q, k, v] = splitQkv(apart, [sequences, heads, tokens, depth]);
    const weights = tf.softmax(matMulTransposed(scale(q, 1 / Math.sqrt(depth)), k)); // [.., tokens, tokens]
    const gathered = tf.transpose(matMul(weights, v), [0, 2, 1, 3]); // [sequences, tokens, heads, depth]
    return tf.reshape(gathered, [rows, heads * depth]);
  };
}

/** Constant inside the square root of layer norm, as in CLIP (PyTorch's default). */
export const LAYER_NORM_EPSILON = 1e-5;

/** The same constant in SigLIP. */
export const SIGLIP_EPSILON = 1e-6;

/** Linear map in PyTorch's layout: weight [out, in], bias [out]. */
export type LinearMap = { readonly weight: tf.Tensor2D; readonly bias: tf.Tensor1D };

/** Linear map whose adapters are not added to its matrix. */
type AdaptedMap = LinearMap & { readonly adapters?: LowRank | undefined };

/** Normalizes each row to mean 0 and deviation 1, then scales and shifts, as CLIP: [rows, width] → [rows, width]. */
export function layerNorm(x: tf.Tensor2D, gain: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor2D {
  return normalized(x, { gain, shift });
}

/** `layerNorm` with the constant of its norm. */
export function normalized(x: tf.Tensor2D, { gain, shift, epsilon = LAYER_NORM_EPSILON }: Norm): tf.Tensor2D {
  return layerNormBy(epsilon)(x, gain, shift) as tf.Tensor2D; // as its input
}

const layerNormBy = (epsilon: number) =>
  withGradients((x: tf.Tensor2D, gain: tf.Tensor1D, shift: tf.Tensor1D) => {
    const centered = tf.sub<tf.Tensor2D>(x, tf.mean(x, 1, true)); // [rows, width]
    const perDeviation = inverseDeviation(centered, epsilon); // [rows, 1]
    const unit = tf.mul(centered, perDeviation); // [rows, width]
    return {
      value: tf.add(tf.mul(unit, gain), shift),
      saved: [unit, perDeviation, gain],
      gradients: (dy, n, r, g) => {
        const dn = tf.mul(dy, g); // [rows, width]
        const alongOnes = tf.mean(dn, 1, true); // [rows, 1]
        const alongNormalized = tf.mean(tf.mul(dn, n), 1, true); // [rows, 1]
        const dx = tf.mul(tf.sub(tf.sub(dn, alongOnes), tf.mul(n, alongNormalized)), r);
        return [dx, tf.sum(tf.mul(dy, n), 0), tf.sum(dy, 0)];
      },
    };
  });

/** Factors that bring rows of mean 0 to deviation 1: [rows, width] → [rows, 1]. */
export function inverseDeviation(centered: tf.Tensor2D, epsilon: number = LAYER_NORM_EPSILON): tf.Tensor2D {
  const variance = tf.mean(tf.square(centered), 1, true);
  return tf.rsqrt(tf.add<tf.Tensor2D>(variance, epsilon));
}

/** x·factor, of any shape, keeping nothing: TensorFlow.js would keep x for the gradient by the factor. */
export function scale<T extends tf.Tensor>(x: T, factor: number): T {
  const op = withGradients((input: T) => ({
    value: tf.mul(input, factor),
    saved: [],
    gradients: (dy) => [tf.mul(dy, factor)],
  }));
  return op(x) as T;
}

/** Rows at unit length, as CLIP compares them: [rows, width] → [rows, width]. */
export function l2Normalize(x: tf.Tensor2D): tf.Tensor2D {
  return tf.div<tf.Tensor2D>(x, tf.sqrt(tf.sum(tf.square(x), 1, true)));
}
