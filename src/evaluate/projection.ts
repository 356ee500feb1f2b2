/**
 * Variable projection (G. Golub and V. Pereyra 1973, in L. Kaufman's form): at each centre and width the best offset,
 * height and slope are known in closed form, so only two parameters are searched. Where a database's best logistic is
 * a limit (an exponential, a straight line), all parameters run to infinity together along a bent valley in which the
 * plain method makes thousands of tiny steps; here the valley is straight.
 */
import type { Linearization, Points } from "./linearization.js";
import type { Sigmoid } from "./logistic.js";
import { sigmoid } from "./logistic.js";
import { centred, dot, mean, removeShare } from "./vectors.js";

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

/** The best curve with this centre and width. */
export function bestSigmoid(parameters: Float64Array, points: Points, hasSlope: boolean): Sigmoid {
  const [centre = NaN] = parameters;
  const width = signedWidth(parameters);
  const { x, y, weights } = points;
  const { height } = project(parameters, points, hasSlope);
  const left = y.map((value, i) => value - height * sigmoid(((x[i] ?? NaN) - centre) / width));
  const across = centred(x, weights);
  const slope = hasSlope ? dot(left, across, weights) / dot(across, across, weights) : 0;
  const offset = mean(
    left.map((value, i) => value - slope * (x[i] ?? NaN)),
    weights,
  );
  return { offset, height, centre, width, slope };
}

/** What the constant, the slope and the sigmoid leave of y and of the sigmoid's derivatives. */
interface Projection {
  readonly height: number;
  readonly residual: Float64Array;
  readonly byCentre: Float64Array;
  readonly byWidth: Float64Array;
}

/**
 * A sigmoid falls as well as it rises (1 - s is one too, and the constant is free). Of the two, the one that is small
 * over most points: near 1, float64 would leave a curve that is almost an exponential no digits.
 */
function signedWidth([centre = NaN, width = NaN]: Float64Array): number {
  return centre < 0 ? -width : width; // standardized points lie around 0
}

function project(parameters: Float64Array, points: Points, hasSlope: boolean): Projection {
  const { x, y, weights } = points;
  const [centre = NaN, width = NaN] = parameters;
  const signed = signedWidth(parameters);
  const s = new Float64Array(x.length);
  const byCentre = new Float64Array(x.length);
  const byWidth = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const z = ((x[i] ?? NaN) - centre) / signed;
    const value = sigmoid(z);
    const steepness = value * (1 - value);
    s[i] = value;
    byCentre[i] = -steepness / signed;
    byWidth[i] = steepness === 0 ? 0 : (-steepness * z) / width;
  }
  const across = hasSlope ? centred(x, weights) : undefined;
  const free = (column: Float64Array): Float64Array => {
    const left = centred(column, weights);
    if (across !== undefined) removeShare(left, across, weights);
    return left;
  };
  const shape = free(s);
  const derivatives = { byCentre: free(byCentre), byWidth: free(byWidth) };
  removeShare(derivatives.byCentre, shape, weights);
  removeShare(derivatives.byWidth, shape, weights);
  const residual = free(y);
  const height = removeShare(residual, shape, weights);
  return { height, residual, ...derivatives };
}
