import type { StemStage, VisionTransformer } from "../../model/architecture/architecture.js";
import { LAYER_NORM_EPSILON, QUICK_GELU_SLOPE } from "../../model/layers.js";
import { CLIP_MEAN, CLIP_STD } from "../../model/vision/patches.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";
import type { TowerWeights } from "./towerWeights.js";

/** Pixels as CLIP's encoders read them: [n, 3, side, side], RGB, 0 to 1 → the same shape, normalized. */
export function normalizedPixels(graph: GraphBuilder, crops: Value): Value {
  const channels = (name: string, values: readonly number[]) =>
    graph.floats(name, { shape: [1, 3, 1, 1], values: Float32Array.from(values) });
  const centered = graph.op("Sub", [crops, channels("pixel_mean", CLIP_MEAN)]);
  return graph.op("Div", [centered, channels("pixel_std", CLIP_STD)]);
}

/** Rows at unit length: [n, embedding] → [n, embedding]. */
export function unitRows(graph: GraphBuilder, rows: Value): Value {
  const squares = graph.op("ReduceSum", [graph.op("Mul", [rows, rows]), graph.ints([1])], { keepdims: 1 });
  return graph.op("Div", [rows, graph.op("Sqrt", [squares])]);
}

/**
 * CLIP's vision transformer as ONNX operations, the same as `encodeImages`: crops [n, 3, side, side], RGB, 0 to 1 →
 * features [n, embedding], unit rows. Weights keep OpenAI's names and layouts; between blocks, states are [n·tokens, width].
 */
export class OnnxImageEncoder {
  readonly #tokens: number;

  constructor(
    private readonly graph: GraphBuilder,
    private readonly vision: VisionTransformer,
    private readonly weights: TowerWeights,
  ) {
    this.#tokens = (vision.imageSize / vision.patchSize) ** 2 + 1;
  }

  features(crops: Value): Value {
    const { graph, vision } = this;
    let rows = this.#embed(this.#stem(normalizedPixels(graph, crops)));
    for (let block = 0; block < vision.layers; block++)
      rows = this.#block(`visual.transformer.resblocks.${block}`, rows);
    const apart = graph.op("Reshape", [rows, graph.ints([-1, this.#tokens, vision.width])]);
    const classTokens = graph.op("Gather", [apart, graph.int(0)], { axis: 1 }); // [n, width]
    const pooled = this.#norm("visual.ln_post", classTokens);
    const embedded = graph.op("MatMul", [pooled, this.weights.floats("visual.proj")]);
    return unitRows(graph, embedded);
  }

  /** Pixels to cells: [n, 3, side, side] → [n, cells, width]. */
  #stem(pixels: Value): Value {
    const { graph, vision } = this;
    const cells = vision.stem === "patch" ? this.#patch(pixels) : this.#levels(pixels, vision.stem); // [n, width, h, w]
    const flat = graph.op("Reshape", [cells, graph.ints([0, vision.width, -1])]);
    return graph.op("Transpose", [flat], { perm: [0, 2, 1] });
  }

  #patch(pixels: Value): Value {
    const { patchSize } = this.vision;
    const strides = [patchSize, patchSize];
    return this.graph.op("Conv", [pixels, this.weights.weight("visual.conv1.weight")], {
      strides,
      kernel_shape: strides,
    });
  }

  /** Each level a convolution without overlap, layer norm over the channels and, but for the last, GELU. */
  #levels(pixels: Value, stages: readonly StemStage[]): Value {
    const { graph } = this;
    return stages.reduce((x, { stride }, level) => {
      const name = `visual.stem.${level}`;
      const strides = [stride, stride];
      const kernel = [this.weights.weight(`${name}.weight`), this.weights.floats(`${name}.bias`)];
      const mapped = graph.op("Conv", [x, ...kernel], { strides, kernel_shape: strides });
      const channelsLast = graph.op("Transpose", [mapped], { perm: [0, 2, 3, 1] });
      const normed = this.#norm(`${name}.norm`, channelsLast);
      const activated = level === stages.length - 1 ? normed : this.#gelu(normed);
      return graph.op("Transpose", [activated], { perm: [0, 3, 1, 2] });
    }, pixels);
  }

  #quickGelu(x: Value): Value {
    const { graph } = this;
    const gate = graph.op("Sigmoid", [graph.op("Mul", [x, graph.float(QUICK_GELU_SLOPE)])]);
    return graph.op("Mul", [x, gate]);
  }

  /** x·Φ(x), by `Erf`: the operator `Gelu` is of a later set than all others here, and runtimes put it together again. */
  #gelu(x: Value): Value {
    const { graph } = this;
    const erf = graph.op("Erf", [graph.op("Mul", [x, graph.float(Math.SQRT1_2)])]);
    const half = graph.op("Mul", [x, graph.float(0.5)]);
    return graph.op("Mul", [half, graph.op("Add", [erf, graph.float(1)])]);
  }

  /** The class token before the cells, each with its position: [n, cells, width] → [n·tokens, width]. */
  #embed(cells: Value): Value {
    const { graph, vision } = this;
    const n = graph.op("Shape", [cells], { start: 0, end: 1 });
    const shape = graph.op("Concat", [n, graph.ints([1, vision.width])], { axis: 0 });
    const classes = graph.op("Expand", [this.weights.floats("visual.class_embedding"), shape]);
    const tokens = graph.op("Concat", [classes, cells], { axis: 1 });
    const placed = graph.op("Add", [tokens, this.weights.floats("visual.positional_embedding")]);
    return this.#norm("visual.ln_pre", graph.op("Reshape", [placed, graph.ints([-1, vision.width])]));
  }

  #block(name: string, rows: Value): Value {
    const { graph } = this;
    const qkv = this.weights.linear(
      `${name}.attn.in_proj_weight`,
      `${name}.attn.in_proj_bias`,
      this.#norm(`${name}.ln_1`, rows),
    );
    const out = `${name}.attn.out_proj`;
    const attended = graph.op("Add", [rows, this.weights.linear(`${out}.weight`, `${out}.bias`, this.#attend(qkv))]);
    const normed = this.#norm(`${name}.ln_2`, attended);
    const hidden = this.weights.linear(`${name}.mlp.c_fc.weight`, `${name}.mlp.c_fc.bias`, normed);
    const activated = this.vision.activation === "gelu" ? this.#gelu(hidden) : this.#quickGelu(hidden);
    return graph.op("Add", [
      attended,
      this.weights.linear(`${name}.mlp.c_proj.weight`, `${name}.mlp.c_proj.bias`, activated),
    ]);
  }

  /** softmax(q·kᵀ/√d)·v within each crop: [n·tokens, 3·width] → [n·tokens, width]. */
  #attend(qkv: Value): Value {
    const { graph, vision } = this;
    const depth = vision.width / vision.heads;
    const apart = graph.op("Reshape", [qkv, graph.ints([-1, this.#tokens, 3, vision.heads, depth])]);
    const [q, k, v] = graph.thirds(graph.op("Transpose", [apart], { perm: [2, 0, 3, 1, 4] })); // [n, heads, tokens, depth]
    const scaled = graph.op("Mul", [q, graph.float(1 / Math.sqrt(depth))]);
    const scores = graph.op("MatMul", [scaled, graph.op("Transpose", [k], { perm: [0, 1, 3, 2] })]);
    const gathered = graph.op("MatMul", [graph.op("Softmax", [scores], { axis: -1 }), v]);
    const together = graph.op("Transpose", [gathered], { perm: [0, 2, 1, 3] });
    return graph.op("Reshape", [together, graph.ints([-1, vision.width])]);
  }

  #norm(name: string, x: Value): Value {
    const input = [x, this.weights.floats(`${name}.weight`), this.weights.floats(`${name}.bias`)];
    return this.graph.op("LayerNormalization", input, { axis: -1, epsilon: { float: LAYER_NORM_EPSILON } });
  }
}
