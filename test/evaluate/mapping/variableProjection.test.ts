import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { CURVES, type Sigmoid, sigmoid } from "../../../src/evaluate/mapping/logistic.js";
import { bestCurve, linearizeProjected } from "../../../src/evaluate/mapping/variableProjection.js";

/** Of central differences with this step. */
const DIFFERENCES = { rtol: 1e-5, atol: 1e-7 };
const STEP = 1e-4;
const EXACT = { rtol: 1e-9, atol: 1e-9 };

const random = seededRandom(4, "projection");
const x = Float64Array.from({ length: 60 }, () => random.normal());
const y = x.map((value) => Math.tanh(value) + 0.3 * random.normal());
const weights = x.map(() => random.integer(3));

/** Centers and widths of both forms of the sigmoid: wide ones reach beyond all points. */
const PLACES = [
  { what: "a bend among the points", center: 0.3, width: 0.8 },
  { what: "one to their left", center: -1.2, width: 0.6 },
  { what: "a negative width", center: 0.5, width: -0.7 },
  { what: "a wide one", center: 1.5, width: 6 },
  { what: "a wide one to the left", center: -9, width: 5 },
  { what: "a wide one of negative width", center: 3, width: -4 },
  { what: "one as wide as the farthest point", center: 0.5, width: 3 },
].flatMap((place) => [false, true].flatMap((hasSlope) => [undefined, weights].map((weights) => ({ ...place, hasSlope, weights })))); // prettier-ignore

const valueOf = ({ offset, height, center, width, slope }: Sigmoid, at: number) =>
  offset + height * sigmoid((at - center) / width) + slope * at;

describe("linearizeProjected", () => {
  it.each(PLACES)("has the error's slopes: $what, slope $hasSlope", ({ center, width, hasSlope, weights }) => {
    const points = { x, y, weights };
    const errorAt = (c: number, w: number) => linearizeProjected(Float64Array.of(c, w), points, hasSlope).squaredError;
    const { gradient } = linearizeProjected(Float64Array.of(center, width), points, hasSlope);
    const slopes = [
      (errorAt(center + STEP, width) - errorAt(center - STEP, width)) / (2 * STEP),
      (errorAt(center, width + STEP) - errorAt(center, width - STEP)) / (2 * STEP),
    ];
    expect([...gradient].map((g) => -2 * g)).toBeAllClose(slopes, DIFFERENCES); // it points downwards
  });

  it("has the products of the columns that its steps go by, in the lower triangle", () => {
    const exact = x.map((value) => sigmoid((value - 0.3) / 0.8));
    const { normal, squaredError } = linearizeProjected(Float64Array.of(0.3, 0.8), { x, y: exact }, false);
    expect(squaredError).toBeLessThan(1e-20);
    // At a perfect fit the quadratic model is the error itself, to the third order.
    const errorAt = (c: number, w: number) =>
      linearizeProjected(Float64Array.of(0.3 + c, 0.8 + w), { x, y: exact }, false).squaredError / STEP ** 2;
    const [a = NaN, , b = NaN, c = NaN] = normal;
    expect([a, c, a + 2 * b + c]).toBeAllClose([errorAt(STEP, 0), errorAt(0, STEP), errorAt(STEP, STEP)], { rtol: 1e-3, atol: 0 }); // prettier-ignore
  });
});

describe("bestCurve", () => {
  it.each(PLACES)("is no worse than any curve beside it: $what, slope $hasSlope", ({ center, width, hasSlope, weights }) => {
    const parameters = Float64Array.of(center, width);
    const { at, sigmoid: curve } = bestCurve(parameters, { x, y, weights }, hasSlope);
    const errorOf = (of: (score: number) => number) =>
      y.reduce((sum, value, i) => sum + (weights?.[i] ?? 1) * (value - of(x[i] ?? NaN)) ** 2, 0);
    const { squaredError } = linearizeProjected(parameters, { x, y, weights }, hasSlope);
    expect([errorOf(at)]).toBeAllClose([squaredError], EXACT);
    const shape = (score: number) => sigmoid((score - center) / Math.abs(width));
    for (const beside of [() => 1, shape, ...(hasSlope ? [(score: number) => score] : [])]) {
      for (const sign of [-1, 1]) expect(errorOf((score) => at(score) + sign * 1e-3 * beside(score))).toBeGreaterThan(squaredError); // prettier-ignore
    }
    expect([Math.abs(curve.width), curve.center]).toBeAllClose([Math.abs(width), center]);
    expect(curve.slope !== 0).toBe(hasSlope);
    const places = [-2.5, -1, 0, 0.4, 2, -2 * width, 1.5 * width]; // beyond the points too
    expect(places.map((score) => valueOf(curve, score))).toBeAllClose(places.map(at), { rtol: 1e-7, atol: 1e-7 });
  }); // prettier-ignore
});

describe("CURVES", () => {
  it.each([
    {
      name: "logistic4",
      formula: "(b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2",
      parameters: [90, 10, 3, -0.7],
      of: (x: number) => 80 / (1 + Math.exp(-(x - 3) / 0.7)) + 10,
    },
    {
      name: "logistic5",
      formula: "b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5",
      parameters: [80, 1.5, 3, 2, 40],
      of: (x: number) => 80 * (0.5 - 1 / (1 + Math.exp(1.5 * (x - 3)))) + 2 * x + 40,
    },
  ] as const)("$name is its formula, and its plain form the same curve", ({ name, formula, parameters, of }) => {
    const family = CURVES[name];
    const b = Float64Array.from(parameters);
    expect([family.parameters, family.formula, family.hasSlope]).toEqual([b.length, formula, name === "logistic5"]);
    const plain = family.toSigmoid(b);
    const falling = { ...plain, width: -0.7 };
    for (const score of [1, 2.5, 3, 4.75]) {
      expect([family.curve(b, score), valueOf(plain, score)]).toBeAllClose([of(score), of(score)], EXACT);
      for (const form of [plain, falling]) {
        const again = Float64Array.from(family.fromSigmoid(form));
        expect([family.curve(again, score)]).toBeAllClose([valueOf(form, score)], EXACT);
      }
    }
  });
});
