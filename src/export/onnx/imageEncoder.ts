import {
  type PixelStatistics,
  pixelsOf,
  type StemStage,
  type VisionTransformer,
} from "../../model/architecture/architecture.js";
import { LAYER_NORM_EPSILON } from "../../model/layers.js";
import { PIXELS } from "../../model/vision/patches.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";
import { OnnxLayers } from "./layers.js";
import type { TowerWeights } from "./towerWeights.js";

/** Pixels as encoders read them: [n, 3, side, side], RGB, 0 to 1 → the same shape, normalized. */
export function normalizedPixels(graph: GraphBuilder, crops: Value, statistics: PixelStatistics): Value {
  const { mean, std } = PIXELS[statistics];
  const channels = (name: string, values: readonly number[]) =>
    graph.floats(name, { shape: [1, 3, 1, 1], values: Float32Array.from(values) });
  const centered = graph.op("Sub", [crops, channels("pixel_mean", mean)]);
  return graph.op("Div", [centered, channels("pixel_std", std)]);
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
  readonly #layers: OnnxLayers;

  constructor(
    private readonly graph: GraphBuilder,
    private readonly vision: VisionTransformer,
    private readonly weights: TowerWeights,
  ) {
    this.#tokens = (vision.imageSize / vision.patchSize) ** 2 + 1;
    this.#layers = new OnnxLayers(graph, weights, { ...vision, tokens: this.#tokens, epsilon: LAYER_NORM_EPSILON });
  }

  features(crops: Value): Value {
    const { graph, vision } = this;
    const rows = this.#layers.blocks(this.#embed(this.#stem(normalizedPixels(graph, crops, pixelsOf(vision)))));
    const apart = graph.op("Reshape", [rows, graph.ints([-1, this.#tokens, vision.width])]);
    const classTokens = graph.op("Gather", [apart, graph.int(0)], { axis: 1 }); // [n, width]
    const pooled = this.#layers.norm("visual.ln_post", classTokens);
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
      const normed = this.#layers.norm(`${name}.norm`, channelsLast);
      const activated = level === stages.length - 1 ? normed : this.#layers.activated(normed, "gelu");
      return graph.op("Transpose", [activated], { perm: [0, 3, 1, 2] });
    }, pixels);
  }

  /** The class token before the cells, each with its position: [n, cells, width] → [n·tokens, width]. */
  #embed(cells: Value): Value {
    const { graph, vision } = this;
    const n = graph.op("Shape", [cells], { start: 0, end: 1 });
    const shape = graph.op("Concat", [n, graph.ints([1, vision.width])], { axis: 0 });
    const classes = graph.op("Expand", [this.weights.floats("visual.class_embedding"), shape]);
    const tokens = graph.op("Concat", [classes, cells], { axis: 1 });
    const placed = graph.op("Add", [tokens, this.weights.floats("visual.positional_embedding")]);
    return this.#layers.norm("visual.ln_pre", graph.op("Reshape", [placed, graph.ints([-1, vision.width])]));
  }
}
