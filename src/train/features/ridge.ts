import { cholesky, solveFactored } from "../../base/cholesky.js";
import { ConfigError } from "../../base/errors.js";

/** Row of a regression: the features of an image, and the number that they are to give. */
export interface RidgeRow {
  readonly features: ArrayLike<number>;
  readonly target: number;
  /** Weight of its squared error; 1 by default. */
  readonly weight?: number;
}

/** Solution of a ridge regression. */
export interface RidgeSolution {
  /** [features] */
  readonly weights: Float64Array;
  /** Mean of the weighted squared errors. */
  readonly error: number;
  /** Norm of half the objective's gradient where it was solved: 0 but for rounding. */
  readonly gradientNorm: number;
}

/**
 * Ridge regression without an intercept, in closed form: the w of least Σ weight·(target − features·w)² + λ·|w|², from
 * (XᵀDX + λ)·w = XᵀDy by Cholesky's method in float64. scikit-learn's `Ridge(alpha=λ, fit_intercept=False)` with
 * `sample_weight`.
 * @param rows    at least one, each of `width` features; read once, in their order
 * @param lambda  above 0
 * @throws {ConfigError} where λ is too small for features that say the same
 */
export async function solveRidge(
  rows: AsyncIterable<RidgeRow> | Iterable<RidgeRow>,
  { width, lambda }: { readonly width: number; readonly lambda: number },
): Promise<RidgeSolution> {
  const sums = { gram: new Float64Array(width * width), moments: new Float64Array(width), squares: 0, weight: 0 };
  for await (const row of rows) addRow(sums, row);
  const { gram, moments, squares, weight } = sums;
  for (let i = 0; i < width; i++) gram[i * width + i] = (gram[i * width + i] ?? NaN) + lambda;
  const weights = solvePositive(gram, moments);
  const product = symmetricProduct(gram, weights); // with λ on the diagonal
  const penalty = lambda * dot(weights, weights);
  const error = (squares - 2 * dot(weights, moments) + dot(weights, product) - penalty) / weight;
  const gradientNorm = Math.hypot(...product.map((value, i) => value - (moments[i] ?? NaN)));
  return { weights, error: Math.max(0, error), gradientNorm };
}

/** Sums over rows; of the Gram matrix the lower triangle alone. */
interface Sums {
  readonly gram: Float64Array;
  readonly moments: Float64Array;
  squares: number;
  weight: number;
}

function addRow(sums: Sums, { features, target, weight = 1 }: RidgeRow): void {
  const width = sums.moments.length;
  if (features.length !== width)
    throw new RangeError(`solveRidge: a row has ${features.length} features, not ${width}`);
  const { gram, moments } = sums;
  for (let i = 0; i < width; i++) {
    const scaled = weight * (features[i] as number); // inside: checked above
    const line = i * width;
    for (let j = 0; j <= i; j++) gram[line + j] = (gram[line + j] as number) + scaled * (features[j] as number);
    moments[i] = (moments[i] as number) + scaled * target;
  }
  sums.squares += weight * target * target;
  sums.weight += weight;
}

/**
 * x of A·x = b.
 * @param a  lower triangle of a symmetric matrix, borrowed
 * @throws {ConfigError} where it is not positive definite in float64
 */
function solvePositive(a: Float64Array, b: Float64Array): Float64Array {
  const factor = cholesky(a, b.length);
  if (factor !== undefined) return solveFactored(factor, b);
  const what = "is too small beside the squares of the features, or these are not finite";
  throw new ConfigError(`train.probe.lambda: ${what}; raise it`);
}

/** A·x. @param a  lower triangle of a symmetric matrix */
function symmetricProduct(a: Float64Array, x: Float64Array): Float64Array {
  const n = x.length;
  const product = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const entry = a[i * n + j] as number; // inside
      product[i] = (product[i] as number) + entry * (x[j] as number);
      if (i !== j) product[j] = (product[j] as number) + entry * (x[i] as number);
    }
  }
  return product;
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0);
}
