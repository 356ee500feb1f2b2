import { seededRandom } from "../../base/random.js";
import { knownDatabase } from "../../data/databases/registry.js";
import { isKnownDeviation } from "./errors.js";
import { srcc } from "./correlation.js";
import { mean } from "./vectors.js";

/** SRCC that a perfect model would have on a list, whose scores are no perfect measure themselves; or why it is not known. */
export type NoiseCeiling =
  | {
      readonly value: number;
      /** Number of images whose deviations are known: those that it is of. */
      readonly images: number;
      /** Opinions behind each score, by whose root the deviations are divided; null where they are taken as the scores' own. */
      readonly opinions: number | null;
    }
  | { readonly value: null; readonly reason: string };

interface ScoredList {
  /** Name of the database. */
  readonly name: string;
  readonly predictions: readonly { readonly mos: number; readonly mosStd: number | null }[];
}

const DRAWS = 100;
/** Share of images whose deviation may be unknown: their scores are left out, and the others have to stand for all. */
const MAX_UNKNOWN = 0.1;

/**
 * Mean SRCC of a list's MOS with scores drawn around them, normal with the deviation of each score: as if the same images
 * had been rated once more. Known databases publish the deviation of single opinions, of which a mean of n has the √n-th
 * part (independent observers); other lists' deviations are taken for those of the scores. MOS stand for the true
 * qualities though they have noise themselves, which spreads them: the ceiling comes out a little high.
 */
export function noiseCeiling({ name, predictions }: ScoredList, seed: number): NoiseCeiling {
  const known = predictions.flatMap(({ mos, mosStd }) =>
    mosStd !== null && isKnownDeviation(mosStd) ? [{ mos, deviation: mosStd }] : [],
  );
  const unknown = predictions.length - known.length;
  if (known.length === 0) return { value: null, reason: "no deviations of the opinion scores" };
  if (unknown > MAX_UNKNOWN * predictions.length) {
    return { value: null, reason: `${unknown} of ${predictions.length} images have no deviation` };
  }
  const opinions = knownDatabase(name)?.opinions ?? null;
  const share = 1 / Math.sqrt(opinions ?? 1);
  const truth = known.map(({ mos }) => mos);
  const values: number[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    const random = seededRandom(seed, "noise ceiling", name, draw);
    const again = known.map(({ mos, deviation }) => mos + share * deviation * random.normal());
    const result = srcc(again, truth);
    if (!result.ok) return { value: null, reason: result.reason };
    values.push(result.value);
  }
  return { value: mean(values), images: known.length, opinions };
}
