import { whyNoCorrelation } from "../metrics/correlation.js";
import { centred, dot, mapNumbers, mean } from "../metrics/vectors.js";
import type { Protocol } from "../protocols.js";
import type { LeastSquares, Limits } from "./levenbergMarquardt.js";
import { levenbergMarquardt } from "./levenbergMarquardt.js";
import type { Points } from "./linearization.js";
import { linearizeCurve } from "./linearization.js";
import type { CurveFamily, Sigmoid, Standardization } from "./logistic.js";
import { unscale } from "./logistic.js";
import { bestCurve, evaluateCurve, linearizeProjected } from "./variableProjection.js";

/** A curve from predictions to MOS that was found to fit, or why there is none. */
export type MappingResult =
  { readonly ok: true; readonly mapping: Mapping } | { readonly ok: false; readonly reason: string };

export interface Mapping {
  /** The predictions on the scale of MOS, in their order. */
  readonly apply: (predicted: ArrayLike<number>) => Float64Array;
  /** In the published order from beta 1, for predictions and MOS as they are; none where nothing is mapped. */
  readonly parameters: readonly number[];
  readonly iterations: number;
  /** Of the starts tried, how many converged. */
  readonly starts: { readonly tried: number; readonly converged: number };
  /** The points standardized, and the curve over them: where a fit to a resample of them starts. */
  readonly standardized?: { readonly curve: Sigmoid; readonly by: Standardization; readonly points: Points };
}

/** As SciPy's `curve_fit` by default, which the LIQE release leaves alone: as far as its path decides the minimum. */
const SEARCH: Limits = { tolerance: 1.49012e-8, maxIterations: 500 };
/** From there, by variable projection, to the minimum itself. */
const POLISH: Limits = { tolerance: 1e-14, maxIterations: 500 };

/** For a resample, whose share of an interval's end needs four digits. */
const REFIT: Limits = { tolerance: 1e-9, maxIterations: 100 };

const IDENTITY: Mapping = {
  apply: (predicted) => Float64Array.from(predicted),
  parameters: [],
  iterations: 0,
  starts: { tried: 0, converged: 0 },
};

/**
 * Fits the protocol's curve to all points: the least squared error over its starts. Nothing stands in for a fit that
 * fails: the reason is returned.
 *
 * @throws {RangeError} where the two are not of one length
 */
export function fitMapping(protocol: Protocol, predicted: ArrayLike<number>, mos: ArrayLike<number>): MappingResult {
  if (protocol.mapping === undefined) return { ok: true, mapping: IDENTITY };
  const { family, starts } = protocol.mapping;
  const reason = whyNoCorrelation("fitMapping", predicted, mos);
  if (reason !== undefined) return { ok: false, reason };
  if (mos.length <= family.parameters) return tooFew(mos.length, family);
  const by = standardization(predicted, mos);
  const points = standardize(predicted, mos, by);
  const fits =
    starts === "released"
      ? [fitFromReleased(family, points)]
      : initialGuesses(points, family.hasSlope).map((start) => polish(family, start, points));
  return bestOf(family, fits, points, by);
}

/** With no more images than parameters the curve would go through all of them, and PLCC be 1 whatever they are. */
function tooFew(images: number, { parameters }: CurveFamily): MappingResult {
  return { ok: false, reason: `too few images: ${images} for a curve of ${parameters} parameters` };
}

/** The way that SciPy goes from the released start, and from its end to the minimum itself. */
function fitFromReleased(family: CurveFamily, points: Points): LeastSquares {
  const high = points.y.reduce((a, b) => Math.max(a, b));
  const low = points.y.reduce((a, b) => Math.min(a, b));
  const start = Float64Array.of(high, low, 0, 1); // standardized predictions have mean 0 and deviation 1
  const search = (parameters: Float64Array) => linearizeCurve(family.curve, parameters, points);
  const found = levenbergMarquardt(search, start, SEARCH);
  const polished = polish(family, family.toSigmoid(found.parameters), points);
  return { ...polished, iterations: found.iterations + polished.iterations };
}

/**
 * Fits the protocol's curve again where image i stands `weights[i]` times, from the curve that fits all images: what a
 * bootstrap resample needs.
 */
export function refitMapping(protocol: Protocol, full: Mapping, weights: Float64Array): MappingResult {
  if (protocol.mapping === undefined || full.standardized === undefined) return { ok: true, mapping: full };
  const { family } = protocol.mapping;
  const { by, curve, points: once } = full.standardized;
  const distinct = weights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0);
  if (distinct <= family.parameters) return tooFew(distinct, family);
  const points = { ...once, weights };
  return bestOf(family, [polish(family, curve, points, REFIT)], points, by);
}

function polish(
  { hasSlope }: CurveFamily,
  { centre, width }: Pick<Sigmoid, "centre" | "width">,
  points: Points,
  limits = POLISH,
): LeastSquares {
  const search = (parameters: Float64Array) => linearizeProjected(parameters, points, hasSlope);
  return levenbergMarquardt(search, Float64Array.of(centre, Math.abs(width)), limits); // the sign follows the centre
}

function bestOf(
  family: CurveFamily,
  fits: readonly LeastSquares[],
  points: Points,
  by: Standardization,
): MappingResult {
  const converged = fits.filter((fit) => fit.converged).sort((a, b) => a.squaredError - b.squaredError);
  const best = converged[0];
  if (best === undefined) {
    return { ok: false, reason: `the logistic fit did not converge from any of its ${fits.length} start(s)` };
  }
  const curve = bestCurve(best.parameters, points, family.hasSlope);
  const standardized = curve.shape.toSigmoid(curve);
  const apply = (predicted: ArrayLike<number>): Float64Array =>
    mapNumbers(predicted, (score) => by.yMean + by.yScale * evaluateCurve(curve, (score - by.xMean) / by.xScale));
  return {
    ok: true,
    mapping: {
      apply,
      parameters: family.fromSigmoid(unscale(standardized, by)),
      iterations: best.iterations,
      starts: { tried: fits.length, converged: converged.length },
      standardized: { curve: standardized, by, points },
    },
  };
}

function standardization(predicted: ArrayLike<number>, mos: ArrayLike<number>): Standardization {
  const [xMean, xScale] = meanAndDeviation(predicted);
  const [yMean, yScale] = meanAndDeviation(mos);
  return { xMean, xScale, yMean, yScale };
}

function standardize(
  predicted: ArrayLike<number>,
  mos: ArrayLike<number>,
  { xMean, xScale, yMean, yScale }: Standardization,
): Points {
  return {
    x: mapNumbers(predicted, (score) => (score - xMean) / xScale),
    y: mapNumbers(mos, (score) => (score - yMean) / yScale),
  };
}

/** Mean and population deviation; the scores are not constant. */
function meanAndDeviation(scores: ArrayLike<number>): [number, number] {
  const deviations = centred(scores, undefined);
  return [mean(scores, undefined), Math.sqrt(dot(deviations, deviations, undefined) / scores.length)];
}

/** Where a search for a curve begins. */
interface Start {
  readonly centre: number;
  readonly width: number;
}

/** Widths, in deviations of the predictions: from a step between neighbours to a bend over all of them. */
const WIDTHS = Array.from({ length: 12 }, (_, i) => 0.03 * 1.6 ** i); // 0.03 to 5.3
/** Centres: at these shares of the predictions, and beyond both ends by these distances in deviations. */
const INNER_CENTRES = 20;
const OUTER_CENTRES = [0.5, 1.5, 4];

/** The lowest places of the grid from which searches begin. */
const MAX_STARTS = 16;
/** And these, wherever the grid is lowest: a long first step from a poor place can end in a minimum narrower than the grid. */
const FIXED_STARTS: readonly Start[] = [-1, -0.5, 0, 0.5, 1].flatMap((centre) =>
  [0.25, 0.5, 1].map((width) => ({ centre, width })),
);

/**
 * The places on a grid of centres and widths where no neighbouring centre fits better, lowest first, and some fixed ones:
 * with so many, one of the ends is the least squared error that there is, but for minima narrower than the grid.
 *
 * @param points standardized
 */
function initialGuesses(points: Points, hasSlope: boolean): Start[] {
  const centres = centresOf(points.x);
  const starts = WIDTHS.flatMap((width) => {
    const errors = centres.map((centre) => squaredErrorAt({ centre, width }, points, hasSlope));
    return centres.flatMap((centre, c) => {
      const error = errors[c] ?? NaN;
      const isLowest = [errors[c - 1], errors[c + 1]].every((other) => error <= (other ?? Infinity));
      return isLowest ? [{ centre, width, error }] : [];
    });
  });
  return [...starts.sort((a, b) => a.error - b.error).slice(0, MAX_STARTS), ...FIXED_STARTS];
}

function squaredErrorAt({ centre, width }: Start, points: Points, hasSlope: boolean): number {
  return linearizeProjected(Float64Array.of(centre, width), points, hasSlope).squaredError;
}

/** Ascending and different. */
function centresOf(x: Float64Array): number[] {
  const ascending = mapNumbers(x, (score) => score).sort();
  const last = ascending.length - 1;
  const at = (share: number): number => ascending[Math.round(share * last)] ?? NaN;
  const inner = Array.from({ length: INNER_CENTRES }, (_, i) => at((i + 0.5) / INNER_CENTRES));
  const outer = OUTER_CENTRES.flatMap((distance) => [at(0) - distance, at(1) + distance]);
  return [...new Set([...inner, ...outer])].sort((a, b) => a - b);
}
