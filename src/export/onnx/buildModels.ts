import { describeExport, logitScaleOf } from "../describeExport.js";
import type { ExportSource } from "../exportFormat.js";
import type { ExportDtype } from "../exportManifest.js";
import { GraphBuilder } from "./graphBuilder.js";
import { OnnxImageTower } from "./imageEncoder.js";
import { addWindows } from "./imageWindows.js";
import type { OnnxModel } from "./schema.js";
import { valueInfo } from "./schema.js";
import { addVerdict } from "./verdict.js";

/** Of ONNX 1.17 (2024). `Gelu` asks for 20 at least; what came after 22 would only shut out older runtimes. */
const OPSET = 22;
const IR_VERSION = 10;

/** Under which key of a model's metadata its manifest stands, without checksums and training. */
export const METADATA_KEY = "liqe";

/** What a graph takes: one image's crops, or the image. */
export type OnnxInput = "crops" | "image";

/** The image tower with the prompts' features baked in, as one ONNX model. Borrows the source's weights. */
export function buildModel(input: OnnxInput, source: ExportSource, dtype: ExportDtype): OnnxModel {
  const { architecture, weights, grid, promptFeatures, packageVersion } = source;
  const graph = new GraphBuilder(dtype);
  const crops = input === "crops" ? "crops" : addWindows(graph, "image");
  const features = new OnnxImageTower(graph, architecture.vision, weights).features(crops);
  const shape = [grid.prompts.length, architecture.embedding];
  const bank = graph.floats("prompt_features", { shape, values: promptFeatures });
  const cosines = graph.op("Gemm", [features, bank], { transB: 1 }); // [n, prompts]
  const logits = graph.op("Mul", [cosines, graph.float(logitScaleOf(source))]);
  const output = addVerdict(graph, logits, grid.axes);
  const { manifestVersion, model, prompts, preprocessing, score } = describeExport("onnx", dtype, source);
  return {
    irVersion: IR_VERSION,
    producerName: "liqe-train",
    producerVersion: packageVersion,
    opsetImport: [{ domain: "", version: OPSET }],
    metadataProps: [
      { key: METADATA_KEY, value: JSON.stringify({ manifestVersion, dtype, model, prompts, preprocessing, score }) },
    ],
    graph: {
      name: `liqe_${input}`,
      docString: "",
      node: graph.nodes,
      initializer: graph.initializers,
      input: [INPUTS[input](architecture.vision.imageSize)],
      output,
    },
  };
}

const INPUTS = {
  crops: (side: number) =>
    valueInfo("crops", "FLOAT", ["crops", 3, side, side], "crops of one image, RGB, 0 to 1, not normalised"),
  image: () => valueInfo("image", "UINT8", ["rows", "cols", 3], "RGB, 0 to 255, sides of 224 or more; not resized"),
};
