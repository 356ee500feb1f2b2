/**
 * Variable projection (G. Golub and V. Pereyra 1973, in L. Kaufman's form): at each centre and width the best offset,
 * height and slope are known in closed form, so only two parameters are searched. Where a database's best logistic is
 * a limit (an exponential, a straight line), all parameters run to infinity together along a bent valley in which the
 * plain method makes thousands of tiny steps; here the valley is straight.
 */
import { centred, dot, mean, removeShare } from "../metrics/vectors.js";
import type { Linearization, Points } from "./linearization.js";
import type { Sigmoid } from "./logistic.js";
import { sigmoid } from "./logistic.js";

/** The quadratic model at [centre, width], with offset, height and slope at their best there. */
export function linearizeProjected(parameters: Float64Array, points: Points, hasSlope: boolean): Linearization {
  const { height, residual, byCentre, byWidth } = project(parameters, points, hasSlope);
  const { weights } = points;
  return {
    parameters,
    squaredError: dot(residual, residual, weights),
    normal: Float64Array.of(
      height ** 2 * dot(byCentre, byCentre, weights),
      0, // above the diagonal, never read
      height ** 2 * dot(byWidth, byCentre, weights),
      height ** 2 * dot(byWidth, byWidth, weights),
    ),
    gradient: Float64Array.of(height * dot(byCentre, residual, weights), height * dot(byWidth, residual, weights)),
  };
}

/** A curve with its shape: base + slope·x + height·shape(x). */
interface ProjectedCurve extends Line {
  readonly shape: Shape;
}

/** The best curve with this centre and width. */
export function bestCurve(parameters: Float64Array, points: Points, hasSlope: boolean): ProjectedCurve {
  const { x, y, weights } = points;
  const { height, shape, values } = project(parameters, points, hasSlope);
  const left = y.map((value, i) => value - height * (values[i] ?? NaN));
  const across = centred(x, weights);
  const slope = hasSlope ? dot(left, across, weights) / dot(across, across, weights) : 0;
  const base = mean(
    left.map((value, i) => value - slope * (x[i] ?? NaN)),
    weights,
  );
  return { base, height, slope, shape };
}

const unread = new Float64Array(2);

export function evaluateCurve({ base, slope, height, shape }: ProjectedCurve, x: number): number {
  return base + slope * x + height * shape.at(x, unread);
}

/** What the constant, the slope and the sigmoid leave of y and of the sigmoid's derivatives. */
interface Projection {
  readonly shape: Shape;
  readonly values: Float64Array;
  readonly height: number;
  readonly residual: Float64Array;
  readonly byCentre: Float64Array;
  readonly byWidth: Float64Array;
}

function project([centre = NaN, width = NaN]: Float64Array, points: Points, hasSlope: boolean): Projection {
  const { x, y, weights } = points;
  const shape = sigmoidShape(centre, Math.abs(width), reachOf(x), hasSlope); // a search may step over 0
  const values = new Float64Array(x.length);
  const byCentre = new Float64Array(x.length);
  const byWidth = new Float64Array(x.length);
  const partials = new Float64Array(2);
  for (let i = 0; i < x.length; i++) {
    values[i] = shape.at(x[i] ?? NaN, partials);
    byCentre[i] = partials[0] ?? NaN;
    byWidth[i] = (partials[1] ?? NaN) * Math.sign(width);
  }
  const across = hasSlope ? centred(x, weights) : undefined;
  const free = (column: Float64Array): Float64Array => {
    const left = centred(column, weights);
    if (across !== undefined) removeShare(left, across, weights);
    return left;
  };
  const freeShape = free(values);
  const derivatives = { byCentre: free(byCentre), byWidth: free(byWidth) };
  removeShare(derivatives.byCentre, freeShape, weights);
  removeShare(derivatives.byWidth, freeShape, weights);
  const residual = free(y);
  const height = removeShare(residual, freeShape, weights);
  return { shape, values, height, residual, ...derivatives };
}

/** The largest distance from 0. */
function reachOf(x: Float64Array): number {
  let reach = 0;
  for (let i = 0; i < x.length; i++) reach = Math.max(reach, Math.abs(x[i] ?? NaN));
  return reach;
}

/**
 * A sigmoid over points around 0, up to a constant and a factor, and where `isFreeOfLine` up to a line as well: what is
 * left of a family once its linear parameters are known to follow. Each form keeps its digits where the other has none.
 */
interface Shape {
  /** The value at x; `partials` receives its derivatives by centre and width. */
  readonly at: (x: number, partials: Float64Array) => number;
  /** The plain form of base + slope·x + height·shape. */
  readonly toSigmoid: (line: Line) => Sigmoid;
}

/** What goes with a shape: base + slope·x + height·shape(x). */
interface Line {
  readonly base: number;
  readonly slope: number;
  readonly height: number;
}

/**
 * @param width above 0
 * @param reach how far from 0 the points go
 */
function sigmoidShape(centre: number, width: number, reach: number, isFreeOfLine: boolean): Shape {
  return width > reach ? wideShape(centre, width, isFreeOfLine) : plainShape(centre, width);
}

/**
 * The sigmoid itself. It falls as well as it rises (1 - s is one too, and the constant is free): of the two, the one that
 * is small over most points, as near 1 a curve that is almost an exponential would have no digits.
 */
function plainShape(centre: number, width: number): Shape {
  const signed = centre < 0 ? -width : width;
  return {
    at: (x, partials) => {
      const z = (x - centre) / signed;
      const s = sigmoid(z);
      const steepness = s * (1 - s);
      partials[0] = -steepness / signed;
      partials[1] = steepness === 0 ? 0 : (-steepness * z) / width;
      return s;
    },
    toSigmoid: ({ base, slope, height }) => ({ offset: base, height, centre, width: signed, slope }),
  };
}

/**
 * For |x| < width. There a sigmoid is nearly its tangent at 0, and what tells it from that is lost in float64 when it is
 * computed as a difference. With δ = x / width, a = -centre / width, p = sigmoid(a) and m = exp(δ) - 1,
 *     (sigmoid(a + δ) - p) / (p (1 - p)) = m / (1 + p m)
 * and less its tangent δ, as m - δ - m δ / 2 and 1/2 - p = -tanh(a / 2) / 2 each have their own digits,
 *     (m - δ - m δ / 2 - m δ tanh(a / 2) / 2) / (1 + p m).
 */
function wideShape(centre: number, width: number, isFreeOfLine: boolean): Shape {
  const a = -centre / width;
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
      centre,
      width,
      slope: slope - (isFreeOfLine ? height / width : 0),
    }),
  };
}

/** Terms of the series below: the last is under 1e-18 of the first at |δ| = 1. */
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
