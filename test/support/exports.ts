import type { ExportSource } from "../../src/export/exportFormat.js";
import type { GoldenScores } from "../../src/export/goldenScores.js";
import { goldenScores } from "../../src/export/goldenScores.js";
import type { Architecture } from "../../src/model/architecture.js";
import { initialParameters } from "../../src/model/initialize.js";
import type { NamedArray } from "../../src/model/parameters.js";
import { LiqeModel } from "../../src/model/liqe.js";
import type { PromptGrid } from "../../src/model/promptGrid.js";
import { promptGrid } from "../../src/model/promptGrid.js";
import { ModelScorer } from "../../src/model/scorer.js";
import { TOY_ARCHITECTURE } from "./runs.js";

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
): { source: ExportSource; golden: GoldenScores } {
  const weights = initialParameters(architecture, 11);
  weights.set("logit_scale", { shape: [], values: Float32Array.of(Math.log(100)) }); // CLIP's own
  const model = new LiqeModel(weights, grid);
  try {
    const promptFeatures = Float32Array.from(model.promptFeatures().dataSync());
    const source = { architecture, weights, grid, promptFeatures, training: null, packageVersion: "0.0.0" };
    return { source, golden: goldenScores(new ModelScorer(model), "test") };
  } finally {
    model.dispose();
  }
}

/** A weight by name. */
export function weightOf(source: ExportSource, name: string): NamedArray {
  const weight = source.weights.get(name);
  if (weight === undefined) throw new Error(`test: no weight ${name}`);
  return weight;
}
