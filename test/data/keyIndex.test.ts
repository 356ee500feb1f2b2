import { describe, expect, it } from "vitest";
import { firstOfEach, KeyIndex } from "../../src/data/keyIndex.js";
import { seededRandom } from "../../src/base/random.js";

describe("KeyIndex", () => {
  it("finds what a Map finds, through several times of growing, with keys that come again", () => {
    const random = seededRandom(1, "keys");
    const keys = Array.from({ length: 20_000 }, () => `${"é".repeat(random.integer(3))}${random.integer(12_000)}`);
    const index = new KeyIndex((item) => keys[item] ?? "");
    const known = new Map<string, number>();
    const firsts = keys.map((key, item) => {
      const first = known.get(key) ?? null;
      if (first === null) known.set(key, item);
      return first;
    });
    expect(keys.map((key, item) => [index.find(key), index.claim(key, item)])).toEqual(firsts.map((at) => [at, at]));
    expect(known.size).toBeGreaterThan(10_000);
    expect(known.size).toBeLessThan(keys.length);
    expect(index.find("another")).toBeNull();
  });

  it("tells keys apart whose hashes are equal", () => {
    const byHash = new Map<number, string>();
    const collide = (hash: (text: string) => number) => {
      for (let i = 0; ; i++) {
        const value = hash(`${i}`);
        const other = byHash.get(value);
        if (other !== undefined) return [other, `${i}`] as const;
        byHash.set(value, `${i}`);
      }
    };
    // FNV-1a over UTF-16 units, whose last mixing is one to one: what collides before it does after it
    const [a, b] = collide((text) => {
      let hash = 0x811c9dc5;
      for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
      return hash;
    });
    const keys = [a, b];
    const index = new KeyIndex((item) => keys[item] ?? "");
    expect([index.claim(a, 0), index.claim(b, 1), index.find(a), index.find(b)]).toEqual([null, null, 0, 1]);
  });
});

describe("firstOfEach", () => {
  it("keeps the first item of each key, in their order", () => {
    expect(firstOfEach(["b1", "a1", "b2", "c1", "a2"], (item) => item.charAt(0))).toEqual(["b1", "a1", "c1"]);
  });
});
