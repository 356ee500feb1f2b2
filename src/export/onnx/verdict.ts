import type { GridAxis, PromptAxis } from "../../model/prompts/promptGrid.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";
import type { OnnxValue } from "./schema.js";
import { valueInfo } from "./schema.js";

/**
 * The outputs that a graph has, from the logits of one image's crops, [n, prompts]: of the image `quality` (a number),
 * `levels`, `scene`, `distortion` (probabilities; those that the prompts ask for) and `joint`; the same of each crop by
 * itself as `crop_quality` and so on, with n first. Of the image: logits averaged over the crops, then one softmax.
 */
export function addVerdict(graph: GraphBuilder, logits: Value, axes: readonly GridAxis[]): OnnxValue[] {
  const image = graph.op("ReduceMean", [logits, graph.ints([0])], { keepdims: 1 }); // [1, prompts]
  return [...outputs(graph, image, axes, "image"), ...outputs(graph, logits, axes, "crops")];
}

/** What an axis's probabilities are called among the outputs. */
const OUTPUT_NAMES: Readonly<Record<PromptAxis, string>> = {
  quality: "levels",
  scene: "scene",
  distortion: "distortion",
};

function outputs(graph: GraphBuilder, logits: Value, axes: readonly GridAxis[], of: "image" | "crops"): OnnxValue[] {
  const sizes = axes.map(({ labels }) => labels.length);
  const prefix = of === "image" ? "" : "crop_";
  const leading = of === "image" ? [] : ["crops"];
  /** A result with its leading axis: an image's has one entry there, which goes. */
  const give = (name: string, shape: readonly number[], value: Value, text: string): OnnxValue => {
    const target = graph.ints(of === "image" ? shape : [-1, ...shape]);
    graph.named(`${prefix}${name}`, "Reshape", [value, target]);
    return valueInfo(`${prefix}${name}`, "FLOAT", [...leading, ...shape], text);
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
    return [give("quality", [], mean, `1 to ${labels.length}, higher is better`)];
  });
  return [
    ...quality,
    ...marginals.map(({ axis, labels, marginal }) =>
      give(OUTPUT_NAMES[axis], [labels.length], marginal, `probabilities of ${labels.join(", ")}`),
    ),
    give("joint", sizes, probabilities, `probabilities of ${axes.map(({ axis }) => axis).join(" x ")}; they sum to 1`),
  ];
}
