import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reasonOf } from "../../../src/base/text.js";
import { DamageLog } from "../../../src/data/images/damage.js";
import { decodeImage } from "../../../src/data/images/loadImage.js";
import { expected, expectedOf, fixture, mapImage } from "../images.js";

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
    const { rows, cols, pixels } = expectedOf(wanted.file);
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

  it("reads a picture from a pipe, which has no size", async () => {
    const pipe = path.join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const [image] = await Promise.all([decodeImage(pipe), writeFile(pipe, readFileSync(fixture("rgb.png")))]);
    expect(image).toEqual(await decodeImage(fixture("rgb.png")));
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

  it("leaves no loader of libvips open that it does not use", async () => {
    await decodeImage(fixture("rgb.png"));
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");
    for (const bytes of [svg, gif]) await expect(sharp(bytes).metadata()).rejects.toThrow("unsupported image format");
    for (const kind of ["rgb-420.jpg", "rgb.png", "rgb.tif", "lossy.webp"]) {
      await expect(sharp(readFileSync(fixture(kind))).metadata()).resolves.toHaveProperty("width", 19);
    }
  });

  it("refuses a file of more than 512 MB unread", async () => {
    const file = put("huge.png", readFileSync(fixture("rgb.png")));
    truncateSync(file, 512 * 2 ** 20 + 1); // a hole: takes no space
    await expect(decodeImage(file)).rejects.toThrow("536870913 bytes are more than the 536870912 allowed");
  });

  it("refuses the kinds of BMP it would misread, and what is cut off", async () => {
    const bmp = (name: string, change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(readFileSync(fixture(name)));
      change(bytes);
      return decodeImage(put("changed.bmp", bytes));
    };
    const plain = "bits-24-bottom-up.bmp";
    await expect(bmp(plain, (b) => b.writeUInt32LE(4, 30))).rejects.toThrow(
      "a BMP of compression 4 is not read; convert",
    );
    await expect(bmp(plain, (b) => b.writeUInt16LE(2, 28))).rejects.toThrow("a BMP of 2 bits a pixel, stored as plain");
    await expect(bmp(plain, (b) => b.writeUInt32LE(1, 30))).rejects.toThrow("a BMP of 24 bits a pixel, stored as runs");
    await expect(bmp(plain, (b) => b.writeUInt32LE(64 * 3, 14))).rejects.toThrow("a BMP header of 192 bytes");
    await expect(bmp(plain, (b) => b.writeInt32LE(0, 18))).rejects.toThrow("holds nothing");
    const masked = "bits-32-fields.bmp";
    await expect(bmp(masked, (b) => b.writeUInt32LE(0x3ff00000, 54))).rejects.toThrow("color masks 3ff00000 0000ff00");
    await expect(bmp("bits-8-runs.bmp", (b) => b.fill(0, b.length - 60))).rejects.toThrow(
      "runs do not fill its picture",
    );
    await expect(decodeImage(put("short.bmp", "BM"))).rejects.toThrow("header is cut off");
    const cut = readFileSync(fixture("bits-8-palette-bottom-up.bmp")).subarray(0, 200);
    await expect(decodeImage(put("cut.bmp", cut))).rejects.toThrow("cut off in its palette");
  });
});

/** A run-length coded BMP whose color `i` of 16 has the red value `i`. */
function codedBmp({ rows, cols, bits }: { rows: number; cols: number; bits: 4 | 8 }, coded: string): Buffer {
  const header = Buffer.alloc(54 + 16 * 4);
  header.write("BM");
  header.writeUInt32LE(header.length, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(cols, 18);
  header.writeInt32LE(rows, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(bits === 8 ? 1 : 2, 30);
  header.writeUInt32LE(16, 46);
  for (let i = 0; i < 16; i++) header[54 + 4 * i + 2] = i;
  return Buffer.concat([header, Buffer.from(coded, "hex")]);
}

describe("damage that PIL reads through", () => {
  // The colors that Pillow 12 reads of the same bytes, from the top
  it.each([
    [
      "a run behind a row that is full",
      { rows: 2, cols: 5, bits: 8 },
      "05010409000005020000",
      [
        [2, 2, 2, 2, 2],
        [1, 1, 1, 1, 1],
      ],
    ],
    [
      "single pixels past a row's end",
      { rows: 2, cols: 5, bits: 8 },
      "000701020304050607000903000003080308",
      [
        [6, 7, 0, 0, 0],
        [1, 2, 3, 4, 5],
      ],
    ],
    [
      "half bytes past a row's end, an odd number of bytes",
      { rows: 2, cols: 5, bits: 4 },
      "00071234567000000598",
      [
        [6, 7, 0, 0, 0],
        [1, 2, 3, 4, 5],
      ],
    ],
    [
      "a jump into a row",
      { rows: 3, cols: 5, bits: 8 },
      "020100020201040700000503",
      [
        [3, 3, 3, 3, 3],
        [0, 0, 0, 0, 7],
        [1, 1, 0, 0, 0],
      ],
    ],
  ] as const)("is read alike in a BMP: %s", async (_, shape, coded, colors) => {
    const { pixels } = await decodeImage(put("runs.bmp", codedBmp(shape, coded)));
    expect(Array.from({ length: pixels.length / 3 }, (_, i) => pixels[3 * i])).toEqual(colors.flat());
  });

  it("leaves a JPEG's inks what they are, where bytes stand between its segments", async () => {
    const name = "cmyk.jpg";
    const whole = readFileSync(fixture(name));
    const start = whole.indexOf(Buffer.from([0xff, 0xdb])); // of its first table
    for (const between of [[0], [0, 0, 7], [0xff], [0xff, 0x00, 3]]) {
      const changed = Buffer.concat([whole.subarray(0, start), Buffer.from(between), whole.subarray(start)]);
      expect((await decodeImage(put("between.jpg", changed))).pixels).toEqual(
        (await decodeImage(fixture(name))).pixels,
      );
    }
  });
});

/** A TIFF of 8 x 8 pixels in RGB, with tags changed: [type, value, ...]. */
function tiffWith(changed: Readonly<Record<number, readonly [number, ...number[]]>>): Buffer {
  const SHORT = 3;
  const plain = { 256: [4, 8], 257: [4, 8], 258: [SHORT, 8, 8, 8], 259: [SHORT, 1], 262: [SHORT, 2], 273: [4, 8] };
  const tags = { ...plain, 277: [SHORT, 3], 278: [4, 8], 279: [4, 192], ...changed };
  const entries = Object.entries(tags).sort(([a], [b]) => Number(a) - Number(b));
  const out = Buffer.alloc(8 + 192 + 2 + entries.length * 12 + 4 + 8 * entries.length);
  out.write("II*\0", "latin1");
  out.writeUInt32LE(200, 4);
  out.writeUInt16LE(entries.length, 200);
  let far = 202 + entries.length * 12 + 4;
  for (const [i, [tag, [type = 0, ...values]]] of entries.entries()) {
    const at = 202 + i * 12;
    out.writeUInt16LE(Number(tag), at);
    out.writeUInt16LE(type, at + 2);
    out.writeUInt32LE(values.length, at + 4);
    if (values.length > 2) out.writeUInt32LE(far, at + 8);
    for (const value of values) {
      const place = values.length > 2 ? (far += 2) - 2 : at + 8 + 2 * values.indexOf(value);
      if (type === SHORT) out.writeUInt16LE(value, place);
      else out.writeUInt32LE(value, place);
    }
  }
  return out;
}

describe("DamageLog", () => {
  it("names each of the first five damaged files once, and counts them all at its end", () => {
    const notes: string[] = [];
    const log = new DamageLog((line) => notes.push(line));
    for (const i of [1, 2, 1, 3, 4, 5, 6, 7]) log.onDamaged(`${i}.jpg`, "a reason");
    log.close();
    expect(notes).toHaveLength(6);
    expect(notes[1]).toMatch(/^2\.jpg: is damaged \(a reason\), read as PIL reads it/);
    expect(notes[5]).toBe("7 damaged images were read as PIL reads them");
  });
});

describe("decodeImage of damaged and odd files", () => {
  it("reads damage that PIL reads through, and says so where it is asked to", async () => {
    const said: string[] = [];
    const onDamaged = (file: string, reason: string) => said.push(`${path.basename(file)}: ${reason}`);
    const file = fixture("damaged-scan.jpg");
    await decodeImage(file, { onDamage: "warn", onDamaged });
    await decodeImage(file, { onDamage: "ignore", onDamaged });
    await decodeImage(fixture("rgb-420.jpg"), { onDamaged });
    expect(said).toEqual(["damaged-scan.jpg: VipsJpeg: Invalid SOS parameters for sequential JPEG"]);
    for (const name of ["damaged-scan.jpg", "damaged-checksum.png"]) {
      await expect(decodeImage(fixture(name), { onDamage: "refuse" })).rejects.toThrow("cannot be decoded");
    }
  });

  it("refuses a JPEG without its end, and a PNG whose header's checksum is wrong, as PIL does", async () => {
    const cut = readFileSync(fixture("rgb-420.jpg")).subarray(0, -2);
    await expect(decodeImage(put("no-end.jpg", cut))).rejects.toThrow("no-end.jpg: cannot be decoded");
    const png = Buffer.from(readFileSync(fixture("rgb.png")));
    png.writeUInt8(png.readUInt8(29) ^ 1, 29);
    await expect(decodeImage(put("header.png", png))).rejects.toThrow("header.png: cannot be decoded");
  });

  it.each([
    ["of floating point samples", { 258: [3, 32, 32, 32], 339: [3, 3, 3, 3] }],
    ["of floating point samples", { 258: [3, 32], 262: [3, 1], 277: [3, 1], 339: [3, 3] }],
    ["of signed samples", { 258: [3, 16, 16, 16], 339: [3, 2, 2, 2] }],
    ["of Y, Cb and Cr without JPEG compression", { 262: [3, 6] }],
    ["of CIE L*a*b*", { 262: [3, 8] }],
    ["of 32 bits a sample", { 258: [3, 32], 262: [3, 1], 277: [3, 1] }],
    ["of 12, 12, 12 bits a sample", { 258: [3, 12, 12, 12] }],
    ["compressed by Zstandard", { 259: [3, 50_000] }],
  ] as const)("refuses a TIFF %s", async (what, tags) => {
    await expect(decodeImage(put("odd.tif", tiffWith(tags)))).rejects.toThrow(`odd.tif: a TIFF ${what} is not read`);
    expect(await decodeImage(put("plain.tif", tiffWith({})))).toMatchObject({ rows: 8, cols: 8 });
  });

  it("gives each of many broken files its own reason, whatever is decoded beside it", async () => {
    const jpeg = readFileSync(fixture("large-420.jpg"));
    const cut = put("cut.jpg", jpeg.subarray(0, jpeg.length / 2));
    const noScan = put("no-scan.webp", readFileSync(fixture("lossy.webp")).subarray(0, 60));
    const badRow = Buffer.from(readFileSync(fixture("rgb.png")));
    badRow.fill(0x55, badRow.indexOf("IDAT") + 8, badRow.indexOf("IDAT") + 40);
    const files = [cut, noScan, put("row.png", badRow)];
    const reasonIn = async (file: string) => decodeImage(file).then(() => "none", reasonOf);
    const alone: string[] = [];
    for (const file of files) alone.push(await reasonIn(file));
    expect(new Set(alone).size).toBe(files.length);
    const many = Array.from({ length: 60 }, (_, i) => i % files.length);
    expect(await Promise.all(many.map((i) => reasonIn(files[i] ?? "")))).toEqual(many.map((i) => alone[i]));
  });

  it("turns images as EXIF says only where it is asked to", async () => {
    const turned = fixture("orientation-6.jpg");
    const { rows, cols } = await decodeImage(turned);
    expect(await decodeImage(turned, { orientation: "apply" })).toMatchObject({ rows: cols, cols: rows });
  });
});
