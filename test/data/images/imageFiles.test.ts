import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { hasImageName, leftOutNote, placeProblem, whyNoImage } from "../../../src/data/images/imageFiles.js";
import {
  checkPixels,
  decodeImage,
  DEFAULT_IMAGE_OPTIONS,
  describeBytes,
  loadSized,
  notAnImage,
  readStart,
  sniffFormat,
} from "../../../src/data/images/loadImage.js";
import { createFolderAtomically, pngOf } from "../files.js";
import { fixture } from "../images.js";

const latin = (text: string) => Buffer.from(text, "latin1");

describe("the first bytes of a file", () => {
  it.each([
    ["\xff\xd8\xff", "jpeg"],
    ["\xff\xd8\xfe", null],
    ["\x89PNG\r\n\x1a\n", "png"],
    ["\x89PNG\n\x1a\n", null],
    ["RIFF1234WEBPVP8 ", "webp"],
    ["RIFF1234WAVE", null],
    ["1234RIFFWEBP", null],
    ["II*\0", "tiff"],
    ["MM\0*", "tiff"],
    ["II+\0", "tiff"],
    ["MM\0+", "tiff"],
    ["MM*\0", null],
    ["BM", "bmp"],
    ["MB", null],
    ["", null],
  ])("%j announce the format %s", (text, format) => {
    expect(sniffFormat(latin(text))).toBe(format);
  });

  it.each([
    ["", "the file is empty"],
    ["GIF87a", "this is a GIF"],
    ["\0\0\0\x18ftypheic", "this is a HEIF, AVIF or video file"],
    ["\0\0\0\x0cjP  \r\n", "this is a JPEG 2000 file"],
    ["8BPS\0\x01", "this is a Photoshop file"],
    ["%PDF-1.4", "this is a PDF"],
    ["<html>\t~\r\nmore than sixteen", 'this is text that begins with "<html>\\t~\\r\\nmore t"'],
    ["\x7fELF\x02\x01\x01\0\x09", "it begins with the bytes 7f454c4602010100"],
    ["\xe9", "it begins with the bytes e9"],
  ])("%j are described", (text, told) => {
    expect(describeBytes(latin(text))).toBe(told);
  });

  it("are told of a file that is no image, with what is one", () => {
    const { name, message } = notAnImage("a.gif", latin("GIF8"));
    expect(`${name}: ${message}`).toBe(
      "DataError: a.gif: not an image: this is a GIF; give a file of JPEG, PNG, WEBP, TIFF, BMP",
    );
  });

  it("are read alone, fewer where the file is shorter", async () => {
    const folder = createFolderAtomically({ "long.png": "x".repeat(100), "short.png": "abc" });
    expect((await readStart(path.join(folder, "long.png"))).toString()).toBe("x".repeat(54));
    expect((await readStart(path.join(folder, "long.png"), 3)).toString()).toBe("xxx");
    expect((await readStart(path.join(folder, "short.png"), 9)).toString()).toBe("abc");
    await expect(readStart(path.join(folder, "gone.png"))).rejects.toThrow(
      /gone\.png: cannot be read \(ENOENT.*\); check the path and its permissions$/,
    );
  });
});

describe("a file of a folder", () => {
  it("has the name of an image by its ending, in any case", () => {
    const endings = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "tif", "tiff", "bmp", "dib", "JPG", "Png"];
    expect(endings.filter((ending) => !hasImageName(`d/a.b.${ending}`))).toEqual([]);
    expect(["a.gif", "jpg", "a.jpg.txt", "a.jpg/b"].filter(hasImageName)).toEqual([]);
  });

  it("is left out with its reason, unless its name or its bytes are an image's", async () => {
    const folder = createFolderAtomically({
      "a.png": "x",
      "b.txt": "text",
      "c.dat": "BM",
      "d.dat": "",
      "e.heic": "\0\0\0\x18ftyp",
    });
    mkdirSync(path.join(folder, "f"));
    execFileSync("mkfifo", [path.join(folder, "g")]);
    const names = ["a.png", "gone.png", "gone", "b.txt", "c.dat", "d.dat", "e.heic", "f", "g"];
    expect(await Promise.all(names.map(async (name) => whyNoImage(path.join(folder, name))))).toEqual([
      ...[null, null, null, 'this is text that begins with "text"', null, "the file is empty"],
      ...["this is a HEIF, AVIF or video file", "it is a folder", "it is no regular file"],
    ]);
  });

  it("has a problem where it is no file", async () => {
    const folder = createFolderAtomically({ "a.png": "x" });
    mkdirSync(path.join(folder, "f.png"));
    execFileSync("mkfifo", [path.join(folder, "g.png")]);
    symlinkSync("nowhere", path.join(folder, "l.png"));
    const problem = async (name: string) => placeProblem(path.join(folder, name));
    expect([await problem("a.png"), await problem("f.png"), await problem("g.png")]).toEqual([
      ...[null, "is a folder with the name of an image", "is no regular file"],
    ]);
    expect(await problem("l.png")).toMatch(/^cannot be read \(ENOENT.*\), as of a link that leads nowhere$/);
  });

  it("is named in the note on those that are left out, up to five", () => {
    const left = Array.from({ length: 6 }, (_, i) => ({ name: `${i}.txt`, why: `reason ${i}` }));
    const five = "0.txt (reason 0), 1.txt (reason 1), 2.txt (reason 2), 3.txt (reason 3), 4.txt (reason 4)";
    expect(leftOutNote("d", 9, [])).toBeNull();
    expect(leftOutNote("d", 1, left.slice(0, 1))).toBe("d: left out 1 of 1 file, no images: 0.txt (reason 0)");
    expect(leftOutNote("d", 9, left.slice(0, 5))).toBe(`d: left out 5 of 9 files, no images: ${five}`);
    expect(leftOutNote("d", 9, left)).toBe(`d: left out 6 of 9 files, no images: ${five}, and 1 more`);
  });
});

describe("an image that is decoded", () => {
  it("has as many pixels as are allowed, and no more", () => {
    checkPixels("a.png", { rows: 1000, cols: 2000 }, 2);
    expect(() => {
      checkPixels("a.png", { rows: 1000, cols: 2001 }, 2);
    }).toThrow(
      "a.png: 2001 x 1000 pixels are more than the 2 megapixels allowed; scale it down, or raise data.maxMegapixels of the config, or --max-megapixels",
    );
  });

  it("may come as bytes, with a name for its messages", async () => {
    const bytes = await pngOf(230, 240);
    expect(await decodeImage({ name: "x", bytes })).toMatchObject({ rows: 230, cols: 240 });
    await expect(decodeImage({ name: "sent.png", bytes: bytes.subarray(0, 50) })).rejects.toThrow(
      /^sent\.png: cannot be decoded \(.+\); get the file again$/,
    );
    const small = loadSized({ name: "small.png", bytes: await pngOf(20, 30) }, DEFAULT_IMAGE_OPTIONS);
    await expect(small).rejects.toThrow(/^small\.png: /);
  });

  it("keeps to the limits of its reading by default", () => {
    expect(DEFAULT_IMAGE_OPTIONS).toEqual({ small: "error", maxMegapixels: 64, stallSeconds: 300, onDamage: "warn" });
  });

  it("says that it was damaged only where it is read all the same, and never of a sound one", async () => {
    const said: string[] = [];
    const onDamaged = (file: string) => said.push(path.basename(file));
    for (const name of ["damaged-checksum.png", "rgb.png", "damaged-extra-bytes.jpg"])
      await decodeImage(fixture(name), { onDamaged });
    expect(said[0]).toBe("damaged-checksum.png");
    expect(said).not.toContain("rgb.png");
    expect(
      (await decodeImage({ name: "a", bytes: readFileSync(fixture("damaged-scan.jpg")) }, {})).cols,
    ).toBeGreaterThan(0);
  });
});
