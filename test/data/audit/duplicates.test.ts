import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { findDuplicates, type SignedImage, signatureOf } from "../../../src/data/audit/duplicates.js";
import { correlation, hashDistance } from "../../../src/data/images/look.js";
import { NearHashes } from "../../../src/data/images/nearHashes.js";
import type { Sample, Subset } from "../../../src/data/sample.js";
import type { Image } from "../../../src/model/preprocess/image.js";
import { encoder, picture } from "./pictures.js";

async function reencoded(image: Image, quality: number, cols = image.cols): Promise<Image> {
  const jpeg = await encoder(image).resize({ width: cols }).jpeg({ quality }).toBuffer();
  const { default: sharp } = await import("sharp");
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
  return { rows: info.height, cols: info.width, pixels: data };
}

describe("signatureOf", () => {
  const original = picture("a");
  const signature = signatureOf(original);

  it("hardly changes when a picture is recompressed or scaled, and is another for another picture", async () => {
    for (const version of [await reencoded(original, 30), await reencoded(original, 80, 130)]) {
      const other = signatureOf(version);
      expect(other.pixels).not.toBe(signature.pixels);
      expect(hashDistance(other.hash ?? [0, 0], signature.hash ?? [0, 0])).toBeLessThanOrEqual(4);
      expect(correlation(other.thumbnail, signature.thumbnail)).toBeGreaterThan(0.99);
    }
    const others = Array.from({ length: 12 }, (_, i) => signatureOf(picture(`other${i}`)));
    for (const { hash, thumbnail } of others) {
      expect(hashDistance(hash ?? [0, 0], signature.hash ?? [0, 0])).toBeGreaterThan(12);
      expect(correlation(thumbnail, signature.thumbnail)).toBeLessThan(0.9);
    }
  });

  it("has no hash for a picture of one colour", () => {
    const flat = signatureOf({ rows: 300, cols: 300, pixels: new Uint8Array(270_000).fill(77) });
    expect(flat.hash).toBeNull();
    expect(correlation(flat.thumbnail, signature.thumbnail)).toBe(0);
  });

  it("tells pictures of the same bytes and another shape apart", () => {
    const pixels = picture("a", 40, 20).pixels;
    expect(signatureOf({ rows: 40, cols: 20, pixels }).pixels).not.toBe(
      signatureOf({ rows: 20, cols: 40, pixels }).pixels,
    );
  });
});

describe("hashDistance", () => {
  it.each([
    [[0, 0], [0, 0], 0],
    [[0xffffffff, 0], [0, 0x7fffffff], 63],
    [[0b1011, 0x80000000], [0b0001, 0], 3],
  ] as const)("%s and %s differ in %i bits", (a, b, bits) => {
    expect(hashDistance(a, b)).toBe(bits);
  });
});

describe("NearHashes", () => {
  type Hash = readonly [number, number];
  const random = seededRandom(4, "hashes");
  const word = (bits: number) => random.integer(2 ** bits);
  const turned = ([low, high]: Hash, bits: number): Hash => {
    const words: [number, number] = [low, high];
    for (const bit of random.shuffle(Array.from({ length: 63 }, (_, i) => i)).slice(0, bits)) {
      const at = bit < 32 ? 0 : 1;
      words[at] = (words[at] ^ (1 << (bit % 32))) >>> 0;
    }
    return words;
  };

  it("finds the first hash within 8 bits wherever these bits are, as comparing all pairs does, and none at 9", () => {
    const hashes: Hash[] = [];
    for (let i = 0; i < 3000; i++) {
      const before = hashes[random.integer(i + 1)];
      hashes.push(before === undefined || i % 3 === 0 ? [word(32), word(31)] : turned(before, 5 + random.integer(6)));
    }
    const near = new NearHashes(hashes.length);
    const isOdd = (place: number) => place % 2 === 1;
    const found: (number | null)[] = [];
    const expected: (number | null)[] = [];
    for (const [i, hash] of hashes.entries()) {
      found.push(near.first(hash, isOdd));
      const place = hashes.slice(0, i).findIndex((other, j) => isOdd(j) && hashDistance(hash, other) <= 8);
      expected.push(place < 0 ? null : place);
      near.add(hash);
    }
    expect(found).toEqual(expected);
    expect(expected.filter((place) => place !== null).length).toBeGreaterThan(400);
  });
});

describe("findCopies", () => {
  const signed = (image: string, of: Image, subsets: Record<number, Subset>, database = "mine"): SignedImage => {
    const place = { database, folder: "/db", file: `/db/${image}`, list: `${database}.txt`, line: 1 };
    const sample: Sample = { ...place, image, mos: 1, mosStd: null, distortion: null, scenes: [] };
    const numbered = Object.entries(subsets).map(([split, subset]) => [Number(split), subset] as const);
    return { sample, signature: signatureOf(of), subsets: new Map(numbered) };
  };
  const brief = (images: readonly SignedImage[]) =>
    findDuplicates(images).map(({ kind, severity, image }) => `${severity} ${kind} ${image ?? ""}`);

  it("takes the same pixels across lists for an error, within one list for a warning, in no common split for nothing", () => {
    const a = picture("a");
    expect(brief([signed("1", a, { 1: "train" }), signed("2", a, { 1: "test" })])).toEqual(["error copy 2"]);
    expect(brief([signed("1", a, { 1: "train" }), signed("2", a, { 1: "train" })])).toEqual(["warning copy 2"]);
    const third = signed("3", a, { 1: "val" });
    const message = findDuplicates([signed("1", a, { 1: "val" }), signed("2", a, { 1: "train" }), third])[1]?.message;
    expect(message).toContain("is the same picture as mine.txt:1: 2: in split 1 one is in train and the other in val");
  });

  it("warns of nearly the same picture across lists alone, in any split and across databases", async () => {
    const a = picture("a");
    const near = await reencoded(a, 40);
    expect(brief([signed("1", a, { 1: "train" }), signed("2", near, { 1: "train" })])).toEqual([]);
    const laterSplit = [
      signed("1", a, { 1: "train", 2: "test" }),
      signed("2", near, { 1: "train", 2: "val" }, "another"),
      signed("3", picture("b"), { 1: "test" }),
    ];
    expect(brief(laterSplit)).toEqual(["warning near-copy 2"]);
    expect(findDuplicates(laterSplit)[0]?.message).toContain("in split 2 one is in test and the other in val");
  });

  it("leaves versions of one content to the finding that names the content", async () => {
    const a = picture("a");
    const version = (level: number, of: Image, subset: Subset) =>
      signed(`images/a/jpeg_compression_${level}.png`, of, { 1: subset });
    expect(brief([version(1, a, "train"), version(2, await reencoded(a, 40), "test")])).toEqual([]);
  });

  /** Two pictures of these bits apart whose thumbnails correlate by this, one to train on and one to test on. */
  const pair = (bits: number, correlated: number): SignedImage[] => {
    const a = signed("1", picture("a"), { 1: "train" });
    const b = signed("2", picture("a"), { 1: "test" });
    const [first, second] = [new Float32Array(1024), new Float32Array(1024)];
    first[0] = 1;
    second.set([correlated, Math.sqrt(1 - correlated ** 2)]);
    const signature = { pixels: "a", hash: [0, 0], thumbnail: first } as const;
    const other = { pixels: "b", hash: [2 ** bits - 1, 0], thumbnail: second } as const;
    return [
      { ...a, signature },
      { ...b, signature: other },
    ];
  };

  it.each([
    [8, 0.96, ["warning near-copy 2"]],
    [9, 0.96, []],
    [8, 0.94, []],
    [0, 0.5, []],
  ])("finds pictures that differ in %i bits and correlate by %f to be %j", (bits, correlated, expected) => {
    expect(brief(pair(bits, correlated))).toEqual(expected);
  });
});
