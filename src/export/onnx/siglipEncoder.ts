import { pixelsOf, type SiglipVision } from "../../model/architecture/architecture.js";
import { SIGLIP_EPSILON } from "../../model/layers.js";
import { SIGLIP_PROBE, VIT_POSITIONS } from "../../model/parameters/shapes.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";
import { normalizedPixels, unitRows } from "./imageEncoder.js";
import { OnnxLayers } from "./layers.js";
import type { TowerWeights } from "./towerWeights.js";

/**
 * SigLIP's image encoder as ONNX operations, the same as `encodeSiglip`: crops [n, 3, side, side], RGB, 0 to 1 → features
 * [n, embedding], unit rows. Weights have the names and layouts of `parameterShapes`.
 */
export class OnnxSiglip {
  readonly #tokens: number;
  readonly #layers: OnnxLayers;

  constructor(
    private readonly graph: GraphBuilder,
    private readonly vision: SiglipVision,
    private readonly weights: TowerWeights,
  ) {
    this.#tokens = (vision.imageSize / vision.patchSize) ** 2;
    this.#layers = new OnnxLayers(graph, weights, { ...vision, tokens: this.#tokens, epsilon: SIGLIP_EPSILON });
  }

  features(crops: Value): Value {
    const { graph, vision } = this;
    const states = this.#layers.blocks(this.#embed(normalizedPixels(graph, crops, pixelsOf(vision))));
    const gathered = this.#pool(this.#layers.norm("visual.ln_post", states));
    const added = this.#layers.feedForward(
      "visual.attnpool.mlp",
      this.#layers.norm("visual.attnpool.ln_mlp", gathered),
    );
    return unitRows(graph, graph.op("Add", [gathered, added]));
  }

  /** Patches with their places: [n, 3, side, side] → [n·tokens, width]. */
  #embed(pixels: Value): Value {
    const { graph, vision } = this;
    const strides = [vision.patchSize, vision.patchSize];
    const kernel = [this.weights.weight("visual.conv1.weight"), this.weights.floats("visual.conv1.bias")];
    const cells = graph.op("Conv", [pixels, ...kernel], { strides, kernel_shape: strides }); // [n, width, h, w]
    const flat = graph.op("Reshape", [cells, graph.ints([0, vision.width, -1])]);
    const tokens = graph.op("Transpose", [flat], { perm: [0, 2, 1] });
    const placed = graph.op("Add", [tokens, this.weights.floats(VIT_POSITIONS)]);
    return graph.op("Reshape", [placed, graph.ints([-1, vision.width])]);
  }

  /** Attention of the learned query to each crop's tokens: [n·tokens, width] → [n, width]. */
  #pool(states: Value): Value {
    const { graph, vision } = this;
    const { width, heads } = vision;
    const depth = width / heads;
    const name = "visual.attnpool.attn";
    const matrices = graph.op("Reshape", [
      this.weights.weight(`${name}.in_proj_weight`),
      graph.ints([3, width, width]),
    ]);
    const shifts = graph.op("Reshape", [this.weights.floats(`${name}.in_proj_bias`), graph.ints([3, width])]);
    const [[q, k, v], [qShift, kShift, vShift]] = [graph.thirds(matrices), graph.thirds(shifts)];
    const project = (rows: Value, matrix: Value, shift: Value) =>
      graph.op("Gemm", [rows, matrix, shift], { transB: 1 });
    const byHead = (rows: Value, count: number) =>
      graph.op("Transpose", [graph.op("Reshape", [rows, graph.ints([-1, count, heads, depth])])], {
        perm: [0, 2, 1, 3],
      });
    const probe = graph.op("Reshape", [this.weights.floats(SIGLIP_PROBE), graph.ints([1, width])]);
    const query = graph.op("Mul", [byHead(project(probe, q, qShift), 1), graph.float(1 / Math.sqrt(depth))]); // [1, heads, 1, d]
    const keys = graph.op("Transpose", [byHead(project(states, k, kShift), this.#tokens)], { perm: [0, 1, 3, 2] });
    const seen = graph.op("Softmax", [graph.op("MatMul", [query, keys])], { axis: -1 }); // [n, heads, 1, tokens]
    const gathered = graph.op("MatMul", [seen, byHead(project(states, v, vShift), this.#tokens)]);
    const rows = graph.op("Reshape", [gathered, graph.ints([-1, width])]);
    return this.weights.linear(`${name}.out_proj.weight`, `${name}.out_proj.bias`, rows);
  }
}
