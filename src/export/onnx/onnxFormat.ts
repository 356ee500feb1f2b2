import { createRequire } from "node:module";
import path from "node:path";
import type * as ort from "onnxruntime-node";
import { ConfigError, EngineError } from "../../base/errors.js";
import { writeDurable } from "../../base/files.js";
import { reasonOf } from "../../base/text.js";
import { isVision } from "../../model/parameters/parameters.js";
import { RESNET_POSITIONS, SIGLIP_PROBE, VIT_POSITIONS } from "../../model/parameters/shapes.js";
import { cropBytes, LARGE_STRIDE, LARGE_STRIDE_FROM, STRIDE } from "../../model/preprocess/crops.js";
import type { Image } from "../../model/preprocess/image.js";
import { MAX_SHORTER_SIDE } from "../../model/preprocess/resize.js";
import type { Task } from "../../model/prompts/promptGrid.js";
import { throughFloat16 } from "../../model/weights/dtypes.js";
import type { ExportFormat, ExportSource, ReadBack, RuntimeScore } from "../exportFormat.js";
import { readExportManifest } from "../exportManifest.js";
import { GOLDEN_CROPS, goldenCrops } from "../golden/goldenScores.js";
import { dequantizedRows, quantizeRows } from "../precision/quantizeRows.js";
import { buildModel, OUTPUT_NAMES } from "./buildModels.js";
import { encodeOnnx } from "./schema.js";

const FILES = { crops: "model.onnx", image: "model-image.onnx" } as const;

/** Largest number of weights: a protobuf message, and so a file, holds less than 2 GiB. */
const MOST_NUMBERS = 500e6;

/** Python code that cuts the windows of an image, for READMEs; it needs `np` and `Image`. */
export function cropsCode(window: number): string {
  return `def crops_of(image):
    """[n, 3, ${window}, ${window}] float32, RGB, 0 to 1: the windows of a whole image. Crops of your own do as well."""
    shorter = min(image.size)
    if shorter > ${MAX_SHORTER_SIDE}:
        width, height = (${MAX_SHORTER_SIDE} * side // shorter for side in image.size)
        image = image.resize((width, image.height), Image.BILINEAR)  # columns, then rows, whatever Pillow's version
        image = image.resize((width, height), Image.BILINEAR)
    pixels = np.asarray(image)
    rows, cols, _ = pixels.shape
    stride = ${LARGE_STRIDE} if max(rows, cols) >= ${LARGE_STRIDE_FROM} else ${STRIDE}
    tops, lefts = range(0, rows - ${window - 1}, stride), range(0, cols - ${window - 1}, stride)
    corners = [(top, left) for top in tops for left in lefts]
    chosen = corners[:: max(1, len(corners) // ${GOLDEN_CROPS})][:${GOLDEN_CROPS}]
    crops = np.stack([pixels[top : top + ${window}, left : left + ${window}] for top, left in chosen])
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2)) / np.float32(255)`;
}

/** The image encoder with the prompts' features as two ONNX graphs, each one file. */
export const onnxFormat: ExportFormat = {
  name: "onnx",
  dtypes: ["f32", "f16", "int8"],
  examples: [
    {
      title: "Python, a whole image",
      language: "python",
      code: (window) => `
import numpy as np, onnxruntime as ort  # pip install onnxruntime numpy pillow
from PIL import Image

image = np.asarray(Image.open("photo.jpg").convert("RGB"))  # [rows, cols, 3] uint8, of any size from ${window} on
session = ort.InferenceSession("${FILES.image}")
result = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"image": image})))
print(float(result["quality"]), result["levels"])`,
    },
    {
      title: "Python, crops",
      language: "python",
      code: (window) => `
import numpy as np, onnxruntime as ort
from PIL import Image

${cropsCode(window)}

crops = crops_of(Image.open("photo.jpg").convert("RGB"))
session = ort.InferenceSession("${FILES.crops}")
quality, crop_quality = session.run(["quality", "crop_quality"], {"crops": crops})
print(float(quality), crop_quality)`,
    },
    {
      title: "Node.js",
      language: "js",
      code: `
import * as ort from "onnxruntime-node"; // npm install onnxruntime-node sharp
import sharp from "sharp";

const { data, info } = await sharp("photo.jpg").removeAlpha().toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
const session = await ort.InferenceSession.create("${FILES.image}");
const { quality } = await session.run({ image: new ort.Tensor("uint8", data, [info.height, info.width, 3]) });
console.log(quality.data[0]);`,
    },
  ],
  check: async ({ weights }: ExportSource) => {
    const numbers = [...weights].reduce((sum, [name, { values }]) => sum + (isVision(name) ? values.length : 0), 0);
    if (numbers > MOST_NUMBERS) {
      throw new ConfigError(`onnx: ${numbers} numbers make a file of more than 2 GB; export another format`);
    }
    await loadRuntime();
  },
  rounded: (name, { shape, values }, dtype) => {
    if (!isRounded(name, shape)) return null;
    if (dtype === "f16") return throughFloat16(name, values);
    return dtype === "int8" ? dequantizedRows(quantizeRows(values, shape[0] ?? 1)) : null;
  },
  write: async (folder, source, storage) => {
    for (const input of ["crops", "image"] as const) {
      const bytes = encodeOnnx(buildModel(input, source, storage));
      await writeDurable(path.join(folder, FILES[input]), (handle) => handle.writeFile(bytes));
    }
  },
  open: readBack,
};

/** True for the tensors that the image encoders store as the export asks for. */
function isRounded(name: string, shape: readonly number[]): boolean {
  return (
    isVision(name) &&
    shape.length >= 2 &&
    ![VIT_POSITIONS, RESNET_POSITIONS, SIGLIP_PROBE, "visual.proj"].includes(name)
  );
}

type Runtime = typeof ort;

/** @throws {EngineError} where ONNX Runtime is not installed, or does not load */
async function loadRuntime(): Promise<{ runtime: Runtime; version: string }> {
  try {
    const runtime = await import("onnxruntime-node");
    const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
    return { runtime, version };
  } catch (error) {
    throw new EngineError(
      `onnx: what is exported is read back by ONNX Runtime, which cannot be loaded here (${reasonOf(error)}); ` +
        "install it: npm install onnxruntime-node",
      { cause: error },
    );
  }
}

/** Opens an export's two models with ONNX Runtime, on the CPU. */
async function readBack(folder: string): Promise<ReadBack> {
  const { runtime, version } = await loadRuntime();
  const { prompts, preprocessing } = await readExportManifest(folder);
  const axes = prompts.axes.map(({ axis }) => axis);
  const open = (file: string) =>
    runtime.InferenceSession.create(path.join(folder, file), { executionProviders: ["cpu"], logSeverityLevel: 3 });
  const [crops, image] = [await open(FILES.crops), await open(FILES.image)];
  return {
    runtime: `onnxruntime-node ${version} (CPU)`,
    score: async (golden) =>
      scoreOf(await crops.run({ crops: cropTensor(runtime, golden, preprocessing.window) }), axes),
    others: [
      async ({ rows, cols, pixels }) =>
        scoreOf(await image.run({ image: new runtime.Tensor("uint8", pixels, [rows, cols, 3]) }), axes),
    ],
    close: async () => {
      await crops.release();
      await image.release();
    },
  };
}

/** [n, 3, window, window], 0 to 1. */
function cropTensor(runtime: Runtime, image: Image, window: number): ort.Tensor {
  const pixels = goldenCrops(image, window);
  const [plane, size] = [window * window, cropBytes(window)];
  const values = new Float32Array(pixels.length);
  for (let crop = 0; crop < pixels.length; crop += size) {
    for (let i = 0; i < size; i++) {
      values[crop + (i % 3) * plane + Math.floor(i / 3)] = (pixels[crop + i] ?? NaN) / 255;
    }
  }
  return new runtime.Tensor("float32", values, [pixels.length / size, 3, window, window]);
}

function scoreOf(outputs: ort.InferenceSession.OnnxValueMapType, axes: readonly Task[]): RuntimeScore {
  const values = (name: string) => outputs[name]?.data as Float32Array | undefined; // every output is float32
  return {
    quality: values("quality")?.[0] ?? NaN,
    cropQualities: [...(values("crop_quality") ?? [])],
    joint: values("joint") ?? [],
    probabilities: Object.fromEntries(axes.map((axis) => [axis, values(OUTPUT_NAMES[axis]) ?? []])),
  };
}
