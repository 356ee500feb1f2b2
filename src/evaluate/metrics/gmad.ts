/**
 * Group maximum differentiation of two models (K. Ma et al., "Group maximum differentiation competition: model
 * comparison with few samples", IEEE TPAMI 42(4), 2020): of images that one model, the defender, holds to be alike, the
 * two that the other one, the attacker, separates most. Looking at such a pair tells which of the two is wrong.
 */

import { meanAndDeviation } from "./vectors.js";

/** An image with the scores that two models give it. */
export interface ScoredPair {
  readonly file: string;
  /** By the first model and by the second. */
  readonly qualities: readonly [number, number];
}

/** Two images that the defender holds to be alike and the attacker separates. */
interface DifferentiatedPair {
  readonly better: ScoredPair;
  /** The worse one, by the attacker. */
  readonly worse: ScoredPair;
  /** Difference of the attacker's scores. */
  readonly separation: number;
  /** Separation in standard deviations of the attacker's scores of all images: comparable between models. */
  readonly strength: number;
}

/** Images between two scores of the defender. */
interface GmadLevel {
  readonly low: number;
  readonly high: number;
  readonly images: number;
  /** Null where there are fewer than two images. */
  readonly pair: DifferentiatedPair | null;
}

/** One model as the defender: its range of scores in equally wide levels, lowest first. */
export interface Defence {
  readonly defender: 0 | 1;
  readonly attacker: 0 | 1;
  readonly levels: readonly GmadLevel[];
}

/**
 * Lets each model defend once. Equal scores are taken in the order of the images, so that the pairs are always the same.
 * @param levels  number of levels: with more, a level's images are fewer and more alike to the defender
 * @throws {RangeError} for less than one level or no image
 */
export function groupDifferentiation(images: readonly ScoredPair[], levels: number): readonly [Defence, Defence] {
  if (images.length === 0 || !Number.isInteger(levels) || levels < 1) {
    throw new RangeError(`groupDifferentiation: needs an image and a level, got ${images.length} and ${levels}`);
  }
  return [defence(images, 0, levels), defence(images, 1, levels)];
}

function defence(images: readonly ScoredPair[], defender: 0 | 1, levels: number): Defence {
  const attacker = defender === 0 ? 1 : 0;
  const own = images.map(({ qualities }) => qualities[defender]);
  const low = own.reduce((a, b) => Math.min(a, b));
  const width = (own.reduce((a, b) => Math.max(a, b)) - low) / levels;
  const [, deviation] = meanAndDeviation(images.map(({ qualities }) => qualities[attacker]));
  const levelOf = (quality: number) => (width === 0 ? 0 : Math.min(levels - 1, Math.floor((quality - low) / width)));
  return {
    defender,
    attacker,
    levels: Array.from({ length: levels }, (_, level) => {
      const members = images.filter((_, i) => levelOf(own[i] ?? NaN) === level);
      return {
        low: low + level * width,
        high: low + (level + 1) * width,
        images: members.length,
        pair: mostSeparated(members, attacker, deviation),
      };
    }),
  };
}

function mostSeparated(images: readonly ScoredPair[], attacker: 0 | 1, deviation: number): DifferentiatedPair | null {
  const [first, ...others] = images;
  if (first === undefined || others.length === 0) return null;
  const score = ({ qualities }: ScoredPair) => qualities[attacker];
  const better = others.reduce((best, one) => (score(one) > score(best) ? one : best), first);
  const rest = images.filter((image) => image !== better); // two images, even where all scores are equal
  const worse = rest.reduce((worst, one) => (score(one) < score(worst) ? one : worst));
  const separation = score(better) - score(worse);
  return { better, worse, separation, strength: deviation === 0 ? 0 : separation / deviation };
}
