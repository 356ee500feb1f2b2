import { mapNumbers } from "../metrics/vectors.js";
import type { Points } from "./linearization.js";
import { linearizeProjected } from "./variableProjection.js";

/** Where a search for a curve begins. */
export interface Start {
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
export function scanStarts(points: Points, hasSlope: boolean): Start[] {
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
