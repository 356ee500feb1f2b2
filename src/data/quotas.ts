/** Fewer images of a database in a step form no pair. */
export const FEWEST_PER_STEP = 2;

/**
 * Divides a step's images among databases in proportion to size^(1/temperature), the temperature-scaled mixing of
 * arXiv 1910.10683 (section 3.5.2). Temperature 1 is in proportion to the sizes; the higher, the more even.
 *
 * A database whose share is below 2 gets 2, and the others divide the rest. Shares are made whole by largest remainder;
 * of equal remainders the earlier database's comes first. So the quotas are the same whenever they are computed.
 *
 * @param sizes        training images of each database, each at least 1
 * @param total        images of a step, at least 2 of each database
 * @param temperature  at least 1
 * @returns            for each database its images of every step; they sum to `total`
 */
export function temperatureQuotas(sizes: readonly number[], total: number, temperature: number): number[] {
  const weights = sizes.map((size) => size ** (1 / temperature));
  return wholeShares(sharesAboveFewest(weights, total), total);
}

/** Proportional shares, those below the fewest raised to it at the others' cost. */
function sharesAboveFewest(weights: readonly number[], total: number): number[] {
  const raised = new Set<number>();
  for (;;) {
    const rest = total - FEWEST_PER_STEP * raised.size;
    const sum = weights.reduce((partial, weight, i) => partial + (raised.has(i) ? 0 : weight), 0);
    const shares = weights.map((weight, i) => (raised.has(i) ? FEWEST_PER_STEP : (rest * weight) / sum));
    const below = shares.flatMap((share, i) => (share < FEWEST_PER_STEP && !raised.has(i) ? [i] : []));
    if (below.length === 0) return shares;
    for (const i of below) raised.add(i);
  }
}

/** Rounded down, then one more for the largest remainders until they sum to `total`. */
function wholeShares(shares: readonly number[], total: number): number[] {
  const whole = shares.map(Math.floor);
  const left = total - whole.reduce((sum, share) => sum + share, 0);
  const byRemainder = shares
    .map((share, i) => ({ i, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, left)) whole[i] = (whole[i] ?? 0) + 1;
  return whole;
}
