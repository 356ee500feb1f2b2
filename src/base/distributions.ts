/** The normal distribution, and what it makes of a score and its deviation. */
import { sum } from "./collections.js";

/** Argument beyond which Φ is 0 or 1 to within 7e-16. */
const LARGEST = 8;

/**
 * Φ, the standard normal distribution function, on the host in float64; absolute error below 1e-15.
 *
 * Φ(x) = ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + x⁷/(3·5·7) + …) (G. Marsaglia, Evaluating the Normal Distribution, Journal of
 * Statistical Software 11(4), 2004). NaN gives NaN.
 */
export function normalCdf(x: number): number {
  if (x < -LARGEST) return 0;
  if (x > LARGEST) return 1;
  let term = x;
  let total = x;
  for (let k = 3; Math.abs(term) > Number.EPSILON * Math.abs(total); k += 2) {
    term *= (x * x) / k;
    total += term;
  }
  return 0.5 + (total * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

/** Deviation in levels below which, and error of the mean from which, a Gaussian over the levels is not used. */
const LEAST_DEVIATION = 0.2;
const LARGEST_ERROR = 0.1;

/** Distance from the middle of the scale within which α below is taken at this distance: it is 0/0 in the middle. */
const MIDDLE = 1e-6;

/**
 * Soft levels of one image: DeQA-Score (CVPR 2025, arXiv 2501.11561, section 3.2), for any number of levels.
 *
 * With the MOS μ and its deviation σ in levels, the level k has r_k = Φ((k + ½ − μ)/σ) − Φ((k − ½ − μ)/σ) of a normal
 * distribution. What lies outside of the levels is made good by p_k = α·r_k + β, whose sum is 1 and whose mean is μ;
 * negative ones become 0 and the rest is divided by its sum, where the released code leaves the sum. As in the released
 * code, a deviation below 0.2 levels, or a mean that is then off by more than 0.1, has the two levels around μ instead,
 * in the proportion that gives μ.
 * @param score      in levels, 1 to `levels`
 * @param deviation  in levels, not negative
 * @returns          [levels]: probabilities, not negative, of sum 1
 */
export function softLevels(score: number, deviation: number, levels: number): number[] {
  if (deviation < LEAST_DEVIATION) return neighboringLevels(score, levels);
  const middle = (levels + 1) / 2;
  const mean = Math.abs(score - middle) < MIDDLE ? middle + MIDDLE : score;
  const raw = Array.from(
    { length: levels },
    (_, i) => normalCdf((i + 1.5 - mean) / deviation) - normalCdf((i + 0.5 - mean) / deviation),
  );
  const alpha = (mean - middle) / sum(raw.map((r, i) => r * (i + 1 - middle)));
  const beta = (1 - alpha * sum(raw)) / levels;
  const kept = raw.map((r) => Math.max(alpha * r + beta, 0));
  const probabilities = kept.map((p) => p / sum(kept));
  const found = sum(probabilities.map((p, i) => p * (i + 1)));
  return Math.abs(found - score) > LARGEST_ERROR ? neighboringLevels(score, levels) : probabilities;
}

function neighboringLevels(score: number, levels: number): number[] {
  return Array.from({ length: levels }, (_, i) => Math.max(0, 1 - Math.abs(score - (i + 1))));
}
