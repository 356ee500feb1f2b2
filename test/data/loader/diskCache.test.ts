import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_IMAGE_OPTIONS, loadImage } from "../../../src/data/images/loadImage.js";
import { openDiskCache } from "../../../src/data/loader/diskCache.js";
import { createImageReader } from "../../../src/data/loader/imageReader.js";
import type { SizedImage } from "../../../src/model/preprocess/image.js";
import { createFolderAtomically, pngOf } from "../files.js";
import { mapImage } from "../images.js";

const GB = 1e9;
const OPTIONS = { ...DEFAULT_IMAGE_OPTIONS, cacheMB: 0 };
let folder = "";
let cache = "";
let file = "";
const notes: string[] = [];
const note = (line: string) => void notes.push(line);
const open = (budget = GB) => openDiskCache({ ...OPTIONS, folder: cache, budgetBytes: budget }, note);
const entries = () => readdirSync(cache).map((name) => path.join(cache, name));
const onlyEntry = () => entries()[0] ?? "";

beforeEach(async () => {
  notes.length = 0;
  folder = createFolderAtomically({ "a.png": await pngOf(230, 241, 3), "b.png": await pngOf(228, 240, 9) });
  cache = path.join(folder, "cache");
  file = path.join(folder, "a.png");
});

describe("openDiskPixels", () => {
  it("gives back what was kept, also to another one", async () => {
    const image = mapImage(230, 241, 3);
    expect(await open().find(file)).toBeNull();
    await open().keep(file, image);
    expect(await open().find(file)).toEqual(image);
    expect(await open().find(path.join(folder, "b.png"))).toBeNull();
  });

  it("knows nothing of a file that was changed: its size, its time, or how it is to be read", async () => {
    const pixels = open();
    await pixels.keep(file, mapImage(230, 241, 3));
    const { atime, mtime } = statSync(file);
    utimesSync(file, atime, new Date(mtime.getTime() + 5));
    expect(await pixels.find(file)).toBeNull();
    utimesSync(file, atime, mtime);
    const larger = openDiskCache({ ...OPTIONS, small: "resize", folder: cache, budgetBytes: GB }, note);
    expect(await larger.find(file)).toBeNull();
    await pixels.keep(file, mapImage(230, 241, 3));
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from("x")]));
    utimesSync(file, atime, mtime);
    expect(await pixels.find(file)).toBeNull();
  });

  it("does not believe an entry that is cut off, changed in one bit, or something else", async () => {
    const pixels = open();
    await pixels.keep(file, mapImage(230, 241, 3));
    const whole = readFileSync(onlyEntry());
    const damages = [
      whole.subarray(0, -1),
      whole.subarray(0, 10),
      Buffer.alloc(0),
      Buffer.from("LIQEPIX1 no pixels here"),
    ];
    for (const at of [8, 12, 16, 24, whole.length >> 1, whole.length - 1]) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      damages.push(flipped);
    }
    for (const damaged of damages) {
      writeFileSync(onlyEntry(), damaged);
      expect(await pixels.find(file)).toBeNull();
    }
    await pixels.keep(file, mapImage(230, 241, 3));
    expect(await pixels.find(file)).not.toBeNull();
  });

  it("stays within its budget, counting what lies there", async () => {
    const image = mapImage(230, 241);
    const one = image.pixels.length + 24;
    const pixels = open(1.5 * one);
    await pixels.keep(file, image);
    await pixels.keep(path.join(folder, "b.png"), image);
    expect(entries().map((entry) => statSync(entry).size)).toEqual([one]);
    await open(1.5 * one).keep(path.join(folder, "b.png"), image);
    expect(entries()).toHaveLength(1);
  });

  it("says once that it cannot write, and leaves nothing half-written", async () => {
    writeFileSync(cache, "a file where the folder should be");
    const below = openDiskCache({ ...OPTIONS, folder: path.join(cache, "below"), budgetBytes: GB }, note);
    await expect(below.find(file)).rejects.toThrow(/^data\.pixelCacheDir: .*below cannot be read \(ENOTDIR/);
    const taken = path.join(folder, "taken");
    const pixels = openDiskCache({ ...OPTIONS, folder: taken, budgetBytes: GB }, note);
    expect(await pixels.find(file)).toBeNull();
    writeFileSync(taken, "somebody was quicker");
    await pixels.keep(file, mapImage(230, 241));
    await pixels.keep(file, mapImage(230, 241));
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/taken: no more pixels are kept \(E.*\); training goes on without/);
  });
});

/** Reads an image, looks at it and releases it. */
type ImageReader = ReturnType<typeof createImageReader>;

async function use<T>(images: ImageReader, name: string, look: (image: SizedImage) => T | Promise<T>): Promise<T> {
  const image = await images.read(name);
  const seen = await look(image);
  images.release(image);
  return seen;
}
/** Of its own: what is found on disk is in memory that others get afterwards. */
const copied = ({ source }: SizedImage) => ({ ...source, pixels: source.pixels.slice() });

describe("openTrainingImages with pixelCacheDir", () => {
  const openIt = (cacheMB: number) =>
    createImageReader({ ...OPTIONS, cacheMB, pixelCacheDir: cache, pixelCacheGB: 1 }, note);
  const bufferOf = ({ source }: SizedImage) => source.pixels.buffer;

  it("reads the next image into the memory of one that is done with, and of no other", async () => {
    const b = path.join(folder, "b.png");
    const filling = openIt(0);
    for (const name of [file, b]) await use(filling, name, copied);
    const images = openIt(0);
    const first = await use(images, file, bufferOf);
    expect(await use(images, b, bufferOf)).toBe(first);
    await use(images, file, async (image) => {
      const before = image.source.pixels.slice();
      const other = await use(images, b, copied);
      expect(Buffer.compare(other.pixels, image.source.pixels)).not.toBe(0);
      expect(Buffer.compare(before, image.source.pixels)).toBe(0);
    });
  });

  it("lets nobody have the memory of an image that it remembers", async () => {
    const b = path.join(folder, "b.png");
    const filling = openIt(0);
    for (const name of [file, b]) await use(filling, name, copied); // both are found on disk below
    const images = openIt(1);
    const first = await use(images, file, bufferOf);
    const other = await use(images, b, bufferOf);
    expect(other).not.toBe(first);
    expect(await use(images, file, bufferOf)).toBe(first);
    const { pixels } = await use(images, file, copied);
    expect(Buffer.compare(pixels, (await loadImage(file, DEFAULT_IMAGE_OPTIONS)).pixels)).toBe(0);
  });

  it("loads the same pixels with it, from it and without it, and decodes a damaged entry anew", async () => {
    const load = async () => {
      const images = createImageReader({ ...OPTIONS, pixelCacheDir: cache, pixelCacheGB: 1 }, note);
      const image = await use(images, file, copied);
      images.close();
      return image;
    };
    const plain = await loadImage(file, DEFAULT_IMAGE_OPTIONS);
    expect(await load()).toEqual({ ...plain });
    const entry = onlyEntry();
    const made = readFileSync(entry);
    made.writeUInt8(made.readUInt8(30) ^ 255, 30);
    writeFileSync(entry, made);
    expect(Buffer.from((await load()).pixels).equals(Buffer.from(plain.pixels))).toBe(true);
    expect(readFileSync(entry).equals(made)).toBe(false);
    expect(Buffer.from((await load()).pixels).equals(Buffer.from(plain.pixels))).toBe(true);
    expect(entries()).toHaveLength(1);
    expect(notes).toEqual([]);
  });

  it("names a file that is not there, as without it", async () => {
    const images = createImageReader({ ...OPTIONS, pixelCacheDir: cache, pixelCacheGB: 1 }, note);
    await expect(use(images, path.join(folder, "none.png"), copied)).rejects.toThrow(
      /none\.png: cannot be read \(ENOENT/,
    );
  });
});
