import { DataError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";

export const SUBSETS = ["train", "val", "test"] as const;
export type Subset = (typeof SUBSETS)[number];

/** Of all contents, for validation and for testing; the rest is for training. */
const VALIDATION_SHARE = 0.1;
const TEST_SHARE = 0.2;

/**
 * Contents into three parts, 70/10/20 as near as whole contents allow and none of them empty.
 *
 * All images of one photograph fall into one part: a model is tested on contents that it never saw.
 *
 * @param split  its number from 1; each draws anew from (seed, split)
 * @throws {DataError} on fewer than three contents
 */
export function splitContents(contents: readonly string[], seed: number, split: number): Record<Subset, string[]> {
  if (contents.length < SUBSETS.length) {
    throw new DataError(
      `splitContents: ${contents.length} photograph(s) cannot be parted into train, val and test; ` +
        `give at least ${SUBSETS.length}`,
    );
  }
  const shuffled = seededRandom(seed, "split", split).shuffle(contents);
  const validation = Math.max(1, Math.round(VALIDATION_SHARE * contents.length));
  const test = Math.max(1, Math.round(TEST_SHARE * contents.length));
  const train = contents.length - validation - test;
  return {
    train: shuffled.slice(0, train).sort(),
    val: shuffled.slice(train, train + validation).sort(),
    test: shuffled.slice(train + validation).sort(),
  };
}
