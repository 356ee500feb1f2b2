import { describe, expect, it } from "vitest";
import { minpackFit } from "../../../src/evaluate/mapping/minpack.js";

/** Residuals of the problems of J. J. Moré, B. S. Garbow and K. E. Hillstrom, "Testing unconstrained optimization software" (1981). */
type Residual = (b: Float64Array, i: number) => number;

const at = (values: ArrayLike<number>, i: number) => values[i] ?? NaN;

const rosenbrock: Residual = ([a = NaN, b = NaN], i) => (i === 0 ? 10 * (b - a ** 2) : 1 - a);
const freudensteinRoth: Residual = ([a = NaN, b = NaN], i) =>
  i === 0 ? -13 + a + ((5 - b) * b - 2) * b : -29 + a + ((b + 1) * b - 14) * b;

const BARD = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.1, 4.39];
const bard: Residual = ([a = NaN, b = NaN, c = NaN], i) => {
  const [u, v] = [i + 1, 15 - i];
  return a + u / (v * b + Math.min(u, v) * c) - at(BARD, i);
};

const KOWALIK_Y = [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246];
const KOWALIK_U = [4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625];
const kowalikOsborne: Residual = ([a = NaN, b = NaN, c = NaN, d = NaN], i) => {
  const u = at(KOWALIK_U, i);
  return at(KOWALIK_Y, i) - (a * (u ** 2 + u * b)) / (u ** 2 + u * c + d);
};

const brown: Residual = (b, i) =>
  i < 3 ? at(b, i) + (at(b, 0) + at(b, 1) + at(b, 2) + at(b, 3)) - 5 : at(b, 0) * at(b, 1) * at(b, 2) * at(b, 3) - 1;

/** Two of four parameters have no part in it: their columns are 0. */
const linear: Residual = ([, b = NaN, c = NaN], i) => (i > 0 ? i * (2 * b + 3 * c) - 1 : -1);

/** Evaluations and the norm of the residuals at the end: scipy 1.17, leastsq(residuals, start, ftol=xtol=1.49012e-8). */
const PROBLEMS = [
  { name: "Rosenbrock", residual: rosenbrock, points: 2, start: [-1.2, 1], evaluations: 54, norm: 0 },
  { name: "Rosenbrock, 10 times as far", residual: rosenbrock, points: 2, start: [-12, 10], evaluations: 18, norm: 0 },
  { name: "Rosenbrock, 100 times", residual: rosenbrock, points: 2, start: [-120, 100], evaluations: 17, norm: 0 },
  { name: "Freudenstein and Roth", residual: freudensteinRoth, points: 2, start: [0.5, -2], evaluations: 30, norm: 6.998875175845869 }, // prettier-ignore
  { name: "the same, 10 times as far", residual: freudensteinRoth, points: 2, start: [5, -20], evaluations: 43, norm: 6.998875174488524 }, // prettier-ignore
  { name: "the same, 100 times", residual: freudensteinRoth, points: 2, start: [50, -200], evaluations: 58, norm: 6.998875172429014 }, // prettier-ignore
  { name: "Bard", residual: bard, points: 15, start: [1, 1, 1], evaluations: 21, norm: 0.09063596033904767 },
  { name: "Kowalik and Osborne", residual: kowalikOsborne, points: 11, start: [0.25, 0.39, 0.415, 0.39], evaluations: 82, norm: 0.01753583772107829 }, // prettier-ignore
  { name: "Brown's almost linear one", residual: brown, points: 4, start: [0.5, 0.5, 0.5, 0.5], evaluations: 32, norm: 0 }, // prettier-ignore
  { name: "the same, 10 times as far", residual: brown, points: 4, start: [5, 5, 5, 5], evaluations: 67, norm: 0 },
  { name: "the same, 100 times", residual: brown, points: 4, start: [50, 50, 50, 50], evaluations: 102, norm: 0 },
  { name: "one with columns of 0", residual: linear, points: 10, start: [1, 1, 1, 1], evaluations: 11, norm: 1.7013926184468013 }, // prettier-ignore
];

/** Of sums in another order, as SciPy takes a norm's squares. */
const SUMS = { rtol: 1e-9, atol: 1e-14 };

describe("minpackFit", () => {
  it.each(PROBLEMS)("takes SciPy's steps, as many and to the same end: $name", (problem) => {
    const { residual, points, start, evaluations, norm } = problem;
    let calls = 0;
    const curve: Residual = (b, i) => {
      calls++;
      return residual(b, i);
    };
    const x = Array.from({ length: points }, (_, i) => i);
    const found = minpackFit(curve, { x, y: new Float64Array(points) }, Float64Array.from(start));
    expect([calls / points, found.hasArrived]).toEqual([evaluations, true]);
    expect([Math.hypot(...x.map((i) => residual(found.parameters, i)))]).toBeAllClose([norm], SUMS);
  });

  it("stops where it begins when that is the minimum, and says so", () => {
    const found = minpackFit(rosenbrock, { x: [0, 1], y: [0, 0] }, Float64Array.of(1, 1));
    expect(found).toEqual({ parameters: Float64Array.of(1, 1), iterations: 1, hasArrived: true });
    const apart = minpackFit(([a = NaN], i) => (i === 0 ? a : 1), { x: [0, 1], y: [0, 0] }, Float64Array.of(0));
    expect(apart).toEqual({ parameters: Float64Array.of(0), iterations: 1, hasArrived: true }); // no column has a part in it
  });

  it("has not arrived where the curve leaves float64, or after SciPy's thousand evaluations", () => {
    const nowhere = minpackFit(() => NaN, { x: [0, 1, 2], y: [0, 0, 0] }, Float64Array.of(1, 1));
    expect(nowhere.hasArrived).toBe(false);
    let calls = 0;
    const endless: Residual = ([a = NaN], i) => {
      calls++;
      return i === 0 ? 1 / a : 0; // falls for ever
    };
    const valley = minpackFit(endless, { x: [0], y: [0] }, Float64Array.of(1));
    expect(valley.hasArrived).toBe(false);
    expect(calls).toBe(1000);
  });
});
