import { describe, expect, it } from "vitest";
import { temperatureQuotas } from "../../src/data/openDatabases.js";
import { knownDatabase } from "../../src/data/databases/registry.js";

describe("temperatureQuotas", () => {
  it("divides in proportion to the sizes at temperature 1, to their roots at 2, evenly at a high one", () => {
    const sizes = [100, 400, 1600];
    expect(temperatureQuotas(sizes, 42, 1)).toEqual([2, 8, 32]);
    expect(temperatureQuotas(sizes, 42, 2)).toEqual([6, 12, 24]);
    expect(temperatureQuotas(sizes, 42, 1000)).toEqual([14, 14, 14]);
  });

  it("gives what rounding down leaves to the largest remainders, the earlier of equal ones first", () => {
    expect(temperatureQuotas([36, 33, 31], 10, 1)).toEqual([4, 3, 3]); // 3.6, 3.3, 3.1
    expect(temperatureQuotas([5, 5, 5], 8, 1)).toEqual([3, 3, 2]);
  });

  it("raises small shares to 2 at the others' cost, also those that fall below 2 only by that", () => {
    expect(temperatureQuotas([1, 99], 10, 1)).toEqual([2, 8]);
    // 0.1, 2.05 and 7.85 of 10; of the 8 that are left after the first, 1.66 and 6.34; of the 6 after both, all
    expect(temperatureQuotas([10, 205, 785], 10, 1)).toEqual([2, 2, 6]);
    expect(temperatureQuotas([1, 10, 1000], 6, 1)).toEqual([2, 2, 2]);
  });

  it("sums to the total, with at least 2 of each and never fewer of a larger database", () => {
    const names = ["live", "csiq", "bid", "clive", "koniq10k", "kadid10k"];
    const sizes = names.map((name) => knownDatabase(name)?.images ?? NaN);
    for (const temperature of [1, 1.5, 2, 5, 100]) {
      for (let total = 12; total <= 96; total++) {
        const quotas = temperatureQuotas(sizes, total, temperature);
        expect(quotas.reduce((sum, quota) => sum + quota)).toBe(total);
        expect(Math.min(...quotas)).toBeGreaterThanOrEqual(2);
        const bySize = sizes.map((size, i) => [size, quotas[i] ?? NaN] as const).sort(([a], [b]) => a - b);
        const ascending = bySize.map(([, quota]) => quota);
        expect(ascending).toEqual(ascending.toSorted((a, b) => a - b));
      }
    }
  });
});
