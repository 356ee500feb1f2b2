import { whyNoCorrelation } from "../metrics/correlation.js";
import { mapNumbers, meanAndDeviation } from "../metrics/vectors.js";
import type { Protocol } from "../protocols.js";
import { levenbergMarquardt, type Points } from "./levenbergMarquardt.js";
import type { CurveFamily, Sigmoid } from "./logistic.js";
import { minpackFit } from "./minpack.js";
import { sumsAt } from "./projectedSums.js";
import { bestCurve, linearizeProjected } from "./variableProjection.js";

type LeastSquares = ReturnType<typeof levenbergMarquardt>;

/** A curve from predictions to MOS that was found to fit, or why there is none. */
export type MappingResult =
  { readonly ok: true; readonly mapping: Mapping } | { readonly ok: false; readonly reason: string };

export interface Mapping {
  /** Predictions on the scale of MOS, in their order. */
  readonly apply: (predicted: ArrayLike<number>) => Float64Array;
  /** In the published order from beta 1, for predictions and MOS as they are; empty where nothing is mapped. */
  readonly parameters: readonly number[];
  readonly iterations: number;
  /** Number of starts tried, and of those that converged. */
  readonly starts: { readonly tried: number; readonly converged: number };
  /** The curve over standardized points, from which a fit to a resample starts; absent where nothing is mapped. */
  readonly standardized?: StandardizedPoints & { readonly curve: Sigmoid };
}

/** Points to fit, standardized: x = xMean + xScale·x', y = yMean + yScale·y'. */
interface StandardizedPoints {
  readonly points: Points;
  readonly xMean: number;
  readonly xScale: number;
  readonly yMean: number;
  readonly yScale: number;
}

/** Limits of the variable projection that goes from a search's end to the minimum itself. */
const POLISH = { tolerance: 1e-14, maxIterations: 500 };
/** Limits for a resample: an end of an interval needs four digits. */
const REFIT = { tolerance: 1e-7, maxIterations: 100 };

const IDENTITY: Mapping = {
  apply: (predicted) => Float64Array.from(predicted),
  parameters: [],
  iterations: 0,
  starts: { tried: 0, converged: 0 },
};

/**
 * Fits the protocol's curve to all points: the least squared error over its starts. Where none converges: the reason.
 * @throws {RangeError} where predictions and MOS differ in length
 */
export function fitMapping(protocol: Protocol, predicted: ArrayLike<number>, mos: ArrayLike<number>): MappingResult {
  if (protocol.mapping === undefined) return { ok: true, mapping: IDENTITY };
  const { family, starts } = protocol.mapping;
  const reason = whyNoCorrelation("fitMapping", predicted, mos);
  if (reason !== undefined) return { ok: false, reason };
  if (mos.length <= family.parameters) return tooFew(mos.length, family);
  const standardized = standardize(predicted, mos);
  const { points } = standardized;
  const fits =
    starts === "released"
      ? fitsFromReleased(family, { x: predicted, y: mos }, standardized)
      : fitsFromSeveral(family, points);
  return bestOf(fits, family, standardized);
}

/** With no more images than parameters the curve would go through all of them, and PLCC be 1 whatever they are. */
function tooFew(images: number, { parameters }: CurveFamily): MappingResult {
  return { ok: false, reason: `too few images: ${images} for a curve of ${parameters} parameters` };
}

function standardize(predicted: ArrayLike<number>, mos: ArrayLike<number>): StandardizedPoints {
  const [xMean, xScale] = meanAndDeviation(predicted);
  const [yMean, yScale] = meanAndDeviation(mos);
  const points = {
    x: mapNumbers(predicted, (score) => (score - xMean) / xScale),
    y: mapNumbers(mos, (score) => (score - yMean) / yScale),
  };
  return { points, xMean, xScale, yMean, yScale };
}

/**
 * The fit from the released start alone, where it ends in a curve. One that ends in a step between two predictions, or in
 * a sigmoid's far end, has stopped where no parameter has a slope; which of many such places a search ends in depends on
 * its last bits, and so the grid's starts are tried too, and the least error counts.
 */
function fitsFromReleased(family: CurveFamily, raw: RawPoints, standardized: StandardizedPoints): LeastSquares[] {
  const { points } = standardized;
  const fit = fitFromReleased(family, raw, standardized);
  const [center = NaN, width = NaN] = fit.parameters;
  const isFlat = points.x.every((x) => Math.abs(x - center) > FLAT * width);
  return isFlat ? [fit, ...fitsFromSeveral(family, points)] : [fit];
}

/** Distance from the center, in widths, beyond which a sigmoid is within a thousandth of its ends. */
const FLAT = 7;

function fitsFromSeveral(family: CurveFamily, points: Points): LeastSquares[] {
  return initialGuesses(points, family.hasSlope).map((start) => polish(start, family, points));
}

/**
 * Takes SciPy's way from the released start over the points as they are, then goes from its end to the minimum itself.
 * Where that way ends outside float64, the minimum is looked for from the start.
 */
function fitFromReleased(family: CurveFamily, raw: RawPoints, standardized: StandardizedPoints): LeastSquares {
  const { points, xMean, xScale } = standardized;
  const ofY = (pick: (a: number, b: number) => number) => Array.from(raw.y).reduce((a, b) => pick(a, b));
  const start = Float64Array.of(ofY(Math.max), ofY(Math.min), xMean, xScale);
  const found = minpackFit(family.curve, raw, start);
  const { center, width } = family.toSigmoid(found.parameters);
  const polished = polish({ center: (center - xMean) / xScale, width: width / xScale }, family, points);
  const isFound = polished.converged || (found.hasArrived && Number.isFinite(polished.squaredError));
  const fit = isFound ? polished : polish({ center: 0, width: 1 }, family, points); // the start, standardized
  return { ...fit, converged: isFound || fit.converged, iterations: found.iterations + fit.iterations };
}

type RawPoints = Parameters<typeof minpackFit>[1];

function polish({ center, width }: Start, { hasSlope }: CurveFamily, points: Points): LeastSquares {
  const isResample = points.weights !== undefined;
  const search = (parameters: Float64Array) =>
    quickSums(parameters, points, hasSlope)?.model ?? linearizeProjected(parameters, points, hasSlope);
  const limits = isResample ? REFIT : POLISH;
  return levenbergMarquardt(search, Float64Array.of(center, Math.abs(width)), limits); // the sign follows the center
}

/** Sums for a resample, where four digits are enough. */
function quickSums(parameters: Float64Array, points: Points, hasSlope: boolean): ReturnType<typeof sumsAt> {
  return points.weights === undefined || hasSlope ? undefined : sumsAt(parameters, points);
}

/** Fits the curve again from the one of all images, as for a resample: image i counts `weights[i]` times. */
export function refitMapping(protocol: Protocol, full: Mapping, weights: Float64Array): MappingResult {
  if (protocol.mapping === undefined || full.standardized === undefined) return { ok: true, mapping: full };
  const { family } = protocol.mapping;
  const distinct = weights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0);
  if (distinct <= family.parameters) return tooFew(distinct, family);
  const { curve, ...standardized } = full.standardized;
  const points = { ...standardized.points, weights };
  return bestOf([polish(curve, family, points)], family, { ...standardized, points });
}

function bestOf(fits: readonly LeastSquares[], family: CurveFamily, standardized: StandardizedPoints): MappingResult {
  const converged = fits.filter((fit) => fit.converged).sort((a, b) => a.squaredError - b.squaredError);
  const best = converged[0];
  if (best === undefined) {
    return { ok: false, reason: `the logistic fit did not converge from any of its ${fits.length} start(s)` };
  }
  const { points, xMean, xScale, yMean, yScale } = standardized;
  const { at, sigmoid } =
    quickSums(best.parameters, points, family.hasSlope) ?? bestCurve(best.parameters, points, family.hasSlope);
  return {
    ok: true,
    mapping: {
      apply: (predicted) => mapNumbers(predicted, (score) => yMean + yScale * at((score - xMean) / xScale)),
      parameters: family.fromSigmoid(unscale(sigmoid, standardized)),
      iterations: best.iterations,
      starts: { tried: fits.length, converged: converged.length },
      standardized: { ...standardized, curve: sigmoid },
    },
  };
}

/** The curve of the points as they are, from that of the standardized ones. */
function unscale(curve: Sigmoid, { xMean, xScale, yMean, yScale }: StandardizedPoints): Sigmoid {
  const slope = (curve.slope * yScale) / xScale;
  return {
    offset: yMean + yScale * curve.offset - slope * xMean,
    height: yScale * curve.height,
    center: xMean + xScale * curve.center,
    width: xScale * curve.width,
    slope,
  };
}

type Start = { readonly center: number; readonly width: number };

/** Widths, in deviations of the predictions: from a step between neighbors to a bend over all of them. */
const WIDTHS = Array.from({ length: 12 }, (_, i) => 0.03 * 1.6 ** i); // 0.03 to 5.3
/** Centers: at these shares of the predictions, and beyond both ends by these distances in deviations. */
const INNER_CENTERS = 20;
const OUTER_CENTERS = [0.5, 1.5, 4];

/** Number of the grid's lowest places from which searches begin. */
const MAX_STARTS = 16;
/** Starts on every grid: a long first step from a poor place can end in a minimum narrower than the grid. */
const FIXED_STARTS: readonly Start[] = [-1, -0.5, 0, 0.5, 1].flatMap((center) =>
  [0.25, 0.5, 1].map((width) => ({ center, width })),
);

/**
 * Places on a grid of centers and widths where no neighboring center fits better, lowest first, and the fixed ones: with
 * so many starts, one of their ends is the least squared error, but for minima narrower than the grid.
 */
function initialGuesses(points: Points, hasSlope: boolean): Start[] {
  const centers = centersOf(points.x);
  const starts = WIDTHS.flatMap((width) => {
    const errors = centers.map(
      (center) => linearizeProjected(Float64Array.of(center, width), points, hasSlope).squaredError,
    );
    return centers.flatMap((center, c) => {
      const error = errors[c] ?? NaN;
      const isLowest = [errors[c - 1], errors[c + 1]].every((other) => error <= (other ?? Infinity));
      return isLowest ? [{ center, width, error }] : [];
    });
  });
  return [...starts.sort((a, b) => a.error - b.error).slice(0, MAX_STARTS), ...FIXED_STARTS];
}

/** Distinct centers, ascending. */
function centersOf(x: Float64Array): number[] {
  const ascending = mapNumbers(x, (score) => score).sort();
  const last = ascending.length - 1;
  const at = (share: number): number => ascending[Math.round(share * last)] ?? NaN;
  const inner = Array.from({ length: INNER_CENTERS }, (_, i) => at((i + 0.5) / INNER_CENTERS));
  const outer = OUTER_CENTERS.flatMap((distance) => [at(0) - distance, at(1) + distance]);
  return [...new Set([...inner, ...outer])].sort((a, b) => a - b);
}
