import { describe, expect, it } from "vitest";
import { type Linearization, levenbergMarquardt } from "../../../src/evaluate/mapping/levenbergMarquardt.js";

/** Residuals y - curve of two parameters, and the curve's derivatives by them. */
type Problem = (a: number, b: number) => { readonly left: readonly number[]; readonly by: readonly [number, number][] };

const rosenbrock: Problem = (a, b) => ({ left: [-10 * (b - a * a), a - 1], by: [[-20 * a, 10], [-1, 0]] }); // prettier-ignore
const freudensteinRoth: Problem = (a, b) => ({
  left: [13 - a - ((5 - b) * b - 2) * b, 29 - a - ((b + 1) * b - 14) * b],
  by: [[1, 10 * b - 3 * b * b - 2], [1, 3 * b * b + 2 * b - 14]], // prettier-ignore
});
const linear: Problem = (a, b) => ({ left: [3 - a - b, 1 - a + b, 5 - 2 * a], by: [[1, 1], [1, -1], [2, 0]] }); // prettier-ignore
/** Of b only what a leaves: a singular normal matrix. */
const singular: Problem = (a, b) => ({ left: [3 - a - b, 1 - (a + b) ** 2], by: [[1, 1], [2 * (a + b), 2 * (a + b)]] }); // prettier-ignore

function linearized(problem: Problem, seen: number[] = []) {
  return (parameters: Float64Array): Linearization => {
    const { left, by } = problem(parameters[0] ?? NaN, parameters[1] ?? NaN);
    const sum = (of: (columns: readonly [number, number], residual: number) => number) =>
      by.reduce((total, columns, i) => total + of(columns, left[i] ?? NaN), 0);
    const squaredError = left.reduce((total, r) => total + r * r, 0);
    seen.push(squaredError);
    return {
      parameters,
      squaredError,
      normal: Float64Array.of(sum(([a]) => a * a), NaN, sum(([a, b]) => a * b), sum(([, b]) => b * b)), // prettier-ignore
      gradient: Float64Array.of(sum(([a], r) => a * r), sum(([, b], r) => b * r)), // prettier-ignore
    };
  };
}

const LIMITS = { tolerance: 1e-14, maxIterations: 500 };

describe("levenbergMarquardt", () => {
  it.each([
    { name: "Rosenbrock", problem: rosenbrock, start: [-1.2, 1], end: [1, 1], squaredError: 0, iterations: 15 },
    { name: "Rosenbrock, far off", problem: rosenbrock, start: [-120, 100], end: [1, 1], squaredError: 0, iterations: 157 }, // prettier-ignore
    { name: "Freudenstein and Roth", problem: freudensteinRoth, start: [0.5, -2], end: [11.41277899, -0.8968052533], squaredError: 48.9842536792, iterations: 30 }, // prettier-ignore
    { name: "the same, far off", problem: freudensteinRoth, start: [50, -200], end: [11.41277899, -0.8968052533], squaredError: 48.9842536792, iterations: 35 }, // prettier-ignore
    { name: "the same, to its other minimum", problem: freudensteinRoth, start: [15, 6], end: [5, 4], squaredError: 0, iterations: 7 }, // prettier-ignore
    { name: "a line", problem: linear, start: [9, -3], end: [2.333333333333, 1], squaredError: 1 / 3, iterations: 2 },
  ])("finds the minimum, in as many steps as ever: $name", ({ problem, start, end, squaredError, iterations }) => {
    const found = levenbergMarquardt(linearized(problem), Float64Array.from(start), LIMITS);
    expect([found.converged, found.iterations]).toEqual([true, iterations]);
    expect([...found.parameters]).toBeAllClose(end, { rtol: 1e-6, atol: 1e-9 });
    expect([found.squaredError]).toBeAllClose([squaredError], { rtol: 1e-9, atol: 1e-20 });
  });

  it("goes on where the normal matrix is singular", () => {
    const found = levenbergMarquardt(linearized(singular), Float64Array.of(2, 1), LIMITS);
    const sum = (found.parameters[0] ?? NaN) + (found.parameters[1] ?? NaN);
    expect([found.converged, found.iterations]).toEqual([true, 10]);
    expect(2 * sum ** 3 - sum).toBeCloseTo(3, 6); // the derivative of (3 - s)² + (1 - s²)² is 0
  });

  it("never ends above where it began, and stops at the number of iterations it was given", () => {
    const seen: number[] = [];
    const found = levenbergMarquardt(linearized(rosenbrock, seen), Float64Array.of(-1.2, 1), { ...LIMITS, maxIterations: 5 }); // prettier-ignore
    expect(found).toMatchObject({ converged: false, iterations: 5 });
    expect(seen).toHaveLength(6);
    expect(found.squaredError).toBe(Math.min(...seen));
  });

  it("stays where the residual is at right angles to the Jacobian, or nothing is left", () => {
    const minimum = levenbergMarquardt(linearized(rosenbrock), Float64Array.of(1, 1), LIMITS);
    expect(minimum).toEqual({ parameters: Float64Array.of(1, 1), squaredError: 0, iterations: 1, converged: true });
  });

  it("has not converged where the error leaves float64", () => {
    const nowhere: Problem = () => ({ left: [NaN], by: [[NaN, NaN]] });
    expect(levenbergMarquardt(linearized(nowhere), Float64Array.of(1, 1), LIMITS).converged).toBe(false);
  });
});
