import { stat } from "node:fs/promises";
import path from "node:path";
import { sha256OfFile } from "../base/files.js";
import { filesIn } from "../base/folders.js";
import type { ExportFormatName, ExportManifest } from "../inference/manifest.js";
import { isOpenAiKind, pixelsOf } from "../model/architecture/architecture.js";
import { presetOf } from "../model/architecture/presets.js";
import { countParameters, parameterShapes } from "../model/parameters/shapes.js";
import { LARGE_STRIDE, LARGE_STRIDE_FROM, STRIDE } from "../model/preprocess/crops.js";
import { MAX_SHORTER_SIDE } from "../model/preprocess/resize.js";
import { axisLabels } from "../model/prompts/promptGrid.js";
import { PIXELS } from "../model/vision/patches.js";
import type { ExportSource, Storage } from "./exportFormat.js";
import { ManifestSchema } from "./exportManifest.js";
import { GOLDEN_CROPS } from "./golden/goldenScores.js";

/** The manifest of an export, without its files' checksums. */
export function describeExport(
  format: ExportFormatName,
  { dtype, exact }: Storage,
  { architecture, weights, grid, training, packageVersion }: ExportSource,
): Omit<ExportManifest, "files"> {
  const { qualities, scenes, distortions } = grid.labels;
  return ManifestSchema.omit({ files: true }).parse({
    manifestVersion: isOpenAiKind(architecture) && architecture.vision.kind !== "resnet" ? 1 : 2, // readers of 1 know no other kind
    format,
    dtype,
    exact: [...exact].sort(),
    package: { name: "liqe-train", version: packageVersion },
    model: {
      preset: presetOf(architecture),
      architecture,
      parameters: countParameters(parameterShapes(architecture)),
      logitScale: Math.exp(weights.get("logit_scale")?.values[0] ?? NaN),
    },
    prompts: { template: grid.template, axes: grid.axes, tables: { qualities, scenes, distortions } },
    preprocessing: {
      colour: "RGB",
      reduceShorterSideTo: MAX_SHORTER_SIDE,
      interpolation: "bilinear, antialiased",
      window: architecture.vision.imageSize,
      stride: STRIDE,
      largeSide: LARGE_STRIDE_FROM,
      largeStride: LARGE_STRIDE,
      crops: GOLDEN_CROPS,
      scale: 1 / 255,
      ...PIXELS[pixelsOf(architecture.vision)],
      averaged: "logits",
    },
    score: { name: "quality", low: 1, high: axisLabels(grid, "quality")?.length ?? NaN, direction: "higher is better" },
    training,
    licence: "LICENSE-NOTES",
  });
}

/** Sizes and SHA-256 of all files in a folder, by their paths in it. */
export async function checksums(folder: string): Promise<ExportManifest["files"]> {
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const name of await filesIn(folder)) {
    const file = path.join(folder, name);
    files[name] = { bytes: (await stat(file)).size, sha256: await sha256OfFile(file) };
  }
  return files;
}
