import { cholesky, type Factor, solveFactored, solveLower } from "../../base/cholesky.js";

/** Points to fit; `weights` says how often each counts, once where there are none. */
export interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly weights?: Float64Array | undefined;
}

/** Squared error of a fit at one place, and its quadratic model there; J is the curve's Jacobian. */
export interface Linearization {
  readonly parameters: Float64Array;
  /** Σ weight·(y − curve)². */
  readonly squaredError: number;
  /** JᵀWJ, lower triangle, row after row. */
  readonly normal: Float64Array;
  /** JᵀW(y − curve): the direction of descent. */
  readonly gradient: Float64Array;
}

interface LeastSquares {
  readonly parameters: Float64Array;
  /** Σ weight·(y − curve)². */
  readonly squaredError: number;
  readonly iterations: number;
  readonly converged: boolean;
}

interface Limits {
  /** Relative reduction of the squared error, promised and gained, below which the search has arrived. */
  readonly tolerance: number;
  readonly maxIterations: number;
}

/** Relative size of the trust region below which the search has arrived. */
const STEP_TOLERANCE = 1e-13;
/** Cosine between the residual and the Jacobian's columns at which a place counts as stationary. */
const STATIONARY = 1e-12;
/** MINPACK's radius of the first trust region, in lengths of the start. */
const FIRST_RADIUS = 100;

/**
 * Least squares in few parameters: Levenberg-Marquardt with a trust region, after J. J. Moré, "The Levenberg-Marquardt
 * algorithm: implementation and theory" (1978), whose MINPACK SciPy's `curve_fit` runs: from the same start it reaches
 * the same minimum. A step that makes the fit worse is not taken.
 *
 * The package `ml-levenberg-marquardt` (5.1.0, with the analytic Jacobian, 2000 iterations and standardized points) damps
 * all parameters alike, keeps steps that made the fit worse and does not say whether it converged: from the LIQE
 * release's start it misses SciPy's curve by 3 to 41 % of the range of MOS on 10 of the 24 fixtures.
 * @param linearize the error and its quadratic model at given parameters, which have a scale of the order of 1
 */
export function levenbergMarquardt(
  linearize: (parameters: Float64Array) => Linearization,
  start: Float64Array,
  { tolerance, maxIterations }: Limits,
): LeastSquares {
  let here = linearize(start);
  let scale = columnNorms(here).map((norm) => norm || 1);
  let radius = FIRST_RADIUS * (scaledNorm(here.parameters, scale) || 1);
  let damping = 0;
  for (let iteration = 1; iteration <= maxIterations; iteration++) {
    const norms = columnNorms(here);
    if (isStationary(here, norms)) return finished(here, iteration, true);
    scale = scale.map((largest, j) => Math.max(largest, norms[j] ?? NaN));
    const { step, damping: needed } = stepWithin(here, { scale, radius }, damping);
    damping = needed;
    const length = scaledNorm(step, scale);
    if (iteration === 1) radius = Math.min(radius, length);
    const next = linearize(here.parameters.map((p, j) => p + (step[j] ?? NaN)));
    const promised = promisedReduction(here, step, damping * length ** 2);
    const gained = 1 - next.squaredError / here.squaredError; // NaN where the step leads out of float64
    const ratio = gained / promised;
    if (!(ratio > 0.25)) {
      const shrink = gained >= 0 ? 0.5 : 0.25;
      radius = shrink * Math.min(radius, 10 * length);
      damping /= shrink;
    } else if (damping === 0 || ratio >= 0.75) {
      radius = 2 * length;
      damping /= 2;
    }
    if (ratio >= 1e-4) here = next;
    const arrived = Math.abs(gained) <= tolerance && promised <= tolerance && ratio <= 2;
    if (arrived || here.squaredError === 0) return finished(here, iteration, true);
    if (radius <= STEP_TOLERANCE * scaledNorm(here.parameters, scale)) return finished(here, iteration, true);
    if (!Number.isFinite(radius) || !Number.isFinite(here.squaredError)) return finished(here, iteration, false);
  }
  return finished(here, maxIterations, false);
}

function isStationary({ squaredError, gradient }: Linearization, norms: Float64Array): boolean {
  return gradient.every((g, j) => Math.abs(g) <= STATIONARY * (norms[j] ?? NaN) * Math.sqrt(squaredError));
}

/** Share of the squared error that the quadratic model promises to remove: (‖Js‖² + 2·damping·‖Ds‖²) / error. */
function promisedReduction({ squaredError, gradient }: Linearization, step: Float64Array, damped: number): number {
  // As (JᵀJ + damping D²)s = gradient, ‖Js‖² = sᵀgradient − damping ‖Ds‖².
  return (step.reduce((sum, s, j) => sum + s * (gradient[j] ?? NaN), 0) + damped) / squaredError;
}

/** Trust region: the steps whose length, in units of `scale`, is at most `radius`. */
type Region = { readonly scale: Float64Array; readonly radius: number };

/**
 * The step that minimizes the quadratic model within a tenth of the region's radius, and its damping (0 where the model's
 * own minimum lies inside): Newton's method on the length of the damped step, between bounds.
 */
function stepWithin(
  here: Linearization,
  region: Region,
  previousDamping: number,
): { step: Float64Array; damping: number } {
  const { gradient } = here;
  const { scale, radius } = region;
  const free = cholesky(here.normal, gradient.length);
  let low = 0;
  if (free !== undefined) {
    const step = solveFactored(free, gradient);
    if (scaledNorm(step, scale) - radius <= 0.1 * radius) return { step, damping: 0 };
    low = correction(free, step, region);
  }
  const steepest = scaledNorm(gradient, scale.map((d) => 1 / d)); // prettier-ignore
  let high = steepest / radius;
  let damping = Math.min(Math.max(previousDamping, low), high) || high / 1000;
  for (let attempt = 1; ; attempt++) {
    const factor = cholesky(damped(here.normal, scale, damping), gradient.length);
    if (factor === undefined) {
      if (!(damping < Number.MAX_VALUE)) return { step: gradient.map(() => NaN), damping };
      low = damping;
      damping = Math.max(10 * damping, Number.MIN_VALUE);
      high = Math.max(high, damping);
      continue;
    }
    const step = solveFactored(factor, gradient);
    const excess = scaledNorm(step, scale) - radius;
    if (Math.abs(excess) <= 0.1 * radius || attempt >= 10) return { step, damping };
    if (excess > 0) low = Math.max(low, damping);
    else high = Math.min(high, damping);
    damping = Math.min(Math.max(low, damping + correction(factor, step, region)), high);
  }
}

/** JᵀWJ + damping·D². */
function damped(normal: Float64Array, scale: Float64Array, damping: number): Float64Array {
  const sum = normal.slice();
  scale.forEach((d, j) => {
    const diagonal = j * (scale.length + 1);
    sum[diagonal] = (sum[diagonal] ?? NaN) + damping * d * d;
  });
  return sum;
}

/** Newton's change of the damping that brings the step's length to the region's radius. */
function correction(factor: Factor, step: Float64Array, { scale, radius }: Region): number {
  const length = scaledNorm(step, scale);
  const direction = step.map((s, j) => ((scale[j] ?? NaN) ** 2 * s) / length);
  const half = solveLower(factor, direction);
  return (length - radius) / radius / half.reduce((sum, v) => sum + v * v, 0);
}

function finished({ parameters, squaredError }: Linearization, iterations: number, converged: boolean): LeastSquares {
  return { parameters, squaredError, iterations, converged: converged && Number.isFinite(squaredError) };
}

/** √Σ(dᵢvᵢ)². */
function scaledNorm(v: Float64Array, d: Float64Array): number {
  return Math.sqrt(v.reduce((sum, x, i) => sum + (x * (d[i] ?? NaN)) ** 2, 0));
}

/** Norms of the Jacobian's columns. */
function columnNorms({ normal, gradient }: Linearization): Float64Array {
  return gradient.map((_, j) => Math.sqrt(normal[j * gradient.length + j] ?? NaN));
}
