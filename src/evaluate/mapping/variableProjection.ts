/**
 * Variable projection (G. Golub and V. Pereyra 1973, in L. Kaufman's form): at each centre and width the best offset,
 * height and slope are known in closed form, so only two parameters are searched. Where a database's best logistic is
 * a limit (an exponential, a straight line), all parameters run to infinity together along a bent valley in which the
 * plain method makes thousands of tiny steps; here the valley is straight.
 */
import { centred, dot, mean, removeShare } from "../metrics/vectors.js";
import type { Linearization, Points } from "./linearization.js";
import type { Line, Shape } from "./sigmoidShape.js";
import { sigmoidShape } from "./sigmoidShape.js";

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
export interface ProjectedCurve extends Line {
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
