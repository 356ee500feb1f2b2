import { extentOf } from "../../base/collections.js";
import path from "node:path";
import { ExportMismatchError } from "../../base/errors.js";
import * as tf from "../../engine/tf.js";
import type { Differences, ExportDtype, Parity } from "../../inference/manifest.js";
import { LiqeModel } from "../../model/liqe.js";
import { evaluationCrops } from "../../model/preprocess/crops.js";
import { promptGrid } from "../../model/prompts/promptGrid.js";
import { ModelScorer } from "../../model/scorer.js";
import { loadParameters } from "../../model/weights/loadParameters.js";
import type { ReadBack, RuntimeScore } from "../exportFormat.js";
import { readExportManifest } from "../exportManifest.js";
import { goldenImage } from "./goldenImages.js";
import { GOLDEN_CROPS, type GoldenScores, scoreOfLogits } from "./goldenScores.js";

/** Largest allowed differences from the golden scores, by the type of the stored weights. */
const TOLERANCES: Readonly<Record<ExportDtype, Differences>> = {
  f32: { quality: 1e-3, probability: 1e-3 },
  f16: { quality: 1e-2, probability: 1e-2 },
  int8: { quality: 0.1, probability: 0.1 },
  uint8: { quality: 0.1, probability: 0.1 },
};

/** Compares a runtime's scores of the golden images. @throws {ExportMismatchError} naming the worst image */
export async function checkParity(
  readBack: ReadBack,
  golden: GoldenScores,
  { format, dtype }: { readonly format: string; readonly dtype: ExportDtype },
): Promise<Parity> {
  const tolerance = TOLERANCES[dtype];
  const found: { seed: number; differences: Differences }[] = [];
  for (const image of golden.images) {
    const { seed } = image;
    const pixels = goldenImage(seed);
    found.push({ seed, differences: differencesOf(await readBack.score(pixels), image) });
    const whole = await readBack.scoreWhole?.(pixels);
    if (whole !== undefined) found.push({ seed, differences: differencesOf(whole, image) });
  }
  const largest = (kind: keyof Differences): number => {
    const worst = found.reduce((a, b) => (isLarger(b.differences[kind], a.differences[kind]) ? b : a));
    const difference = worst.differences[kind];
    if (difference <= tolerance[kind]) return difference; // `<=`, not `>`: NaN must not pass
    throw new ExportMismatchError(
      `${format}: ${readBack.runtime} does not give the golden scores: of image ${worst.seed} a ${kind} is off by ` +
        `${difference.toPrecision(3)}, more than the ${tolerance[kind]} that ${dtype} may be; nothing was kept`,
    );
  };
  const largestDifference = { quality: largest("quality"), probability: largest("probability") };
  return { runtime: readBack.runtime, tolerance, largestDifference };
}

function differencesOf(score: RuntimeScore, golden: GoldenScores["images"][number]): Differences {
  const crops = golden.crops.map(({ quality }, i) => difference(score.cropQualities[i], quality));
  const hasAllCrops = score.cropQualities.length === golden.crops.length;
  const labels = Object.entries(golden.probabilities).flatMap(([axis, expected]) => {
    const given = score.probabilities[axis as keyof RuntimeScore["probabilities"]]; // its keys are the golden's
    return given?.length === expected.length ? expected.map((p, i) => difference(given[i], p)) : [NaN];
  });
  const joint = difference(score.joint[golden.joint.index], golden.joint.probability);
  return {
    quality: extentOf([difference(score.quality, golden.quality), hasAllCrops ? 0 : NaN, ...crops]).most, // NaN where one is
    probability: extentOf([joint, ...labels]).most,
  };
}

function difference(given: number | undefined, expected: number): number {
  return Math.abs((given ?? NaN) - expected);
}

function isLarger(a: number, b: number): boolean {
  return Number.isNaN(a) || a > b;
}

/** Opens an export's weight file with this package itself. */
export async function readBackHere(folder: string, file: string): Promise<ReadBack> {
  const { package: writer, prompts } = await readExportManifest(folder);
  const { parameters } = await loadParameters(path.join(folder, file));
  const model = new LiqeModel(parameters, promptGrid(prompts.template, prompts.tables));
  const scorer = new ModelScorer(model);
  return {
    runtime: `liqe-train ${writer.version} (${tf.getBackend()})`,
    score: (image) => Promise.resolve(scoreOfLogits(scorer.logits(evaluationCrops(image, GOLDEN_CROPS)), scorer.axes)),
    close: () => {
      model.dispose();
      return Promise.resolve();
    },
  };
}
