import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { writeDurable } from "../../base/files.js";
import { WINDOW } from "../../model/preprocess/image.js";
import type { ExportFormat, ExportSource } from "../exportFormat.js";
import type { OnnxInput } from "./buildModels.js";
import { buildModel } from "./buildModels.js";
import { loadRuntime, readBackWithOnnxRuntime } from "./runtime.js";
import { encodeOnnx } from "./schema.js";

const FILES: Readonly<Record<OnnxInput, string>> = { crops: "model.onnx", image: "model-image.onnx" };

/** One protobuf message, and so one file, holds less than 2 GiB. */
const MOST_NUMBERS = 500e6;

/** The image tower and the prompts' features as ONNX graphs, each one file. */
export const onnxFormat: ExportFormat = {
  name: "onnx",
  dtypes: ["f32", "f16", "int8"],
  examples: [
    {
      title: "Python, a whole image",
      language: "python",
      code: `
import numpy as np, onnxruntime as ort  # pip install onnxruntime numpy pillow
from PIL import Image

image = np.asarray(Image.open("photo.jpg").convert("RGB"))  # [rows, cols, 3] uint8; reduce it first, see above
session = ort.InferenceSession("${FILES.image}")
result = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"image": image})))
print(float(result["quality"]), result["levels"])`,
    },
    {
      title: "Python, crops",
      language: "python",
      code: `
# crops [n, 3, 224, 224] float32, RGB, 0 to 1, all of one image: one score, and crop_quality for each by itself
quality, crop_quality = ort.InferenceSession("${FILES.crops}").run(["quality", "crop_quality"], {"crops": crops})`,
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
  check: async ({ architecture, weights }: ExportSource) => {
    const { imageSize } = architecture.vision;
    if (imageSize !== WINDOW) {
      throw new ConfigError(
        `onnx: windows have ${WINDOW} pixels, this model takes ${imageSize}; export another format`,
      );
    }
    const numbers = [...weights].reduce((sum, [name, { values }]) => sum + (isInGraph(name) ? values.length : 0), 0);
    if (numbers > MOST_NUMBERS) {
      throw new ConfigError(`onnx: ${numbers} numbers make a file of more than 2 GB; export another format`);
    }
    await loadRuntime();
  },
  write: async (folder, source, dtype) => {
    for (const input of ["crops", "image"] as const) {
      const bytes = encodeOnnx(buildModel(input, source, dtype));
      await writeDurable(path.join(folder, FILES[input]), (handle) => handle.writeFile(bytes));
    }
  },
  open: (folder) => readBackWithOnnxRuntime(folder, FILES),
};

function isInGraph(name: string): boolean {
  return name.startsWith("visual.");
}
