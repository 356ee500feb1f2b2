/**
 * The quadratic model of `variableProjection.ts` by sums alone, in one pass over the images: a bootstrap asks for it
 * thousands of times. Sums of products lose digits where a column is nearly constant or nearly another one's multiple;
 * there is no result then, and the slower way has its own.
 */
import type { Linearization, Points } from "./levenbergMarquardt.js";
import type { Sigmoid } from "./logistic.js";
import { shapeAt } from "./variableProjection.js";

interface ProjectedSums {
  readonly model: Linearization;
  /** The best curve with this center and width. */
  readonly at: (x: number) => number;
  readonly sigmoid: Sigmoid;
}

/**
 * Least share of a sum of squares that is left without the other columns' parts: of sixteen digits, six are lost in the
 * error that a search goes by, ten in the columns, which only say where to look next.
 */
const LEAST_LEFT = { error: 1e-6, column: 1e-10 };

/**
 * Model at [center, width] of a curve without a slope; undefined where the sums would lose too many digits.
 * @param points  with weights
 */
export function sumsAt(parameters: Float64Array, points: Points): ProjectedSums | undefined {
  const { weights } = points;
  if (newest?.parameters === parameters && newest.weights === weights) return newest.sums;
  newest = { parameters, weights, sums: makeSums(parameters, points) };
  return newest.sums;
}

/** The newest result: a search's last place is asked for once more, for its curve. */
let newest: { parameters: Float64Array; weights: Points["weights"]; sums: ProjectedSums | undefined } | null = null;

function makeSums(parameters: Float64Array, points: Points): ProjectedSums | undefined {
  const [center = NaN, signedWidth = NaN] = parameters;
  const shape = shapeAt(center, signedWidth, points.x, false);
  const columns = startColumns(parameters, points.x, shape);
  const { total, s, y, c, w, ss, sy, sc, sw, cc, cw, ww, yy, yc, yw } = sumsOf(points, columns ?? shape);
  const direction = Math.sign(signedWidth);
  const ofShape = ss - (s * s) / total;
  const [withMos, withCenter, withWidth] = [sy - (s * y) / total, sc - (s * c) / total, sw - (s * w) / total];
  const height = withMos / ofShape;
  const squaredError = yy - (y * y) / total - height * withMos;
  const byCenter = cc - (c * c) / total - (withCenter * withCenter) / ofShape;
  const byWidth = ww - (w * w) / total - (withWidth * withWidth) / ofShape;
  const both = cw - (c * w) / total - (withCenter * withWidth) / ofShape;
  const columnsLeft = [[ofShape, ss], [byCenter, cc], [byWidth, ww]] as const; // prettier-ignore
  const isSound = columnsLeft.every(([rest, whole]) => rest >= LEAST_LEFT.column * whole);
  if (!isSound || !(squaredError >= LEAST_LEFT.error * yy)) return undefined; // NaN has none either
  const base = (y - height * s) / total;
  const unread = new Float64Array(2);
  return {
    model: {
      parameters,
      squaredError,
      normal: Float64Array.of(byCenter * height ** 2, 0, direction * both * height ** 2, byWidth * height ** 2),
      gradient: Float64Array.of(
        height * (yc - (y * c) / total - height * withCenter),
        direction * height * (yw - (y * w) / total - height * withWidth),
      ),
    },
    at: (x) => base + height * shape.at(x, unread),
    sigmoid: shape.toSigmoid({ base, slope: 0, height }),
  };
}

/** A shape's values and derivatives at each point. */
interface Columns {
  readonly parameters: readonly number[];
  readonly values: Float64Array;
  readonly byCenter: Float64Array;
  readonly byWidth: Float64Array;
}

/** Columns of the first place asked for over the same points: all resamples of a list begin at its own curve. */
const starts = new WeakMap<Float64Array, Columns>();

function startColumns(parameters: Float64Array, x: Float64Array, { at }: ReturnType<typeof shapeAt>): Columns | null {
  const known = starts.get(x);
  if (known !== undefined) return known.parameters.every((value, i) => value === parameters[i]) ? known : null;
  const [values, byCenter, byWidth] = [0, 0, 0].map(() => new Float64Array(x.length));
  if (values === undefined || byCenter === undefined || byWidth === undefined)
    throw new Error("internal: three columns");
  const partials = new Float64Array(2);
  for (let i = 0; i < x.length; i++) {
    values[i] = at(x[i] ?? NaN, partials);
    byCenter[i] = partials[0] ?? NaN;
    byWidth[i] = partials[1] ?? NaN;
  }
  const columns = { parameters: [...parameters], values, byCenter, byWidth };
  starts.set(x, columns);
  return columns;
}

/** Weighted sums of the shape s, of MOS y and of the shape's derivatives c by center and w by width, and of products. */
function sumsOf({ x, y: mos, weights }: Points, from: Columns | ReturnType<typeof shapeAt>) {
  let [total, s, y, c, w, ss, sy, sc, sw, cc, cw, ww, yy, yc, yw] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const partials = new Float64Array(2);
  const at = "at" in from ? from.at : null;
  const columns = "at" in from ? null : from;
  for (let i = 0; i < x.length; i++) {
    const weight = weights?.[i] ?? 1;
    if (weight === 0) continue;
    const shape = (at === null ? columns?.values[i] : at(x[i] ?? NaN, partials)) ?? NaN;
    const score = mos[i] ?? NaN;
    const byCenter = (columns === null ? partials[0] : columns.byCenter[i]) ?? NaN;
    const byWidth = (columns === null ? partials[1] : columns.byWidth[i]) ?? NaN;
    const ofShape = weight * shape;
    const ofMos = weight * score;
    const ofCenter = weight * byCenter;
    total += weight;
    s += ofShape;
    y += ofMos;
    c += ofCenter;
    w += weight * byWidth;
    ss += ofShape * shape;
    sy += ofShape * score;
    sc += ofShape * byCenter;
    sw += ofShape * byWidth;
    cc += ofCenter * byCenter;
    cw += ofCenter * byWidth;
    ww += weight * byWidth * byWidth;
    yy += ofMos * score;
    yc += ofMos * byCenter;
    yw += ofMos * byWidth;
  }
  return { total, s, y, c, w, ss, sy, sc, sw, cc, cw, ww, yy, yc, yw };
}
