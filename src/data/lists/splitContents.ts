import { DataError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import { type Subset, SUBSETS } from "../sample.js";

/** Parts of all contents, of 100. */
export type Shares = Readonly<Record<Subset, number>>;

export const DEFAULT_SHARES: Shares = { train: 70, val: 10, test: 20 };

/**
 * Contents into three parts, as near to their shares as whole contents allow and none of them empty.
 *
 * All images of one photograph fall into one part: a model is tested on contents that it never saw.
 *
 * @param split  its number from 1; each draws anew from (seed, split)
 * @throws {DataError} on fewer than three contents
 */
export function splitContents(
  contents: readonly string[],
  seed: number,
  split: number,
  shares: Shares = DEFAULT_SHARES,
): Record<Subset, string[]> {
  if (contents.length < SUBSETS.length) {
    throw new DataError(
      `splitContents: ${contents.length} photograph(s) cannot be parted into train, val and test; ` +
        `give at least ${SUBSETS.length}`,
    );
  }
  const shuffled = seededRandom(seed, "split", split).shuffle(contents);
  const sizeOf = (share: number) => Math.max(1, Math.round((share / 100) * contents.length));
  const test = Math.min(sizeOf(shares.test), contents.length - 2);
  const validation = Math.min(sizeOf(shares.val), contents.length - test - 1);
  const train = contents.length - validation - test;
  return {
    train: shuffled.slice(0, train).sort(),
    val: shuffled.slice(train, train + validation).sort(),
    test: shuffled.slice(train + validation).sort(),
  };
}
