import { pixelsOf, type ResNet, RESNET_REDUCTION, resNetOutput } from "../../model/architecture/architecture.js";
import { RESNET_POSITIONS } from "../../model/parameters/shapes.js";
import { BATCH_NORM_EPSILON, bottlenecks } from "../../model/vision/resnet.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";
import type { TowerWeights } from "./towerWeights.js";
import { normalizedPixels, unitRows } from "./imageEncoder.js";

/** Sides of a convolution's kernel and of its steps. */
interface Steps {
  readonly kernel: 1 | 3;
  readonly stride?: 1 | 2;
}

/**
 * CLIP's modified ResNet as ONNX operations, the same as `encodeResNet`: crops [n, 3, side, side], RGB, 0 to 1 → features
 * [n, embedding], unit rows. Weights keep OpenAI's names and layouts, pictures are [n, channels, side, side].
 */
export class OnnxResNet {
  constructor(
    private readonly graph: GraphBuilder,
    private readonly vision: ResNet,
    private readonly weights: TowerWeights,
  ) {}

  features(crops: Value): Value {
    const stem = this.#pool(
      [1, 2, 3].reduce(
        (x, i) => this.#relu(this.#conv(`visual.conv${i}`, `visual.bn${i}`, x, { kernel: 3, stride: i === 1 ? 2 : 1 })),
        normalizedPixels(this.graph, crops, pixelsOf(this.vision)),
      ),
    );
    const pictures = bottlenecks(this.vision).reduce((x, block) => this.#bottleneck(x, block), stem);
    return unitRows(this.graph, this.#attend(pictures));
  }

  #bottleneck(x: Value, { name, stride, hasShortcut }: ReturnType<typeof bottlenecks>[number]): Value {
    const path = `visual.${name}`;
    const smaller = (picture: Value) => (stride === 1 ? picture : this.#pool(picture));
    const narrow = this.#relu(this.#conv(`${path}.conv1`, `${path}.bn1`, x, { kernel: 1 }));
    const seen = smaller(this.#relu(this.#conv(`${path}.conv2`, `${path}.bn2`, narrow, { kernel: 3 })));
    const residual = this.#conv(`${path}.conv3`, `${path}.bn3`, seen, { kernel: 1 });
    const kept = hasShortcut
      ? this.#conv(`${path}.downsample.0`, `${path}.downsample.1`, smaller(x), { kernel: 1 })
      : x;
    return this.#relu(this.graph.op("Add", [residual, kept]));
  }

  /** A convolution that keeps the side but for its stride, and its norm. */
  #conv(name: string, norm: string, x: Value, { kernel, stride = 1 }: Steps): Value {
    const weight = this.weights.weight(`${name}.weight`);
    const edge = (kernel - 1) / 2;
    const mapped = this.graph.op("Conv", [x, weight], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [edge, edge, edge, edge],
    });
    const parts = ["weight", "bias", "running_mean", "running_var"].map((part) =>
      this.weights.floats(`${norm}.${part}`),
    );
    return this.graph.op("BatchNormalization", [mapped, ...parts], { epsilon: { float: BATCH_NORM_EPSILON } });
  }

  #relu(x: Value): Value {
    return this.graph.op("Relu", [x]);
  }

  #pool(x: Value): Value {
    return this.graph.op("AveragePool", [x], { kernel_shape: [2, 2], strides: [2, 2] });
  }

  /** Attention of the mean over a picture to its places and itself: [n, width, side, side] → [n, embedding]. */
  #attend(pictures: Value): Value {
    const { graph, vision } = this;
    const [width, heads] = [resNetOutput(vision), vision.heads];
    const tokens = (vision.imageSize / RESNET_REDUCTION) ** 2 + 1;
    const flat = graph.op("Reshape", [pictures, graph.ints([0, width, tokens - 1])]);
    const places = graph.op("Transpose", [flat], { perm: [0, 2, 1] }); // [n, places, width]
    const mean = graph.op("ReduceMean", [places], { axes: [1], keepdims: 1 });
    const all = graph.op("Concat", [mean, places], { axis: 1 });
    const placed = graph.op("Add", [all, this.weights.floats(RESNET_POSITIONS)]);
    const rows = graph.op("Reshape", [placed, graph.ints([-1, width])]);
    const first = graph.op("Gather", [placed, graph.int(0)], { axis: 1 }); // [n, width]
    const byHead = (x: Value, count: number) =>
      graph.op("Transpose", [graph.op("Reshape", [x, graph.ints([-1, count, heads, width / heads])])], {
        perm: [0, 2, 1, 3],
      });
    const query = graph.op("Mul", [byHead(this.#pooled("q_proj", first), 1), graph.float(Math.sqrt(heads / width))]);
    const keys = graph.op("Transpose", [byHead(this.#pooled("k_proj", rows), tokens)], { perm: [0, 1, 3, 2] });
    const weights = graph.op("Softmax", [graph.op("MatMul", [query, keys])], { axis: -1 }); // [n, heads, 1, tokens]
    const gathered = graph.op("MatMul", [weights, byHead(this.#pooled("v_proj", rows), tokens)]);
    return this.#pooled("c_proj", graph.op("Reshape", [gathered, graph.ints([-1, width])]));
  }

  #pooled(name: string, rows: Value): Value {
    const path = `visual.attnpool.${name}`;
    return this.weights.linear(`${path}.weight`, `${path}.bias`, rows);
  }
}
