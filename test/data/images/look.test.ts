import { describe, expect, it } from "vitest";
import { areNear, lookOf, PACKED_LOOK, packLook, unpackLook } from "../../../src/data/images/look.js";
import { NearHashes } from "../../../src/data/images/nearHashes.js";
import { picture } from "../audit/pictures.js";

describe("packLook", () => {
  const names = Array.from({ length: 12 }, (_, i) => `p${i}`);
  const packed = names.map((name) => packLook(lookOf(picture(name))));
  /** Brighter, and with a pattern at its upper edge. */
  const changed = packLook(
    lookOf({
      ...picture("p3"),
      pixels: picture("p3").pixels.map((value, i) =>
        i < 20_000 ? Math.min(255, value + (i % 9)) : Math.min(255, value + 12),
      ),
    }),
  );

  it("keeps enough to find a changed picture and no other one, in few characters", () => {
    const near = packed.map((look) => areNear(unpackLook(look), unpackLook(changed)));
    expect(near).toEqual(names.map((name) => name === "p3"));
    expect(packed.map(({ length }) => length)).toEqual(names.map(() => PACKED_LOOK));
  });

  it("keeps the hash as it is, and thumbnails of length 1", () => {
    const { hash, thumbnail } = unpackLook(packed[0] ?? "");
    expect(hash).toEqual(lookOf(picture("p0")).hash);
    expect([thumbnail.reduce((sum, value) => sum + value * value, 0)]).toBeAllClose([1], { rtol: 1e-5, atol: 0 });
  });

  it("finds no picture near one of a single color", () => {
    const flat = { rows: 240, cols: 240, pixels: new Uint8Array(3 * 240 * 240).fill(9) };
    const look = unpackLook(packLook(lookOf(flat)));
    expect([look.hash, areNear(look, look)]).toEqual([null, false]);
  });

  it("is not read from a text of another length", () => {
    expect(() => unpackLook("AAAA")).toThrow("unpackLook: 3 bytes, expected 264");
  });

  it("holds the hash, low byte first, and the thumbnail at half its side in 127 steps", () => {
    const side = 32;
    const thumbnail = Float32Array.from(
      { length: side * side },
      (_, i) => Math.floor(i / side / 2) - ((i % side) >> 1),
    );
    const bytes = Buffer.from(packLook({ hash: [0x04030201, 0x48070605], thumbnail }), "base64");
    expect([...bytes.subarray(0, 8)]).toEqual([1, 2, 3, 4, 5, 6, 7, 0x48]);
    const steps = Array.from({ length: 256 }, (_, i) => Math.round((127 * (Math.floor(i / 16) - (i % 16))) / 15));
    expect([...new Int8Array(bytes.subarray(8))]).toEqual(steps.map((step) => step + 0)); // no -0
    const back = unpackLook(bytes.toString("base64"));
    expect(back.hash).toEqual([0x04030201, 0x48070605]);
    const mean = steps.reduce((sum, step) => sum + step, 0) / 256;
    const length = Math.sqrt(steps.reduce((sum, step) => sum + (step - mean) ** 2, 0));
    expect([...back.thumbnail]).toEqual([...Float32Array.from(steps, (step) => (step - mean) / length)]);
    expect(PACKED_LOOK).toBe(352);
  });
});

describe("lookOf", () => {
  it("has this hash and this thumbnail of a picture", () => {
    const { hash, thumbnail } = lookOf(picture("p0"));
    expect(hash).toEqual([3413322992, 1186057092]);
    expect([0, 1, 31, 32, 500, 1023].map((i) => thumbnail[i]?.toFixed(4))).toEqual([
      "-0.0178",
      "-0.0185",
      "-0.0115",
      "-0.0183",
      "0.0260",
      "0.0110",
    ]);
    const sums = [...thumbnail].reduce(
      ([sum = 0, squares = 0], value) => [sum + value, squares + value * value],
      [0, 0],
    );
    expect(sums.map((value) => Math.abs(value).toFixed(4))).toEqual(["0.0000", "1.0000"]);
    expect([0, 1, 2, 3].map((i) => lookOf(picture(`q${i}`, 60, 90)).hash?.[0])).toEqual([
      2765515359, 4037939056, 1213507759, 1539810744,
    ]);
  });

  it("has a hash from a deviation of two gray values on", () => {
    const striped = (high: number) => {
      const pixels = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => 100 + (Math.floor(i / 3) % 64 < 32 ? 0 : high));
      return lookOf({ rows: 64, cols: 64, pixels });
    };
    expect(striped(3).hash).toBeNull();
    expect([...striped(3).thumbnail].every((value) => value === 0)).toBe(true);
    expect(striped(5).hash).not.toBeNull();
  });

  it("is near another with up to eight other bits, where the thumbnails agree to 0.95", () => {
    const thumbnail = lookOf(picture("p0")).thumbnail;
    const other = (share: number) => {
      const noise = lookOf(picture("p1")).thumbnail;
      const along = noise.reduce((sum, value, i) => sum + value * (thumbnail[i] ?? NaN), 0);
      const across = noise.map((value, i) => value - along * (thumbnail[i] ?? NaN));
      const length = Math.sqrt(across.reduce((sum, value) => sum + value * value, 0));
      return thumbnail.map((value, i) => share * value + (Math.sqrt(1 - share ** 2) * (across[i] ?? NaN)) / length);
    };
    const look = { hash: [0b1111, 0b1111] as const, thumbnail };
    expect(areNear(look, { hash: [0, 0], thumbnail })).toBe(true);
    expect(areNear(look, { hash: [0, 0b10000], thumbnail })).toBe(false);
    expect(areNear(look, { ...look, thumbnail: other(0.951) })).toBe(true);
    expect(areNear(look, { ...look, thumbnail: other(0.949) })).toBe(false);
    expect([areNear({ ...look, hash: null }, look), areNear(look, { ...look, hash: null })]).toEqual([false, false]);
  });
});

describe("NearHashes", () => {
  it("tells each place within eight bits, in any of the three parts, and none beyond", () => {
    const turned = (bits: readonly number[]): [number, number] => {
      const words: [number, number] = [0x12345678, 0x1abcdef0];
      for (const bit of bits) words[bit < 32 ? 0 : 1] = (words[bit < 32 ? 0 : 1] ^ (1 << (bit % 32))) >>> 0;
      return words;
    };
    const low = [0, 1, 20, 21, 22, 41, 42, 62]; // two or three in each part
    const near = new NearHashes(6);
    for (const bits of [
      [],
      low,
      [...low, 30],
      [0, 1, 2, 3, 4, 5, 6, 7],
      [42, 43, 44, 55, 60, 61, 62],
      [0, 1, 2, 21, 22, 23, 42, 43, 44],
    ])
      // prettier-ignore
      near.add(turned(bits));
    const places = new Set<number>();
    near.each(turned([]), (place) => places.add(place));
    expect([...places].sort()).toEqual([0, 1, 3, 4]);
    expect(near.first(turned([]), (place) => place > 1)).toBe(3);
    expect(near.first(turned([]), () => false)).toBeNull();
    expect(new NearHashes(1).first([0, 0], () => true)).toBeNull();
  });
});
