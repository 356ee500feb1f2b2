import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import type * as ort from "onnxruntime-node";
import { EngineError } from "../../base/errors.js";
import { CROP_BYTES, evaluationCrops } from "../../model/preprocess/crops.js";
import { WINDOW } from "../../model/preprocess/image.js";
import type { Image } from "../../model/preprocess/image.js";
import type { PromptAxis } from "../../model/prompts/promptGrid.js";
import type { ReadBack, RuntimeScore } from "../exportFormat.js";
import { EXPORT_MANIFEST, parseExportManifest } from "../exportManifest.js";
import { GOLDEN_CROPS } from "../golden/goldenScores.js";

type Runtime = typeof ort;

/** @throws {EngineError} where ONNX Runtime is not installed, or does not load */
export async function loadRuntime(): Promise<{ runtime: Runtime; version: string }> {
  try {
    const runtime = await import("onnxruntime-node");
    const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
    return { runtime, version };
  } catch (error) {
    throw new EngineError(
      `onnx: what is exported is read back by ONNX Runtime, which cannot be loaded here (${reason(error)}); ` +
        "install it: npm install onnxruntime-node",
      { cause: error },
    );
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : String(error);
}

/** Opens an export's two models with ONNX Runtime, on the CPU. */
export async function readBackWithOnnxRuntime(
  folder: string,
  files: { readonly crops: string; readonly image: string },
): Promise<ReadBack> {
  const { runtime, version } = await loadRuntime();
  const where = path.join(folder, EXPORT_MANIFEST);
  const { prompts } = parseExportManifest(where, JSON.parse(await readFile(where, "utf8")));
  const axes = prompts.axes.map(({ axis }) => axis);
  const open = (file: string) =>
    runtime.InferenceSession.create(path.join(folder, file), { executionProviders: ["cpu"], logSeverityLevel: 3 });
  const [crops, image] = [await open(files.crops), await open(files.image)];
  return {
    runtime: `onnxruntime-node ${version} (CPU)`,
    score: async (golden) => scoreOf(await crops.run({ crops: cropTensor(runtime, golden) }), axes),
    scoreWhole: async (golden) => {
      const { rows, cols, pixels } = golden;
      return scoreOf(await image.run({ image: new runtime.Tensor("uint8", pixels, [rows, cols, 3]) }), axes);
    },
    close: async () => {
      await crops.release();
      await image.release();
    },
  };
}

/** [n, 3, 224, 224], 0 to 1. */
function cropTensor(runtime: Runtime, image: Image): ort.Tensor {
  const pixels = evaluationCrops(image, GOLDEN_CROPS);
  const plane = WINDOW * WINDOW;
  const values = new Float32Array(pixels.length);
  for (let crop = 0; crop < pixels.length; crop += CROP_BYTES) {
    for (let i = 0; i < CROP_BYTES; i++) {
      values[crop + (i % 3) * plane + Math.floor(i / 3)] = (pixels[crop + i] ?? NaN) / 255;
    }
  }
  return new runtime.Tensor("float32", values, [pixels.length / CROP_BYTES, 3, WINDOW, WINDOW]);
}

function scoreOf(outputs: ort.InferenceSession.OnnxValueMapType, axes: readonly PromptAxis[]): RuntimeScore {
  const values = (name: string) => outputs[name]?.data as Float32Array | undefined; // every output is float32
  const names = { quality: "levels", scene: "scene", distortion: "distortion" } as const;
  return {
    quality: values("quality")?.[0] ?? NaN,
    cropQualities: [...(values("crop_quality") ?? [])],
    joint: values("joint") ?? [],
    probabilities: Object.fromEntries(axes.map((axis) => [axis, values(names[axis]) ?? []])),
  };
}
