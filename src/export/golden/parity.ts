import { readFile } from "node:fs/promises";
import path from "node:path";
import { ExportMismatchError } from "../../base/errors.js";
import * as tf from "../../engine/tf.js";
import { LiqeModel } from "../../model/liqe.js";
import { evaluationCrops } from "../../model/preprocess/crops.js";
import { promptGrid } from "../../model/prompts/promptGrid.js";
import { ModelScorer } from "../../model/scorer.js";
import { loadParameters } from "../../model/weights/loadParameters.js";
import type { ReadBack, RuntimeScore } from "../exportFormat.js";
import type { ExportDtype } from "../exportManifest.js";
import { EXPORT_MANIFEST, parseExportManifest } from "../exportManifest.js";
import { goldenImage } from "./goldenImages.js";
import type { GoldenScore, GoldenScores } from "./goldenScores.js";
import { GOLDEN_CROPS, scoreOfLogits } from "./goldenScores.js";

/** How far an export's scores may be from the golden ones, by how its weights are stored. */
const TOLERANCES: Readonly<Record<ExportDtype, Differences>> = {
  f32: { quality: 1e-3, probability: 1e-3 },
  f16: { quality: 1e-2, probability: 1e-2 },
  int8: { quality: 0.1, probability: 0.1 },
  uint8: { quality: 0.1, probability: 0.1 },
};

interface Differences {
  /** Of the score, 1 to the number of levels; an image's and each crop's. */
  readonly quality: number;
  /** Of each label's probability, and of the most probable combination's. */
  readonly probability: number;
}

/** What was found where nothing was wrong. */
export interface Parity {
  readonly runtime: string;
  readonly tolerance: Differences;
  readonly largestDifference: Differences;
}

/**
 * Has a runtime score the golden images and compares.
 *
 * @throws {ExportMismatchError} naming the image that is furthest off
 */
export async function checkParity(
  where: string,
  readBack: ReadBack,
  golden: GoldenScores,
  dtype: ExportDtype,
): Promise<Parity> {
  const tolerance = TOLERANCES[dtype];
  const found: { image: GoldenScore; differences: Differences }[] = [];
  for (const image of golden.images) {
    const pixels = goldenImage(image.seed);
    found.push({ image, differences: differencesOf(await readBack.score(pixels), image) });
    const whole = await readBack.scoreWhole?.(pixels);
    if (whole !== undefined) found.push({ image, differences: differencesOf(whole, image) });
  }
  for (const kind of ["quality", "probability"] as const) {
    const worst = found.reduce((a, b) => (isLarger(b.differences[kind], a.differences[kind]) ? b : a));
    const difference = worst.differences[kind];
    if (difference <= tolerance[kind]) continue; // `<=`, not `>`: NaN must not pass
    throw new ExportMismatchError(
      `${where}: ${readBack.runtime} does not give the golden scores: of image ${worst.image.seed} a ${kind} is off by ` +
        `${difference.toPrecision(3)}, more than the ${tolerance[kind]} that ${dtype} may be; nothing was kept`,
    );
  }
  const largest = (kind: keyof Differences) => Math.max(...found.map(({ differences }) => differences[kind]));
  return {
    runtime: readBack.runtime,
    tolerance,
    largestDifference: { quality: largest("quality"), probability: largest("probability") },
  };
}

function differencesOf(score: RuntimeScore, golden: GoldenScore): Differences {
  const crops = golden.crops.map(({ quality }, i) => difference(score.cropQualities[i], quality));
  const hasAllCrops = score.cropQualities.length === golden.crops.length;
  const labels = Object.entries(golden.probabilities).flatMap(([axis, expected]) => {
    const given = score.probabilities[axis as keyof RuntimeScore["probabilities"]]; // its keys are the golden's
    return given?.length === expected.length ? expected.map((p, i) => difference(given[i], p)) : [NaN];
  });
  const joint = difference(score.joint[golden.joint.index], golden.joint.probability);
  return {
    quality: largestOf([difference(score.quality, golden.quality), hasAllCrops ? 0 : NaN, ...crops]),
    probability: largestOf([joint, ...labels]),
  };
}

function difference(given: number | undefined, expected: number): number {
  return Math.abs((given ?? NaN) - expected);
}

/** NaN where any is. */
function largestOf(values: readonly number[]): number {
  return Math.max(...values);
}

function isLarger(a: number, b: number): boolean {
  return Number.isNaN(a) || a > b;
}

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
