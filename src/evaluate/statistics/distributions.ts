/** Tail probabilities and quantiles of the normal distribution and of Student's t. */

/** Distance from which the continued fraction is used; below it the series has all its digits. */
const FAR = 3;
/** Terms of the continued fraction: at 3, the 1e-15th part of the value. */
const FRACTION_TERMS = 100;

/**
 * P(|Z| > |z|) of the standard normal distribution: near 0 the series of M. Abramowitz and I. Stegun, Handbook of
 * Mathematical Functions, 26.2.11, further out the continued fraction 26.2.14. Relative error below 1e-12.
 */
export function normalTwoSidedP(z: number): number {
  const far = Math.abs(z);
  const density = Math.exp(-(far ** 2) / 2) / Math.sqrt(2 * Math.PI);
  if (far >= FAR) {
    let fraction = far;
    for (let k = FRACTION_TERMS; k >= 1; k--) fraction = far + k / fraction;
    return (2 * density) / fraction;
  }
  let term = far;
  let sum = far;
  for (let k = 3; term > Number.EPSILON * sum * 1e-3; k += 2) {
    term *= far ** 2 / k;
    sum += term;
  }
  return Math.min(1, 1 - 2 * density * sum);
}

/**
 * P(|T| > |t|) of Student's t with a whole number of degrees of freedom, by the finite series of M. Abramowitz and
 * I. Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4. Absolute error of the order of 1e-15.
 */
export function twoSidedP(t: number, degreesOfFreedom: number): number {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(degreesOfFreedom));
  const cosine2 = Math.cos(angle) ** 2;
  const isOdd = degreesOfFreedom % 2 === 1;
  let term = isOdd ? Math.cos(angle) : 1;
  let sum = degreesOfFreedom === 1 ? 0 : term;
  for (let k = isOdd ? 2 : 1; k <= degreesOfFreedom - 3; k += 2) {
    term *= (k / (k + 1)) * cosine2;
    sum += term;
  }
  const inside = isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  return Math.max(0, 1 - inside);
}

/** P(Z < z) of the standard normal distribution. */
export function normalBelow(z: number): number {
  const tail = normalTwoSidedP(z) / 2;
  return z < 0 ? tail : 1 - tail;
}

/** Distances that hold all quantiles asked for: below 1e-18 of the normal distribution, above 3 % of t with 1 degree. */
const [NORMAL_FARTHEST, STUDENT_FARTHEST] = [9, 20];

/** z with P(Z < z) = p, for p from 1e-18 to 1 - 1e-16. */
export function normalQuantile(p: number): number {
  const distance = distanceOf((z) => normalTwoSidedP(z), 2 * Math.min(p, 1 - p), NORMAL_FARTHEST);
  return p < 0.5 ? -distance : distance;
}

/** t > 0 with P(|T| > t) = p, for p from 0.04 to 1. */
export function studentQuantile(p: number, degreesOfFreedom: number): number {
  return distanceOf((t) => twoSidedP(t, degreesOfFreedom), p, STUDENT_FARTHEST);
}

/** Distance from 0 at which a falling tail probability is `p`, by bisection. */
function distanceOf(tail: (distance: number) => number, p: number, farthest: number): number {
  let [low, high] = [0, farthest];
  for (let i = 0; i < 53; i++) {
    const middle = (low + high) / 2;
    if (tail(middle) > p) low = middle;
    else high = middle;
  }
  return low;
}
