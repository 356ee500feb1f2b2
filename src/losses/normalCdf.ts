/** Beyond it, Φ is 0 or 1 to within 7e-16. */
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
  let sum = x;
  for (let k = 3; Math.abs(term) > Number.EPSILON * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}
