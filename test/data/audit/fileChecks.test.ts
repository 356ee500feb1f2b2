import { symlinkSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { probeImages, requireImages } from "../../../src/data/audit/fileChecks.js";
import { DEFAULT_IMAGE_OPTIONS } from "../../../src/data/images/loadImage.js";
import { prefetchImages } from "../../../src/data/images/prefetch.js";
import type { Sample } from "../../../src/data/sample.js";
import { createFolderAtomically, pngOf } from "../files.js";

function samplesOf(folder: string, images: readonly string[]): Sample[] {
  const known = { database: "mine", folder, mos: 1, mosStd: null, distortion: null, scenes: [], list: "l.txt" };
  return images.map((image, i) => ({ ...known, image, file: path.join(folder, image), line: i + 1 }));
}

const messageOf = async (failing: Promise<unknown>) =>
  failing.then(
    () => "nothing was refused",
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : "no error"),
  );

describe("checkImages", () => {
  it("counts all missing images and names the first five", async () => {
    const folder = createFolderAtomically({ "here.png": "x" });
    const images = ["here.png", ...Array.from({ length: 7 }, (_, i) => `gone${i}.png`)];
    const lines = (await messageOf(requireImages(samplesOf(folder, images)))).split("\n");
    expect(lines[0]).toBe("DataError: data: 7 of 8 images: missing; check data.root and the lists");
    expect(lines[1]).toBe(`  l.txt:2: gone0.png: no file ${folder}/gone0.png`);
    expect(lines).toHaveLength(7);
    expect(lines[6]).toBe("  and 2 more");
  });

  it("refuses a symbolic link out of the database's folder, not one within, nor a linked folder", async () => {
    const elsewhere = createFolderAtomically({ "secret.png": "x" });
    const folder = createFolderAtomically({ "in.png": "x" });
    symlinkSync(path.join(elsewhere, "secret.png"), path.join(folder, "out.png"));
    symlinkSync(path.join(folder, "in.png"), path.join(folder, "alias.png"));
    const linked = path.join(elsewhere, "linked");
    symlinkSync(folder, linked);
    await requireImages(samplesOf(linked, ["in.png", "alias.png"]));
    expect(await messageOf(requireImages(samplesOf(folder, ["in.png", "out.png"])))).toContain(
      `l.txt:2: out.png: leads out of the database's folder, to ${elsewhere}/secret.png; put the image inside it`,
    );
  });

  it("reports its progress", async () => {
    const folder = createFolderAtomically({ "a.png": "x", "b.png": "x" });
    const seen: number[] = [];
    await requireImages(samplesOf(folder, ["a.png", "b.png"]), ({ done, total }) => seen.push(done / total));
    expect(seen).toEqual([0.5, 1]);
  });
});

describe("probeImages", () => {
  it("finds text named .jpg, small and oversized images before anything is decoded", async () => {
    const folder = createFolderAtomically({
      "good.png": await pngOf(224, 300),
      "text.jpg": "not a picture",
      "small.png": await pngOf(223, 300),
      "cut.png": (await pngOf(224, 300)).subarray(0, 20),
    });
    const samples = samplesOf(folder, ["good.png", "text.jpg", "small.png", "cut.png"]);
    const lines = (await messageOf(probeImages(samples, DEFAULT_IMAGE_OPTIONS))).split("\n");
    expect(lines[0]).toBe("DataError: data: 3 of 4 images: of no use");
    expect(lines[1]).toMatch(/^ {2}l\.txt:2: .*text\.jpg: not an image: this is text that begins with "not a picture"/);
    expect(lines[2]).toMatch(/^ {2}l\.txt:3: .*small\.png: 300 x 223 pixels are less than 224 on a side; leave it out/);
    expect(lines[3]).toMatch(/^ {2}l\.txt:4: .*cut\.png: its header cannot be read/);
    const large = await messageOf(probeImages(samples.slice(0, 1), { ...DEFAULT_IMAGE_OPTIONS, maxMegapixels: 0.01 }));
    expect(large).toContain("300 x 224 pixels are more than the 0.01 megapixels allowed");
    await probeImages([...samples.slice(0, 1), ...samples.slice(2, 3)], { ...DEFAULT_IMAGE_OPTIONS, small: "resize" });
  });
});

describe("decodedImages", () => {
  it("hands out images in order and goes on after one that cannot be used", async () => {
    const folder = createFolderAtomically({
      "0.png": await pngOf(224, 230),
      "1.png": "text",
      "2.png": await pngOf(224, 240),
    });
    const files = ["0.png", "1.png", "none.png", "2.png"].map((name) => path.join(folder, name));
    for (const ahead of [0, 1, 10]) {
      const got: string[] = [];
      for await (const loaded of prefetchImages(files, { ahead })) {
        got.push(loaded.ok ? `${loaded.image.cols}` : loaded.error.message.replace(/;.*/, "").replace(folder, ""));
      }
      expect(got).toEqual([
        "230",
        '/1.png: not an image: this is text that begins with "text"',
        expect.stringContaining("/none.png: cannot be read (ENOENT"),
        "240",
      ]);
    }
  });
});
