import type { ExportSource } from "../../src/export/exportFormat.js";
import type { ExportDtype } from "../../src/inference/manifest.js";
import { exportModel } from "../../src/export/exportModel.js";
import { goldenScores, type GoldenScores } from "../../src/export/golden/goldenScores.js";
import { tfjsFormat } from "../../src/export/tfjs/tfjsFormat.js";
import type { Architecture } from "../../src/model/architecture/architecture.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import type { NamedArray } from "../../src/model/parameters/parameters.js";
import { promptGrid, type PromptGrid } from "../../src/model/prompts/promptGrid.js";
import { ModelScorer } from "../../src/model/scorer.js";
import { temporaryFolder, TOY_ARCHITECTURE } from "./runs.js";

/** The toy with a hierarchical stem of two levels. */
export const TOY_STEM: Architecture = {
  ...TOY_ARCHITECTURE,
  vision: {
    ...TOY_ARCHITECTURE.vision,
    stem: [
      { stride: 8, width: 12 },
      { stride: 4, width: 16 },
    ],
  },
};

/** Seeded weights whose scores differ from image to image, with all that an export asks for. */
export function toySource(
  architecture: Architecture = TOY_ARCHITECTURE,
  grid: PromptGrid = promptGrid(),
  weights: Map<string, NamedArray> = initialParameters(architecture, 11),
): { source: ExportSource; golden: GoldenScores } {
  weights.set("logit_scale", { shape: [], values: Float32Array.of(Math.log(100)) }); // CLIP's own
  const model = new LiqeModel(weights, grid, { architecture });
  try {
    const promptFeatures = Float32Array.from(model.promptFeatures().dataSync());
    const source = {
      architecture,
      weights,
      grid,
      promptFeatures,
      training: null,
      results: null,
      packageVersion: "0.0.0",
      photographs: [],
    };
    return { source, golden: goldenScores(new ModelScorer(model), "test") };
  } finally {
    model.dispose();
  }
}

/**
 * The toy with all of the image tower's matrices eight times as large: what it says of photographs differs by far more
 * than any tolerance, from one to the next and from crop to crop.
 */
export function livelySource(architecture: Architecture, grid?: PromptGrid): ReturnType<typeof toySource> {
  const weights = initialParameters(architecture, 11);
  for (const [name, array] of weights) {
    const isMatrix = name.startsWith("visual.") && array.shape.length > 1 && !/positional|proj$/.test(name);
    if (isMatrix) weights.set(name, { ...array, values: array.values.map((value) => 8 * value) });
  }
  return toySource(architecture, grid, weights);
}

/** A weight by name. */
export function weightOf(source: ExportSource, name: string): NamedArray {
  const weight = source.weights.get(name);
  if (weight === undefined) throw new Error(`test: no weight ${name}`);
  return weight;
}

/** Exports the toy as TensorFlow.js weights, read back and found right; gives the folder. */
export async function toyTfjs(dtype: ExportDtype, toy: ReturnType<typeof toySource> = toySource()): Promise<string> {
  const out = temporaryFolder();
  const formats = [{ format: tfjsFormat, dtype }];
  const [exported] = await exportModel(toy.source, toy.golden, { out, formats, force: false });
  if (exported === undefined) throw new Error("test: nothing was exported");
  return exported.folder;
}
