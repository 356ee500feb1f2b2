import { DataError } from "../../base/errors.js";
import { type Random, seededRandom } from "../../base/random.js";
import { type Sample, type Subset, SUBSETS } from "../sample.js";
import { dealGroups, drawAcrossScores, strataOf } from "./stratified.js";

/** Numbers and shares of splits to draw. */
export interface SplitSettings {
  readonly seed: number;
  /** Parts of 100 of the images, as near as whole groups allow. */
  readonly ratios: Readonly<Record<Subset, number>>;
  /** Number of splits, each drawn anew; not looked at with `folds`. */
  readonly splits: number;
  /** Number of folds: of split k, fold k is tested, the next one validated and the others trained on; null for none. */
  readonly folds: number | null;
  /** Training images that are kept, spread over the scores; null for all. */
  readonly few: number | null;
}

/** Places of the images of each subset, in their order. */
export type DrawnSplit = Readonly<Record<Subset, readonly number[]>>;

/** Fewest folds: one to test, one to validate, one to train on. */
export const FEWEST_FOLDS = 3;

/**
 * Splits of images in groups that stay together, each subset like the whole in scores and labels.
 * @param groups  group of each image, from 0
 * @throws {DataError} where there are fewer groups than subsets or folds, or fewer training images than `few`
 */
export function drawSplits(
  samples: readonly Sample[],
  groups: readonly number[],
  settings: SplitSettings,
): readonly DrawnSplit[] {
  const { seed, folds, few } = settings;
  const whole = folds === null ? drawByRatios(samples, groups, settings) : drawFolds(samples, groups, { seed, folds });
  if (few === null) return whole;
  return whole.map(({ train, val, test }, i) => {
    const random = seededRandom(seed, "few", i + 1);
    return { train: spread(train, samples, { few, random }), val, test };
  });
}

function drawByRatios(
  samples: readonly Sample[],
  groups: readonly number[],
  { seed, ratios, splits }: SplitSettings,
): DrawnSplit[] {
  const shares = SUBSETS.map((subset) => ratios[subset] / 100);
  const strata = strataOf(samples);
  return Array.from({ length: splits }, (_, i) => {
    const partOf = dealGroups(groups, strata, { shares, random: seededRandom(seed, "split", i + 1) });
    if (partOf === null) throw tooFew(groups, shares.filter((share) => share > 0).length, "subsets");
    const of = (subset: Subset) => placesIn(groups, partOf, [SUBSETS.indexOf(subset)]);
    return { train: of("train"), val: of("val"), test: of("test") };
  });
}

function drawFolds(
  samples: readonly Sample[],
  groups: readonly number[],
  { seed, folds }: { readonly seed: number; readonly folds: number },
): DrawnSplit[] {
  const shares = Array.from({ length: folds }, () => 1 / folds);
  const partOf = dealGroups(groups, strataOf(samples), { shares, random: seededRandom(seed, "folds", folds) });
  if (partOf === null) throw tooFew(groups, folds, "folds");
  return shares.map((_, test) => {
    const val = (test + 1) % folds;
    const others = shares.flatMap((__, fold) => (fold === test || fold === val ? [] : [fold]));
    const of = (parts: readonly number[]) => placesIn(groups, partOf, parts);
    return { train: of(others), val: of([val]), test: of([test]) };
  });
}

function placesIn(groups: readonly number[], partOf: readonly number[], parts: readonly number[]): number[] {
  return groups.flatMap((group, image) => (parts.includes(partOf[group] ?? -1) ? [image] : []));
}

function tooFew(groups: readonly number[], parts: number, what: string): DataError {
  const count = new Set(groups).size;
  return new DataError(
    `${groups.length} images in ${count} groups cannot be parted into ${parts} ${what}; give more images, or another --by`,
  );
}

/** So many of the places, spread over the scores. */
function spread(
  places: readonly number[],
  samples: readonly Sample[],
  { few, random }: { readonly few: number; readonly random: Random },
): number[] {
  if (places.length < few) {
    throw new DataError(`--few ${few}: a split has ${places.length} training images; give at most as many`);
  }
  const own = new Set(places);
  const ofPlaces = samples.flatMap(({ mos, image }, place) => (own.has(place) ? [{ mos, image, place }] : []));
  return drawAcrossScores(ofPlaces, few, random).map((at) => ofPlaces[at]?.place ?? NaN);
}
