import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";

const COUNT = 20_000;
const draw = <T>(next: () => T): T[] => Array.from({ length: COUNT }, next);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("seededRandom", () => {
  it("gives the same numbers for the same seed and keys, and others for any other", () => {
    const first = (...keys: (number | string)[]) => {
      const random = seededRandom(1, ...keys);
      return [random.uniform(), random.uniform(), random.uniform()];
    };
    expect(first("crops", 3)).toEqual(first("crops", 3));
    const others = [first("crops", 4), first("crops", "3"), first("crops3"), first(), first("order", 3)];
    for (const other of others) expect(other).not.toEqual(first("crops", 3));
    expect(seededRandom(2, "crops", 3).uniform()).not.toBe(first("crops", 3)[0]);
  });

  it("keeps its first numbers for ever: runs are resumed by them", () => {
    const { uniform, integer } = seededRandom(20200626, "crops", 0, 1);
    expect([uniform(), integer(1000), integer(1000)]).toMatchInlineSnapshot(`
      [
        0.06313818204216659,
        197,
        309,
      ]
    `);
  });

  it("fills [0, 1) evenly, and is not correlated from key to key", () => {
    const values = draw(seededRandom(1).uniform);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(Math.abs(mean(values) - 1 / 2)).toBeLessThan(0.01);
    expect(Math.abs(mean(values.map((x) => (x - 0.5) ** 2)) - 1 / 12)).toBeLessThan(0.003);
    const firsts = Array.from({ length: COUNT }, (_, key) => seededRandom(1, key).uniform() - 0.5);
    const lagged = mean(firsts.map((x, i) => x * (firsts[i + 1] ?? 0)));
    expect(Math.abs(12 * lagged)).toBeLessThan(0.03);
  });

  it("gives standard normals", () => {
    const values = draw(seededRandom(1, "normal").normal);
    expect(Math.abs(mean(values))).toBeLessThan(0.03);
    expect(Math.abs(mean(values.map((x) => x * x)) - 1)).toBeLessThan(0.04);
    expect(Math.abs(mean(values.map((x) => x ** 4)) - 3)).toBeLessThan(0.3);
  });

  it("shuffles into every order alike, and leaves its argument as it was", () => {
    const items = [1, 2, 3] as const;
    const random = seededRandom(1, "shuffle");
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = random.shuffle(items).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(["123", "132", "213", "231", "312", "321"]);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120);
    expect(items).toEqual([1, 2, 3]);
  });
});
