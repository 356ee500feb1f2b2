import type { MappingResult } from "./fitMapping.js";
import type { CurveFamily } from "./logistic.js";

/** A fitted curve as results have it, or why there is none: what PLCC, RMSE and MAE then lack too. */
export type MappingJson =
  | {
      readonly converged: true;
      readonly formula: string;
      /** From beta 1. */
      readonly parameters: readonly number[];
      /**
       * The fewest significant digits of the parameters from which the formula gives `curve` back; null where all they have
       * do not. That is so where the best curve is a limit of the family, an exponential or a straight line: the
       * parameters run to infinity together, and the curve is what is left of large numbers that cancel.
       */
      readonly digits: number | null;
      readonly iterations: number;
      readonly startsTried: number;
      readonly startsConverged: number;
      /** The curve at evenly spaced predictions between the lowest and the highest: what a plot needs. */
      readonly curve: CurvePoints;
    }
  | { readonly converged: false; readonly formula: string; readonly reason: string };

/** Points of a curve: a line between neighbours hides less than a pixel of it. */
const CURVE_POINTS = 65;
/** What a curve from rounded parameters may miss it by, of its span. */
const GIVEN_BACK = 1e-3;
const [FEWEST_DIGITS, ALL_DIGITS] = [4, 17];

/** @param quality the predictions that it was fitted to */
export function mappingJson(family: CurveFamily, result: MappingResult, quality: readonly number[]): MappingJson {
  const { formula } = family;
  if (!result.ok) return { converged: false, formula, reason: result.reason };
  const { apply, parameters, iterations, starts } = result.mapping;
  const at = evenlySpaced(quality);
  const curve = { quality: at, mos: [...apply(at)] };
  return {
    converged: true,
    formula,
    parameters,
    digits: digitsNeeded(family, parameters, curve),
    iterations,
    startsTried: starts.tried,
    startsConverged: starts.converged,
    curve,
  };
}

interface CurvePoints {
  readonly quality: readonly number[];
  readonly mos: readonly number[];
}

function digitsNeeded({ curve }: CurveFamily, parameters: readonly number[], { quality, mos }: CurvePoints) {
  const allowed = GIVEN_BACK * (Math.max(...mos) - Math.min(...mos));
  const unread = new Float64Array(parameters.length);
  for (let digits = FEWEST_DIGITS; digits <= ALL_DIGITS; digits++) {
    const rounded = Float64Array.from(parameters, (value) => Number(value.toPrecision(digits)));
    if (quality.every((x, i) => Math.abs(curve(rounded, x, unread) - (mos[i] ?? NaN)) <= allowed)) return digits;
  }
  return null;
}

function evenlySpaced(scores: readonly number[]): number[] {
  const low = scores.reduce((a, b) => Math.min(a, b));
  const high = scores.reduce((a, b) => Math.max(a, b));
  return Array.from({ length: CURVE_POINTS }, (_, i) => low + ((high - low) * i) / (CURVE_POINTS - 1));
}
