import { describe, expect, it } from "vitest";
import {
  normalBelow,
  normalQuantile,
  normalTwoSidedP,
  studentQuantile,
  twoSidedP,
} from "../../../src/evaluate/statistics/distributions.js";

describe("twoSidedP", () => {
  it.each([
    // scipy.stats.t.sf(t, degrees) * 2
    [0.5, 1, 0.7048327646991335],
    [2.3, 2, 0.14814814814814817],
    [2.3, 3, 0.10498836064446998],
    [7, 4, 0.0021921298066929387],
    [2.3, 9, 0.04699938892186315],
    [-2.3, 9, 0.04699938892186315],
    [7, 10, 3.715592281685689e-5],
    [0, 5, 1],
  ])("of t = %f with %i degrees of freedom is SciPy's", (t, degrees, expected) => {
    expect([twoSidedP(t, degrees)]).toBeAllClose([expected], { rtol: 1e-11, atol: 0 });
  });
});

describe("normalTwoSidedP", () => {
  it.each([
    // scipy.stats.norm.sf(z) * 2
    [0, 1.0],
    [0.5, 0.6170750774519738],
    [1.96, 0.04999579029644087],
    [-2.9, 0.003731626600768075],
    [3, 0.0026997960632601866],
    [3.5, 0.00046525815807105003],
    [6, 1.973175290075389e-9],
    [12, 3.552964224155306e-33],
  ])("of z = %f is SciPy's, far out too", (z, expected) => {
    expect([normalTwoSidedP(z)]).toBeAllClose([expected], { rtol: 1e-11, atol: 0 });
  });
});

describe("normalQuantile and studentQuantile", () => {
  it("are SciPy's", () => {
    // scipy.stats.norm.ppf, scipy.stats.t.ppf(0.975, degrees)
    const normal = [0.3, 0.975, 1e-6, 0.5].map(normalQuantile);
    expect(normal).toBeAllClose([-0.5244005127080409, 1.959963984540054, -4.753424308822899, 0], { rtol: 1e-12, atol: 1e-14 }); // prettier-ignore
    const student = [1, 9, 59, 10000].map((degrees) => studentQuantile(0.05, degrees));
    expect(student).toBeAllClose([12.706204736174694, 2.262157162798205, 2.000995378088267, 1.960201239890626], { rtol: 1e-11, atol: 0 }); // prettier-ignore
  });

  it("are turned back by the normal distribution", () => {
    const shares = [0.001, 0.2, 0.5, 0.9, 0.9999];
    expect(shares.map((share) => normalBelow(normalQuantile(share)))).toBeAllClose(shares, { rtol: 1e-12, atol: 0 });
  });
});
