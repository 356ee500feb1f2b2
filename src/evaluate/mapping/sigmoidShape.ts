import type { Sigmoid } from "./logistic.js";
import { sigmoid } from "./logistic.js";

/**
 * A sigmoid over points around 0, up to a constant and a factor, and where `isFreeOfLine` up to a line as well: what is
 * left of a family once its linear parameters are known to follow. Each form keeps its digits where the other has none.
 */
export interface Shape {
  /** The value at x; `partials` receives its derivatives by centre and width. */
  readonly at: (x: number, partials: Float64Array) => number;
  /** The plain form of base + slope·x + height·shape. */
  readonly toSigmoid: (line: Line) => Sigmoid;
}

/** What goes with a shape: base + slope·x + height·shape(x). */
export interface Line {
  readonly base: number;
  readonly slope: number;
  readonly height: number;
}

/**
 * @param width above 0
 * @param reach how far from 0 the points go
 */
export function sigmoidShape(centre: number, width: number, reach: number, isFreeOfLine: boolean): Shape {
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
