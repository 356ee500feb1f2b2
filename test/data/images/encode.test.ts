import path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { encodeContactSheet } from "../../../src/data/images/contactSheet.js";
import { DamageLog, hasWholeChunks } from "../../../src/data/images/damage.js";
import { encodePng, encodeWebp } from "../../../src/data/images/encode.js";
import { prefetchImages } from "../../../src/data/images/prefetch.js";
import { createFolderAtomically, pngOf } from "../files.js";
import { mapImage } from "../images.js";

const flat = (rows: number, cols: number, color: readonly [number, number, number]) => ({
  ...{ rows, cols, pixels: Uint8Array.from({ length: rows * cols * 3 }, (_, i) => color[i % 3] ?? NaN) },
});

describe("encodePng and encodeWebp", () => {
  it("keep a PNG's pixels, and bring a WebP's longer side down to the limit, never up", async () => {
    const image = mapImage(30, 20);
    const { data, info } = await sharp(await encodePng(image)).raw().toBuffer({ resolveWithObject: true }); // prettier-ignore
    expect([info.height, info.width, Buffer.compare(data, Buffer.from(image.pixels))]).toEqual([30, 20, 0]);
    const sizeOf = async (rows: number, cols: number, side: number) => {
      const { format, width, height } = await sharp(await encodeWebp(mapImage(rows, cols), side, 80)).metadata();
      return [format, height, width];
    };
    expect(await sizeOf(30, 20, 15)).toEqual(["webp", 15, 10]);
    expect(await sizeOf(20, 30, 15)).toEqual(["webp", 10, 15]);
    expect(await sizeOf(30, 20, 30)).toEqual(["webp", 30, 20]);
    expect(await sizeOf(30, 20, 60)).toEqual(["webp", 30, 20]);
    expect(await sizeOf(300, 2, 10)).toEqual(["webp", 10, 1]);
    const [coarse, fine] = [await encodeWebp(mapImage(60, 60), 60, 10), await encodeWebp(mapImage(60, 60), 60, 95)];
    expect(coarse.length).toBeLessThan(fine.length);
  });
});

describe("encodeContactSheet", () => {
  it("has pictures in rows at their margins, captions below, on white", async () => {
    const [red, blue, green] = [flat(40, 60, [250, 0, 0]), flat(40, 60, [0, 0, 250]), flat(40, 60, [0, 200, 0])];
    const pictures = [
      { ...red, lines: ["one"] },
      { ...blue, lines: [] },
      { ...green, lines: ["<b>&", "second"] },
    ];
    const jpeg = await encodeContactSheet(pictures, 2);
    const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
    expect([info.format, info.width, info.height]).toEqual(["raw", 2 * 68 + 8, 2 * (40 + 2 * 18 + 16) + 8]);
    const at = (row: number, col: number) => [
      ...data.subarray(3 * (row * info.width + col), 3 * (row * info.width + col) + 3),
    ];
    // JPEG mixes the colors of neighbors at an edge
    const isNear = (color: number[], wanted: number[]) =>
      color.every((value, i) => Math.abs(value - (wanted[i] ?? NaN)) < 100);
    const isWhite = (row: number, col: number) => isNear(at(row, col), [255, 255, 255]);
    const corners = (top: number, left: number) => [
      ...[at(top + 2, left + 2), at(top + 37, left + 57), at(top + 2, left + 57), at(top + 37, left + 2)],
    ];
    const around = (top: number, left: number) => [
      at(top - 4, left + 30),
      at(top + 20, left - 4),
      at(top + 20, left + 63),
    ];
    const places = [[8, 8, red], [8, 76, blue], [100, 8, green]] as const; // prettier-ignore
    for (const [top, left, { pixels }] of places) {
      expect(
        corners(top, left).every((pixel) => isNear(pixel, [...pixels.subarray(0, 3)])),
        `${top} ${left}`,
      ).toBe(true);
      expect(
        around(top, left).every((pixel) => isNear(pixel, [255, 255, 255])),
        `around ${top} ${left}`,
      ).toBe(true);
    }
    expect([isWhite(0, 0), isWhite(5, 20), isWhite(30, 72), isWhite(96, 30), isWhite(30, 142)]).toEqual(Array<boolean>(5).fill(true)); // prettier-ignore
    const darkest = (top: number, left: number) =>
      Math.min(...Array.from({ length: 14 * 50 }, (_, i) => at(top + Math.floor(i / 50), left + (i % 50))[1] ?? NaN));
    expect(darkest(52, 8)).toBeLessThan(150); // "one"
    expect(darkest(70, 8)).toBeGreaterThan(200);
    expect(darkest(52, 78)).toBeGreaterThan(200); // the second has no line
    expect(darkest(144, 8)).toBeLessThan(150);
    expect(darkest(162, 8)).toBeLessThan(150); // "second"
  });

  it("cuts off long lines, takes control characters for blanks, and is as wide as its pictures", async () => {
    const picture = flat(20, 400, [0, 0, 0]);
    const sheetOf = async (...lines: readonly string[]) => encodeContactSheet([{ ...picture, lines }], 5);
    const { width, height } = await sharp(await sheetOf("a", "b", "c")).metadata();
    expect([width, height]).toEqual([416, 20 + 3 * 18 + 16 + 8]);
    const [long, longer] = ["x".repeat(40), "x".repeat(60)];
    expect((await sheetOf(long)).equals(await sheetOf(longer))).toBe(true);
    expect((await sheetOf("x".repeat(34))).equals(await sheetOf("x".repeat(35)))).toBe(false);
    expect((await sheetOf("x".repeat(33) + "\u2026")).equals(await sheetOf("x".repeat(35)))).toBe(true);
    expect((await sheetOf("a\tb")).equals(await sheetOf("a b"))).toBe(true);
    await expect(encodeContactSheet([], 5)).rejects.toThrow("internal: encodeContactSheet: no picture");
  });
});

describe("hasWholeChunks", () => {
  it("is true of a PNG whose checksums are right up to its pixels", async () => {
    const png = await pngOf(20, 20);
    const pixels = png.indexOf("IDAT");
    const changed = (at: number) => {
      const bytes = Buffer.from(png);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      return bytes;
    };
    expect(hasWholeChunks(png)).toBe(true);
    expect(hasWholeChunks(changed(17))).toBe(false); // the width
    expect(hasWholeChunks(changed(29))).toBe(false); // its checksum's first byte
    expect(hasWholeChunks(changed(32))).toBe(false); // and its last
    expect(hasWholeChunks(changed(pixels + 6))).toBe(true); // not looked at
    expect(hasWholeChunks(png.subarray(0, pixels + 8))).toBe(true);
    expect(hasWholeChunks(png.subarray(0, pixels + 7))).toBe(false);
    expect(hasWholeChunks(png.subarray(0, 30))).toBe(false);
    expect(hasWholeChunks(png.subarray(0, 8))).toBe(false);
  });
});

describe("DamageLog's notes", () => {
  it("name up to five files once, with what to do, and are counted only where there are more", () => {
    const notes: string[] = [];
    const log = new DamageLog((line) => notes.push(line));
    for (let i = 0; i < 5; i++) log.onDamaged(`${i}.jpg`, "odd");
    log.onDamaged("0.jpg", "odd");
    log.close();
    expect(notes).toEqual(
      [0, 1, 2, 3, 4].map((i) => `${i}.jpg: is damaged (odd), read as PIL reads it; data.onDamage: refuse stops at such files`), // prettier-ignore
    );
    log.onDamaged("0.jpg", "odd"); // begun anew
    expect(notes).toHaveLength(6);
    const own = new DamageLog((line) => notes.push(line), "look at them");
    for (let i = 0; i < 6; i++) own.onDamaged(`${i}`, "x");
    own.close();
    expect(notes.slice(-2)).toEqual([
      "4: is damaged (x), read as PIL reads it; look at them",
      "6 damaged images were read as PIL reads them",
    ]);
  });
});

describe("prefetchImages", () => {
  it("gives images and errors in the files' order", async () => {
    const folder = createFolderAtomically({
      "a.png": await pngOf(230, 230),
      "b.png": "text",
      "c.png": await pngOf(224, 300),
    });
    const files = ["a.png", "b.png", "gone.png", "c.png"].map((name) => path.join(folder, name));
    for (const ahead of [0, 1, 9]) {
      const told: string[] = [];
      for await (const one of prefetchImages(files, { ahead }))
        told.push(`${path.basename(one.file)} ${one.ok ? one.image.cols : one.error.name}`);
      expect(told).toEqual(["a.png 230", "b.png DataError", "gone.png DataError", "c.png 300"]);
    }
  });
});
