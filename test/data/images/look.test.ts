import { describe, expect, it } from "vitest";
import { areNear, lookOf, PACKED_LOOK, packLook, unpackLook } from "../../../src/data/images/look.js";
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
    expect(() => unpackLook("AAAA")).toThrow("3 bytes, expected 264");
  });
});
