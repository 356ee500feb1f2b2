import type { NamedArray, NamedArrays } from "../../model/parameters/parameters.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";

/** Weights of a tower as constants of a graph, under OpenAI's names. */
export class TowerWeights {
  constructor(
    private readonly graph: GraphBuilder,
    private readonly arrays: NamedArrays,
  ) {}

  /** A large weight, stored as the export asks for. */
  weight(name: string): Value {
    return this.graph.weight(name, this.#array(name));
  }

  /** A small one, or one whose rounding would show: float32. */
  floats(name: string): Value {
    return this.graph.floats(name, this.#array(name));
  }

  /** x·Wᵀ + b over rows. */
  linear(weight: string, bias: string, rows: Value): Value {
    return this.graph.op("Gemm", [rows, this.weight(weight), this.floats(bias)], { transB: 1 });
  }

  #array(name: string): NamedArray {
    const array = this.arrays.get(name);
    if (array === undefined) throw new Error(`internal: onnx: there is no weight ${name}`);
    return array;
  }
}
