import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { sha256OfFile, writeDurable } from "../base/files.js";
import { presetOf } from "../model/architecture/presets.js";
import { countParameters, parameterShapes } from "../model/parameters/shapes.js";
import { LARGE_STRIDE, LARGE_STRIDE_FROM, STRIDE } from "../model/preprocess/crops.js";
import { WINDOW } from "../model/preprocess/image.js";
import { MAX_SHORTER_SIDE as REDUCED_SIDE } from "../model/preprocess/resize.js";
import { axisLabels } from "../model/prompts/promptGrid.js";
import { CLIP_MEAN, CLIP_STD } from "../model/vision/patches.js";
import type { ExportSource } from "./exportFormat.js";
import type { ExportDtype, ExportFormatName } from "./exportManifest.js";
import { EXPORT_MANIFEST, ExportManifest } from "./exportManifest.js";
import { GOLDEN_CROPS } from "./golden/goldenScores.js";

/** A manifest before its files have their checksums. */
export type Description = Omit<ExportManifest, "files">;

/** What an export's manifest says, apart from its files. */
export function describeExport(format: ExportFormatName, dtype: ExportDtype, source: ExportSource): Description {
  const { architecture, grid, training, packageVersion } = source;
  const { qualities, scenes, distortions } = grid.labels;
  return ExportManifest.omit({ files: true }).parse({
    manifestVersion: 1,
    format,
    dtype,
    package: { name: "liqe-train", version: packageVersion },
    model: {
      preset: presetOf(architecture),
      architecture,
      parameters: countParameters(parameterShapes(architecture)),
      logitScale: logitScaleOf(source),
    },
    prompts: { template: grid.template, axes: grid.axes, tables: { qualities, scenes, distortions } },
    preprocessing: {
      colour: "RGB",
      reduceShorterSideTo: REDUCED_SIDE,
      interpolation: "bilinear, antialiased",
      window: WINDOW,
      stride: STRIDE,
      largeSide: LARGE_STRIDE_FROM,
      largeStride: LARGE_STRIDE,
      crops: GOLDEN_CROPS,
      scale: 1 / 255,
      mean: CLIP_MEAN,
      std: CLIP_STD,
      averaged: "logits",
    },
    score: {
      name: "quality",
      low: 1,
      high: axisLabels(grid, "quality")?.length ?? NaN,
      direction: "higher is better",
    },
    training,
    licence: LICENSE_FILE,
  });
}

/** Writes the manifest and waits for the disk. */
export async function writeManifest(folder: string, manifest: ExportManifest): Promise<void> {
  await writeDurable(path.join(folder, EXPORT_MANIFEST), (handle) =>
    handle.writeFile(`${JSON.stringify(manifest, null, 1)}\n`),
  );
}

/** What cosines are multiplied by. */
export function logitScaleOf({ weights }: Pick<ExportSource, "weights">): number {
  return Math.exp(weights.get("logit_scale")?.values[0] ?? NaN);
}

/** Sizes and SHA-256 of all files of an export but its manifest. */
export async function checksums(folder: string): Promise<ExportManifest["files"]> {
  const files: ExportManifest["files"] = {};
  for (const name of (await readdir(folder)).filter((file) => file !== EXPORT_MANIFEST).sort()) {
    const file = path.join(folder, name);
    files[name] = { bytes: (await stat(file)).size, sha256: await sha256OfFile(file) };
  }
  return files;
}

export const LICENSE_FILE = "LICENSE-NOTES";

/** What a user of the weights should know of rights: where the weights, the databases and the method come from. */
export function licenseNotes({ training }: ExportSource): string {
  const databases = namesOf(training);
  const trained =
    databases.length === 0
      ? "Nothing here says what these weights were trained on. Ask whoever gave them to you."
      : `These weights were trained on: ${databases.join(", ")}.\n` +
        "Image quality databases are usually released for research alone; whether weights that were trained on one may be\n" +
        "used for other ends is for its licence to say. Its authors' page has it; manifest.json has the lists.";
  return `Notes on licences. They are no licence, and no advice from a lawyer.

${trained}

Where training began from OpenAI's CLIP weights (manifest.json, training.config.model.weights): OpenAI publishes CLIP's
code and weights under the MIT licence, https://github.com/openai/CLIP, whose model card says which uses were not
intended.

The method is LIQE: Zhang, Zhai, Wei, Yang, Ma, "Blind Image Quality Assessment via Vision-Language Correspondence: A
Multitask Learning Perspective", CVPR 2023. Please cite it.

The program that wrote this folder, liqe-train, is under the MIT licence. It lays no claim to the weights: those who
trained them decide about them, within what the above allows.
`;
}

function namesOf(training: ExportSource["training"]): string[] {
  const databases = training?.["databases"];
  if (!Array.isArray(databases)) return [];
  return databases.flatMap((database: unknown) =>
    typeof database === "object" && database !== null && "name" in database ? [String(database.name)] : [],
  );
}
