import { extentOf } from "../../base/collections.js";
import path from "node:path";
import { ExportMismatchError } from "../../base/errors.js";
import * as tf from "../../engine/tf.js";
import type { Differences, ExportDtype, Parity } from "../../inference/manifest.js";
import { LiqeModel } from "../../model/liqe.js";
import type { Image } from "../../model/preprocess/image.js";
import { promptGrid } from "../../model/prompts/promptGrid.js";
import { ModelScorer } from "../../model/scorer.js";
import { loadParameters } from "../../model/weights/loadParameters.js";
import type { ExportSource, ReadBack, RuntimeScore } from "../exportFormat.js";
import { readExportManifest } from "../exportManifest.js";
import { goldenImage } from "./goldenImages.js";
import { goldenCrops, type GoldenScore, type GoldenScores, scoreOfLogits } from "./goldenScores.js";

/** Largest allowed differences from the golden scores, by the type of the stored weights. */
export const TOLERANCES: Readonly<Record<ExportDtype, Differences>> = {
  f32: { quality: 1e-3, probability: 1e-3 },
  f16: { quality: 1e-2, probability: 1e-2 },
  int8: { quality: 0.1, probability: 0.1 },
  uint8: { quality: 0.1, probability: 0.1 },
};

/** An image whose scores are known. */
export interface GoldenImage {
  readonly name: string;
  readonly image: () => Image;
  readonly expected: GoldenScore;
}

/** All that an export is compared on: the generated images and the photographs. */
export function goldenSet(golden: GoldenScores, { photographs, architecture }: ExportSource): GoldenImage[] {
  const window = architecture.vision.imageSize;
  const drawn = golden.images.map((expected) => {
    return { name: `image ${expected.seed}`, image: () => goldenImage(expected.seed, window), expected };
  });
  const photographed = photographs.flatMap(({ file, image }) => {
    const expected = golden.photographs.find((photograph) => photograph.file === file);
    return expected === undefined ? [] : [{ name: file, image: () => image, expected }];
  });
  return [...drawn, ...photographed];
}

/** Compares a runtime's scores of the golden images. @throws {ExportMismatchError} naming the worst image */
export async function checkParity(
  readBack: ReadBack,
  set: readonly GoldenImage[],
  { format, dtype }: { readonly format: string; readonly dtype: ExportDtype },
): Promise<Parity> {
  const tolerance = TOLERANCES[dtype];
  const found: { name: string; differences: Differences }[] = [];
  for (const { name, image, expected } of set) {
    const pixels = image();
    for (const score of [readBack.score, ...(readBack.others ?? [])]) {
      found.push({ name, differences: differencesOf(await score(pixels), expected) });
    }
  }
  const largest = (kind: keyof Differences): number => {
    const worst = found.reduce((a, b) => (isLarger(b.differences[kind], a.differences[kind]) ? b : a));
    const difference = worst.differences[kind];
    if (difference <= tolerance[kind]) return difference; // `<=`, not `>`: NaN must not pass
    throw new ExportMismatchError(
      `${format}: ${readBack.runtime} does not give the golden scores: of ${worst.name} a ${kind} is off by ` +
        `${difference.toPrecision(3)}, more than the ${tolerance[kind]} that ${dtype} may be; nothing was kept`,
    );
  };
  const largestDifference = { quality: largest("quality"), probability: largest("probability") };
  return { runtime: readBack.runtime, tolerance, largestDifference };
}

/** Differences of a runtime's scores from an image's golden ones: the largest of the image and its crops. */
export function differencesOf(score: RuntimeScore, golden: GoldenScore): Differences {
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
  const { parameters, architecture, tokenizer } = await loadParameters(path.join(folder, file));
  const model = new LiqeModel(parameters, promptGrid(prompts.template, prompts.tables), { architecture, tokenizer });
  const scorer = new ModelScorer(model);
  return {
    runtime: `liqe-train ${writer.version} (${tf.getBackend()})`,
    score: (image) => Promise.resolve(scoreOfLogits(scorer.logits(goldenCrops(image, scorer.window)), scorer.axes)),
    close: () => {
      model.dispose();
      return Promise.resolve();
    },
  };
}
