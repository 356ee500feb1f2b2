import { readFile } from "node:fs/promises";
import path from "node:path";
import * as tf from "../../engine/tf.js";
import { LiqeModel } from "../../model/liqe.js";
import { evaluationCrops } from "../../model/preprocess/crops.js";
import { promptGrid } from "../../model/prompts/promptGrid.js";
import { ModelScorer } from "../../model/scorer.js";
import { loadParameters } from "../../model/weights/loadParameters.js";
import type { ReadBack } from "../exportFormat.js";
import { EXPORT_MANIFEST, parseExportManifest } from "../exportManifest.js";
import { GOLDEN_CROPS, scoreOfLogits } from "./goldenScores.js";

/** Reads an export's weight file back with this package itself. */
export async function readBackHere(folder: string, file: string): Promise<ReadBack> {
  const where = path.join(folder, EXPORT_MANIFEST);
  const manifest = parseExportManifest(where, JSON.parse(await readFile(where, "utf8")));
  const { parameters } = await loadParameters(path.join(folder, file));
  const model = new LiqeModel(parameters, promptGrid(manifest.prompts.template, manifest.prompts.tables));
  const scorer = new ModelScorer(model);
  return {
    runtime: `liqe-train ${manifest.package.version} (${tf.getBackend()})`,
    score: (image) => Promise.resolve(scoreOfLogits(scorer.logits(evaluationCrops(image, GOLDEN_CROPS)), scorer.axes)),
    close: () => {
      model.dispose();
      return Promise.resolve();
    },
  };
}
