import type { CurveFamily } from "./logistic.js";
import type { MappingResult } from "./mapping.js";

/** A fitted curve as results have it, or why there is none: what PLCC, RMSE and MAE then lack too. */
export type MappingJson =
  | {
      readonly converged: true;
      readonly formula: string;
      /** From beta 1. */
      readonly parameters: readonly number[];
      readonly iterations: number;
      readonly startsTried: number;
      readonly startsConverged: number;
      /** The curve at evenly spaced predictions between the lowest and the highest: what a plot needs. */
      readonly curve: { readonly quality: readonly number[]; readonly mos: readonly number[] };
    }
  | { readonly converged: false; readonly formula: string; readonly reason: string };

/** Points of a curve: a line between neighbours hides less than a pixel of it. */
const CURVE_POINTS = 65;

/** @param quality the predictions that it was fitted to */
export function mappingJson({ formula }: CurveFamily, result: MappingResult, quality: readonly number[]): MappingJson {
  if (!result.ok) return { converged: false, formula, reason: result.reason };
  const { apply, parameters, iterations, starts } = result.mapping;
  const at = evenlySpaced(quality);
  return {
    converged: true,
    formula,
    parameters,
    iterations,
    startsTried: starts.tried,
    startsConverged: starts.converged,
    curve: { quality: at, mos: [...apply(at)] },
  };
}

function evenlySpaced(scores: readonly number[]): number[] {
  const low = scores.reduce((a, b) => Math.min(a, b));
  const high = scores.reduce((a, b) => Math.max(a, b));
  return Array.from({ length: CURVE_POINTS }, (_, i) => low + ((high - low) * i) / (CURVE_POINTS - 1));
}
