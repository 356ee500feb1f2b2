import type { VisionArchitecture } from "../../model/architecture/architecture.js";
import { LARGE_STRIDE, LARGE_STRIDE_FROM, STRIDE } from "../../model/preprocess/crops.js";
import type { TaskAxis, Task } from "../../model/prompts/promptGrid.js";
import { describeExport } from "../describeExport.js";
import type { ExportSource, Storage } from "../exportFormat.js";
import { GOLDEN_CROPS } from "../golden/goldenScores.js";
import { GraphBuilder, type Value, valueInfo } from "./graphBuilder.js";
import { OnnxImageEncoder } from "./imageEncoder.js";
import { OnnxSiglip } from "./siglipEncoder.js";
import { OnnxResNet } from "./resnetEncoder.js";
import { addReduction } from "./reduction.js";
import { ONNX_TYPES, type OnnxModel, type OnnxValue } from "./schema.js";
import { TowerWeights } from "./towerWeights.js";

/**
 * Lowest operator set that the graphs can do with, since later ones exclude older runtimes: `LayerNormalization` came with
 * it (2022), all other operations before.
 */
const OPSET = 17;
/** Version of the file's form that came with operator set 17. */
const IR_VERSION = 8;

/** Key of the manifest, without checksums and training, in a model's metadata. */
export const METADATA_KEY = "liqe";

type OnnxInput = "crops" | "image";

/** The image encoder with the prompts' features as one ONNX model. Borrows the source's weights. */
export function buildModel(input: OnnxInput, source: ExportSource, storage: Storage): OnnxModel {
  const { architecture, weights, grid, promptFeatures, packageVersion } = source;
  const { manifestVersion, model, prompts, preprocessing, score } = describeExport("onnx", storage, source);
  const graph = new GraphBuilder(storage);
  const side = architecture.vision.imageSize;
  const crops = input === "crops" ? "crops" : addWindows(graph, addReduction(graph, "image"), side);
  const { vision } = architecture;
  const tower = new TowerWeights(graph, weights);
  const features = encoderOf(graph, vision, tower).features(crops);
  const shape = [grid.prompts.length, architecture.embedding];
  const bank = graph.floats("prompt_features", { shape, values: promptFeatures });
  const cosines = graph.op("Gemm", [features, bank], { transB: 1 }); // [n, prompts]
  const logits = graph.op("Mul", [cosines, graph.float(model.logitScale)]);
  const output = addPosterior(graph, logits, grid.axes);
  return {
    irVersion: IR_VERSION,
    producerName: "liqe-train",
    producerVersion: packageVersion,
    opsetImport: [{ domain: "", version: OPSET }],
    metadataProps: [
      {
        key: METADATA_KEY,
        value: JSON.stringify({ manifestVersion, dtype: storage.dtype, model, prompts, preprocessing, score }),
      },
    ],
    graph: {
      name: `liqe_${input}`,
      docString: "",
      node: graph.nodes,
      initializer: graph.initializers,
      input: [INPUTS[input](side)],
      output,
    },
  };
}

function encoderOf(graph: GraphBuilder, vision: VisionArchitecture, tower: TowerWeights) {
  if (vision.kind === "resnet") return new OnnxResNet(graph, vision, tower);
  return vision.kind === "siglip" ? new OnnxSiglip(graph, vision, tower) : new OnnxImageEncoder(graph, vision, tower);
}

const INPUTS = {
  crops: (side: number) =>
    valueInfo(
      "crops",
      { type: "FLOAT", axes: ["crops", 3, side, side] },
      "crops of one image, RGB, 0 to 1, not normalized",
    ),
  image: (side: number) =>
    valueInfo("image", { type: "UINT8", axes: ["rows", "cols", 3] }, `RGB, 0 to 255, sides of ${side} or more`),
};

/** A place larger than that of any pixel: the runtime refuses to read there. */
const OUTSIDE = 2 ** 40;

/**
 * Crops of `evaluationWindows`: [rows, cols, 3], whole numbers, `window` or more a side → [n, 3, window, window],
 * float32, 0 to 1.
 */
export function addWindows(graph: GraphBuilder, image: Value, window: number): Value {
  const rows = graph.op("Squeeze", [graph.op("Shape", [image], { start: 0, end: 1 }), graph.ints([0])]);
  const cols = graph.op("Squeeze", [graph.op("Shape", [image], { start: 1, end: 2 }), graph.ints([0])]);
  const size = { rows, cols, window };
  const { top, left } = corners(graph, size);
  const along = graph.op("Range", [graph.int(0), graph.int(window), graph.int(1)]); // [window]
  const down = graph.op("Add", [graph.op("Unsqueeze", [top, graph.ints([1])]), along]); // [n, window]
  const across = graph.op("Add", [graph.op("Unsqueeze", [left, graph.ints([1])]), along]); // [n, window]
  const rowStarts = graph.op("Mul", [graph.op("Unsqueeze", [down, graph.ints([2])]), cols]); // [n, window, 1]
  const places = graph.op("Add", [rowStarts, graph.op("Unsqueeze", [across, graph.ints([1])])]); // [n, window, window]
  const pixels = graph.op("Reshape", [image, graph.ints([-1, 3])]);
  const windows = graph.op("Gather", [pixels, refusingSmall(graph, size, places)], { axis: 0 });
  const levels = graph.op("Cast", [windows], { to: ONNX_TYPES.FLOAT });
  const unit = graph.op("Div", [levels, graph.float(255)]);
  return graph.op("Transpose", [unit], { perm: [0, 3, 1, 2] });
}

/** Sides of an image, and of its windows. */
type Size = { readonly rows: Value; readonly cols: Value; readonly window: number };

/** Upper left corners of the windows, [n] each. */
function corners(graph: GraphBuilder, { rows, cols, window }: Size): { top: Value; left: Value } {
  const isLarge = graph.op("GreaterOrEqual", [graph.op("Max", [rows, cols]), graph.int(LARGE_STRIDE_FROM)]);
  const stride = graph.op("Where", [isLarge, graph.int(LARGE_STRIDE), graph.int(STRIDE)]);
  const positions = (side: Value) => {
    const room = graph.op("Sub", [side, graph.int(window)]);
    return graph.op("Add", [graph.op("Div", [room, stride]), graph.int(1)]);
  };
  const columns = positions(cols);
  const count = graph.op("Mul", [positions(rows), columns]);
  const crops = graph.op("Min", [count, graph.int(GOLDEN_CROPS)]);
  const step = graph.op("Max", [graph.op("Div", [count, graph.int(GOLDEN_CROPS)]), graph.int(1)]);
  const index = graph.op("Mul", [graph.op("Range", [graph.int(0), crops, graph.int(1)]), step]); // [n]
  return {
    top: graph.op("Mul", [graph.op("Div", [index, columns]), stride]),
    left: graph.op("Mul", [graph.op("Mod", [index, columns]), stride]),
  };
}

/** Places outside of the image where a side is too small, as a window would continue in the next row. */
function refusingSmall(graph: GraphBuilder, { rows, cols, window }: Size, places: Value): Value {
  const isSmall = graph.op("Less", [graph.op("Min", [rows, cols]), graph.int(window)]);
  return graph.op("Add", [places, graph.op("Where", [isSmall, graph.int(OUTSIDE), graph.int(0)])]);
}

/**
 * Outputs of a graph, from the logits of one image's crops, [n, prompts]: of the image `quality` (a number), `levels`,
 * `scene`, `distortion` (probabilities of the prompts' axes) and `joint`; the same of each crop by itself as
 * `crop_quality` and so on, with n first. The image's are by logits averaged over the crops, then one softmax.
 */
function addPosterior(graph: GraphBuilder, logits: Value, axes: readonly TaskAxis[]): OnnxValue[] {
  const crops = graph.op("Cast", [graph.op("Shape", [logits], { start: 0, end: 1 })], { to: ONNX_TYPES.FLOAT }); // [1]
  const sum = graph.op("ReduceSum", [logits, graph.ints([0])], { keepdims: 1 });
  const image = graph.op("Div", [sum, crops]); // [1, prompts]
  return [...outputs(graph, { of: "image", logits: image }, axes), ...outputs(graph, { of: "crops", logits }, axes)];
}

/** Names of the outputs with an axis's probabilities. */
export const OUTPUT_NAMES: Readonly<Record<Task, string>> = {
  quality: "levels",
  scene: "scene",
  distortion: "distortion",
};

type ScoredLogits = { readonly of: "image" | "crops"; readonly logits: Value };

function outputs(graph: GraphBuilder, { of, logits }: ScoredLogits, axes: readonly TaskAxis[]): OnnxValue[] {
  const sizes = axes.map(({ labels }) => labels.length);
  const prefix = of === "image" ? "" : "crop_";
  const leading = of === "image" ? [] : ["crops"];
  /** An output; an image's loses the leading axis, which has one entry. */
  const give = (value: Value, { name, shape }: { name: string; shape: readonly number[] }, text: string): OnnxValue => {
    const target = graph.ints(of === "image" ? shape : [-1, ...shape]);
    graph.named(`${prefix}${name}`, "Reshape", [value, target]);
    return valueInfo(`${prefix}${name}`, { type: "FLOAT", axes: [...leading, ...shape] }, text);
  };
  const probabilities = graph.op("Softmax", [logits], { axis: -1 });
  const joint = graph.op("Reshape", [probabilities, graph.ints([-1, ...sizes])]);
  const marginals = axes.map(({ axis, labels }, i) => {
    const others = axes.flatMap((_, j) => (j === i ? [] : [j + 1])); // + 1 skips the crops
    const marginal = others.length === 0 ? joint : graph.op("ReduceSum", [joint, graph.ints(others)], { keepdims: 0 });
    return { axis, labels, marginal };
  });
  const quality = marginals.flatMap(({ axis, labels, marginal }) => {
    if (axis !== "quality") return [];
    const levels = Float32Array.from(labels, (_, level) => level + 1);
    const name = `level_scores.${of}`;
    const mean = graph.op("MatMul", [marginal, graph.floats(name, { shape: [levels.length, 1], values: levels })]);
    return [give(mean, { name: "quality", shape: [] }, `1 to ${labels.length}, higher is better`)];
  });
  return [
    ...quality,
    ...marginals.map(({ axis, labels, marginal }) =>
      give(marginal, { name: OUTPUT_NAMES[axis], shape: [labels.length] }, `probabilities of ${labels.join(", ")}`),
    ),
    give(
      probabilities,
      { name: "joint", shape: sizes },
      `probabilities of ${axes.map(({ axis }) => axis).join(" x ")}; they sum to 1`,
    ),
  ];
}
