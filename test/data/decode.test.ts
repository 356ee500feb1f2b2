import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../src/data/decode.js";
import { expected, fixture, mapImage, unpack } from "./images.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "liqe-decode-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Writes a file into the test's folder and names it. */
function put(name: string, bytes: Uint8Array | string): string {
  const file = path.join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

function png(rows: number, cols: number) {
  return sharp(mapImage(rows, cols).pixels, { raw: { width: cols, height: rows, channels: 3 } }).png();
}

describe("decodeImage", () => {
  it.each(expected.decoded)("reads $file as PIL does, to the last bit", async (wanted) => {
    const image = await decodeImage(fixture(wanted.file));
    const { rows, cols, pixels } = unpack(wanted);
    expect([image.rows, image.cols]).toEqual([rows, cols]);
    expect(Buffer.from(image.pixels).equals(pixels)).toBe(true);
  });

  it("reads a file for what it is, whatever its name", async () => {
    const file = put("really-a.jpg", readFileSync(fixture("bits-24-bottom-up.bmp")));
    expect((await decodeImage(file)).pixels).toEqual((await decodeImage(fixture("bits-24-bottom-up.bmp"))).pixels);
  });

  it("ignores an embedded colour profile, where sharp by itself would convert", async () => {
    const tagged = put("p3.png", await png(20, 30).withIccProfile("p3").toBuffer());
    const converted = await sharp(tagged).raw().toBuffer();
    const chunk = readFileSync(tagged);
    const at = chunk.indexOf("iCCP") - 4;
    const untagged = Buffer.concat([chunk.subarray(0, at), chunk.subarray(at + 12 + chunk.readUInt32BE(at))]);
    const { pixels } = await decodeImage(tagged);
    expect(Buffer.from(pixels).equals(await sharp(untagged).raw().toBuffer())).toBe(true);
    expect(Buffer.from(pixels).equals(converted)).toBe(false);
  });

  it("refuses a truncated JPEG, PNG and BMP by name", async () => {
    for (const name of ["large-420.jpg", "rgb.png", "bits-24-bottom-up.bmp"]) {
      const file = put(`cut-${name}`, readFileSync(fixture(name)));
      truncateSync(file, Math.floor(readFileSync(file).length * 0.7));
      await expect(decodeImage(file)).rejects.toMatchObject({ name: "DataError" });
      await expect(decodeImage(file)).rejects.toThrow(file);
    }
  });

  it("says what a file is that is no image", async () => {
    await expect(decodeImage(put("a.jpg", "just some text\n"))).rejects.toThrow(
      /a\.jpg: not an image: this is text that begins with "just some text.*; give a file of JPEG, PNG/,
    );
    await expect(decodeImage(put("b.png", ""))).rejects.toThrow("the file is empty");
    await expect(decodeImage(put("c.png", "GIF89a......"))).rejects.toThrow("this is a GIF");
    await expect(decodeImage(put("d.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>'))).rejects.toThrow("text");
    await expect(decodeImage(path.join(folder, "none.png"))).rejects.toThrow(/none\.png: cannot be read \(ENOENT/);
  });

  it("refuses more megapixels than allowed, before decoding them", async () => {
    const big = await sharp({ create: { width: 4000, height: 3000, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const file = put("big.png", big);
    await expect(decodeImage(file, { maxMegapixels: 10 })).rejects.toThrow(
      "4000 x 3000 pixels are more than the 10 megapixels allowed",
    );
    await expect(decodeImage(file, { maxMegapixels: 12 })).resolves.toMatchObject({ rows: 3000, cols: 4000 });
    const bomb = Buffer.from(readFileSync(fixture("bits-24-bottom-up.bmp")));
    bomb.writeInt32LE(100_000, 18);
    bomb.writeInt32LE(100_000, 22);
    await expect(decodeImage(put("bomb.bmp", bomb))).rejects.toThrow("100000 x 100000 pixels are more than the 64");
  });

  it("refuses the kinds of BMP it would misread", async () => {
    await expect(decodeImage(fixture("refused-4.bmp"))).rejects.toThrow("a BMP of 4 bits a pixel is not read; convert");
    await expect(decodeImage(fixture("refused-16-555.bmp"))).rejects.toThrow("a BMP of 16 bits");
    await expect(decodeImage(fixture("refused-16-565.bmp"))).rejects.toThrow("a BMP of 16 bits");
    const runs = Buffer.from(readFileSync(fixture("bits-8-grey-bottom-up.bmp")));
    runs.writeUInt32LE(1, 30);
    await expect(decodeImage(put("runs.bmp", runs))).rejects.toThrow("run-length coded");
    await expect(decodeImage(put("short.bmp", "BM"))).rejects.toThrow("header is cut off");
  });
});
