/**
 * Variable projection (G. Golub and V. Pereyra 1973, in L. Kaufman's form): at each center and width the best offset,
 * height and slope are known in closed form, so only two parameters are searched. Where a database's best logistic is
 * a limit (an exponential, a straight line), all parameters run to infinity together along a bent valley in which the
 * plain method makes thousands of tiny steps; here the valley is straight.
 */
import { centered, dot, mean } from "../metrics/vectors.js";
import type { Linearization, Points } from "./levenbergMarquardt.js";
import { sigmoid, type Sigmoid } from "./logistic.js";

/** Quadratic model at [center, width], with offset, height and slope at their best there. */
export function linearizeProjected(parameters: Float64Array, points: Points, hasSlope: boolean): Linearization {
  const { residual, byCenter, byWidth } = project(parameters, points, hasSlope);
  const { weights } = points;
  return {
    parameters,
    squaredError: dot(residual, residual, weights),
    normal: Float64Array.of(
      dot(byCenter, byCenter, weights),
      0, // above the diagonal, never read
      dot(byWidth, byCenter, weights),
      dot(byWidth, byWidth, weights),
    ),
    gradient: Float64Array.of(dot(byCenter, residual, weights), dot(byWidth, residual, weights)),
  };
}

/** The best curve with this center and width: its value at x, and its plain form. */
export function bestCurve(
  parameters: Float64Array,
  points: Points,
  hasSlope: boolean,
): { readonly at: (x: number) => number; readonly sigmoid: Sigmoid } {
  const { x, y, weights } = points;
  const { height, shape, values } = project(parameters, points, hasSlope);
  const left = y.map((value, i) => value - height * (values[i] ?? NaN));
  const across = centered(x, weights);
  const slope = hasSlope ? dot(left, across, weights) / dot(across, across, weights) : 0;
  const base = mean(
    left.map((value, i) => value - slope * (x[i] ?? NaN)),
    weights,
  );
  const unread = new Float64Array(2);
  return {
    at: (score) => base + slope * score + height * shape.at(score, unread),
    sigmoid: shape.toSigmoid({ base, slope, height }),
  };
}

/** Remainders of y and of the curve's derivatives, without their shares of the constant, the slope and the sigmoid. */
interface Projection {
  readonly shape: Shape;
  readonly values: Float64Array;
  readonly height: number;
  readonly residual: Float64Array;
  readonly byCenter: Float64Array;
  readonly byWidth: Float64Array;
}

/** Narrowest width that is told from a step: the points have a deviation of 1. */
const NARROWEST = 1e-9;

/** Sigmoids below this have lost digits, and points would be fitted with their rounding errors: their share is 0. */
const SMALLEST = Number.MIN_VALUE / Number.EPSILON ** 2;

function project([center = NaN, signedWidth = NaN]: Float64Array, points: Points, hasSlope: boolean): Projection {
  const { x, y, weights } = points;
  const shape = shapeAt(center, signedWidth, x, hasSlope);
  const values = new Float64Array(x.length);
  const byCenter = new Float64Array(x.length);
  const byWidth = new Float64Array(x.length);
  const partials = new Float64Array(2);
  for (let i = 0; i < x.length; i++) {
    values[i] = shape.at(x[i] ?? NaN, partials);
    byCenter[i] = partials[0] ?? NaN;
    byWidth[i] = (partials[1] ?? NaN) * Math.sign(signedWidth);
  }
  const across = hasSlope ? centered(x, weights) : undefined;
  const free = (column: Float64Array): Float64Array => {
    const left = centered(column, weights);
    if (across !== undefined) removeShare(left, across, weights);
    return left;
  };
  const freeShape = free(values);
  const reach = reachOf(freeShape);
  const size = reach > SMALLEST ? reach : 1; // far from the data a sigmoid's square is too small for float64
  scaled(freeShape, 1 / size);
  const residual = free(y);
  const height = removeShare(residual, freeShape, weights);
  const leftOf = (derivative: Float64Array): Float64Array => {
    const left = scaled(free(derivative), 1 / size);
    removeShare(left, freeShape, weights);
    return scaled(left, height);
  };
  const derivatives = { byCenter: leftOf(byCenter), byWidth: leftOf(byWidth) };
  return { shape, values, height: height / size, residual, ...derivatives };
}

/** Shape with this center and width over points at x. */
export function shapeAt(center: number, signedWidth: number, x: Float64Array, hasSlope: boolean): Shape {
  const width = Math.max(NARROWEST, Math.abs(signedWidth)); // a search may step over 0
  return width > reachOf(x) ? wideShape(center, width, hasSlope) : plainShape(center, width);
}

/** Multiplies a column in place, and returns it. */
function scaled(column: Float64Array, factor: number): Float64Array {
  for (let i = 0; i < column.length; i++) column[i] = (column[i] ?? NaN) * factor;
  return column;
}

/** Removes from a column, in place, its share of another, and returns that share: 0 where the other is zero. */
function removeShare(column: Float64Array, other: Float64Array, weights: Points["weights"]): number {
  const size = dot(other, other, weights);
  if (size === 0) return 0;
  const share = dot(column, other, weights) / size;
  for (let i = 0; i < column.length; i++) column[i] = (column[i] ?? NaN) - share * (other[i] ?? NaN);
  return share;
}

/** Largest distance from 0. */
function reachOf(x: Float64Array): number {
  let reach = 0;
  for (let i = 0; i < x.length; i++) reach = Math.max(reach, Math.abs(x[i] ?? NaN));
  return reach;
}

/**
 * A sigmoid over points around 0, up to a constant and a factor, and up to a line where `isFreeOfLine`: a family without
 * its linear parameters. Its two forms, plain and wide, each keep their digits where the other loses them.
 */
interface Shape {
  /** Value at x; `partials` receives its derivatives by center and width. */
  readonly at: (x: number, partials: Float64Array) => number;
  /** Plain form of base + slope·x + height·shape(x). */
  readonly toSigmoid: (line: Line) => Sigmoid;
}

/** The linear parameters of base + slope·x + height·shape(x). */
type Line = { readonly base: number; readonly slope: number; readonly height: number };

/**
 * The sigmoid itself, or 1 less it, which fits as well as the constant is free: the one that is small over most points,
 * as near 1 a curve that is almost an exponential would have no digits.
 */
function plainShape(center: number, width: number): Shape {
  const signed = center < 0 ? -width : width;
  return {
    at: (x, partials) => {
      const z = (x - center) / signed;
      const s = sigmoid(z);
      const steepness = s * (1 - s);
      partials[0] = -steepness / signed;
      partials[1] = steepness === 0 ? 0 : (-steepness * z) / width;
      return s;
    },
    toSigmoid: ({ base, slope, height }) => ({ offset: base, height, center, width: signed, slope }),
  };
}

/**
 * Sigmoid for |x| < width, where it is nearly its tangent at 0 and their difference would be lost in float64. With
 * δ = x / width, a = -center / width, p = sigmoid(a) and m = exp(δ) - 1,
 *     (sigmoid(a + δ) - p) / (p (1 - p)) = m / (1 + p m)
 * and less its tangent δ, as m - δ - m δ / 2 and 1/2 - p = -tanh(a / 2) / 2 each have their own digits,
 *     (m - δ - m δ / 2 - m δ tanh(a / 2) / 2) / (1 + p m).
 */
function wideShape(center: number, width: number, isFreeOfLine: boolean): Shape {
  const a = -center / width;
  const p = sigmoid(a);
  const q = sigmoid(-a);
  const tilt = Math.tanh(a / 2);
  return {
    at: (x, partials) => {
      const delta = x / width;
      const m = Math.expm1(delta);
      const below = q + p * (m + 1);
      const rise = m / below;
      const steepness = isFreeOfLine ? -rise * (tilt / below + p * p * rise) : (m + 1) / below ** 2;
      partials[0] = (p * q * rise ** 2) / width;
      partials[1] = (a * p * q * rise ** 2 - delta * steepness) / width;
      return isFreeOfLine ? (withoutTangent(delta, m) - (tilt * m * delta) / 2) / below : rise;
    },
    toSigmoid: ({ base, slope, height }) => ({
      offset: base - height / q,
      height: height / (p * q),
      center,
      width,
      slope: slope - (isFreeOfLine ? height / width : 0),
    }),
  };
}

/** Number of terms of the series below: the last is under 1e-18 of the first at |δ| = 1. */
const SERIES_TERMS = 18;

/** m - δ - m δ / 2 with m = exp(δ) - 1: -Σ δᵏ (k - 2) / (2 k!) from k = 3. */
function withoutTangent(delta: number, m: number): number {
  if (Math.abs(delta) > 1) return m - delta - (m * delta) / 2;
  let power = (delta * delta) / 2; // δᵏ / k!
  let sum = 0;
  for (let k = 3; k < 3 + SERIES_TERMS; k++) {
    power *= delta / k;
    sum -= (power * (k - 2)) / 2;
  }
  return sum;
}
