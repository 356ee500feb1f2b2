import type { Activation } from "../../model/architecture/architecture.js";
import { GELU_TANH, QUICK_GELU_SLOPE } from "../../model/layers.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";
import type { TowerWeights } from "./towerWeights.js";

/** Sizes of an image tower's transformer. */
interface Stack {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly activation: Activation;
  /** Tokens of one crop. */
  readonly tokens: number;
  /** Constant inside the square root of its layer norms. */
  readonly epsilon: number;
}

/** Layers of an image tower as ONNX operations; between them, states are [n·tokens, width]. */
export class OnnxLayers {
  constructor(
    private readonly graph: GraphBuilder,
    private readonly weights: TowerWeights,
    private readonly stack: Stack,
  ) {}

  /** All blocks. */
  blocks(rows: Value): Value {
    let states = rows;
    for (let block = 0; block < this.stack.layers; block++)
      states = this.#block(`visual.transformer.resblocks.${block}`, states);
    return states;
  }

  /** Layer norm over the last axis. */
  norm(name: string, x: Value): Value {
    const input = [x, this.weights.floats(`${name}.weight`), this.weights.floats(`${name}.bias`)];
    return this.graph.op("LayerNormalization", input, { axis: -1, epsilon: { float: this.stack.epsilon } });
  }

  /** The tower's activation, or another one. */
  activated(x: Value, activation: Activation = this.stack.activation): Value {
    if (activation === "gelu") return this.#gelu(x);
    return activation === "gelu-tanh" ? this.#geluTanh(x) : this.#quickGelu(x);
  }

  /** The feed-forward layers of a part of the tower. */
  feedForward(name: string, rows: Value): Value {
    const hidden = this.weights.linear(`${name}.c_fc.weight`, `${name}.c_fc.bias`, rows);
    return this.weights.linear(`${name}.c_proj.weight`, `${name}.c_proj.bias`, this.activated(hidden));
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

  /** ½·x·(1 + tanh(c·x·(1 + k·x²))). */
  #geluTanh(x: Value): Value {
    const { graph } = this;
    const grown = graph.op("Add", [graph.op("Mul", [graph.op("Mul", [x, x]), graph.float(GELU_TANH.cubic)]), graph.float(1)]); // prettier-ignore
    const inner = graph.op("Mul", [graph.op("Mul", [x, graph.float(GELU_TANH.factor)]), grown]);
    const half = graph.op("Mul", [x, graph.float(0.5)]);
    return graph.op("Mul", [half, graph.op("Add", [graph.op("Tanh", [inner]), graph.float(1)])]);
  }

  #block(name: string, rows: Value): Value {
    const { graph } = this;
    const qkv = this.weights.linear(
      `${name}.attn.in_proj_weight`,
      `${name}.attn.in_proj_bias`,
      this.norm(`${name}.ln_1`, rows),
    );
    const out = `${name}.attn.out_proj`;
    const attended = graph.op("Add", [rows, this.weights.linear(`${out}.weight`, `${out}.bias`, this.#attend(qkv))]);
    return graph.op("Add", [attended, this.feedForward(`${name}.mlp`, this.norm(`${name}.ln_2`, attended))]);
  }

  /** softmax(q·kᵀ/√d)·v within each crop: [n·tokens, 3·width] → [n·tokens, width]. */
  #attend(qkv: Value): Value {
    const { graph } = this;
    const { width, heads, tokens } = this.stack;
    const depth = width / heads;
    const apart = graph.op("Reshape", [qkv, graph.ints([-1, tokens, 3, heads, depth])]);
    const [q, k, v] = graph.thirds(graph.op("Transpose", [apart], { perm: [2, 0, 3, 1, 4] })); // [n, heads, tokens, depth]
    const scaled = graph.op("Mul", [q, graph.float(1 / Math.sqrt(depth))]);
    const scores = graph.op("MatMul", [scaled, graph.op("Transpose", [k], { perm: [0, 1, 3, 2] })]);
    const gathered = graph.op("MatMul", [graph.op("Softmax", [scores], { axis: -1 }), v]);
    const together = graph.op("Transpose", [gathered], { perm: [0, 2, 1, 3] });
    return graph.op("Reshape", [together, graph.ints([-1, width])]);
  }
}
