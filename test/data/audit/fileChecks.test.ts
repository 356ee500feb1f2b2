import { symlinkSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { probeImages } from "../../../src/data/audit/fileChecks.js";
import { findMissingImages, findOtherCase, requireImages } from "../../../src/data/audit/fileChecks.js";
import { DEFAULT_IMAGE_OPTIONS } from "../../../src/data/images/loadImage.js";
import { prefetchImages } from "../../../src/data/images/prefetch.js";
import { withFoundNames } from "../../../src/data/lists/foundNames.js";
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

  it("refuses a link out of the database's folder where links are not followed, not one within, nor a linked folder", async () => {
    const elsewhere = createFolderAtomically({ "secret.png": "x" });
    const folder = createFolderAtomically({ "in.png": "x" });
    symlinkSync(path.join(elsewhere, "secret.png"), path.join(folder, "out.png"));
    symlinkSync(path.join(folder, "in.png"), path.join(folder, "alias.png"));
    const linked = path.join(elsewhere, "linked");
    symlinkSync(folder, linked);
    await requireImages(samplesOf(linked, ["in.png", "alias.png"]));
    await requireImages(samplesOf(linked, ["in.png", "alias.png"]), { followLinks: false });
    const listed = samplesOf(folder, ["in.png", "out.png"]);
    expect(await messageOf(requireImages(listed, { followLinks: false }))).toContain(
      `l.txt:2: out.png: leads out of the database's folder, to ${elsewhere}/secret.png, and data.followLinks is false`,
    );
    expect(await requireImages(listed)).toEqual([]);
  });

  it("leaves out missing training images up to 1 % of them where it is told to, and no others", async () => {
    const folder = createFolderAtomically(Object.fromEntries(Array.from({ length: 199 }, (_, i) => [`${i}.png`, "x"])));
    const listed = samplesOf(folder, [...Array.from({ length: 199 }, (_, i) => `${i}.png`), "gone.png"]);
    const dropped = await requireImages(listed, {}, new Set(listed));
    expect(dropped.map(({ sample }) => sample.image)).toEqual(["gone.png"]);
    expect(await messageOf(requireImages(listed, {}, new Set(listed.slice(0, 100))))).toContain(
      "1 of 200 images: missing",
    );
    const two = samplesOf(folder, [...listed.slice(0, 98).map(({ image }) => image), "gone.png", "lost.png"]);
    expect(await messageOf(requireImages(two, {}, new Set(two)))).toContain("2 of 100 images: missing");
  });

  it("takes a name in other case for the only such file, and says why one that looks alike is none", async () => {
    const folder = createFolderAtomically({ "img/p1.jpg": "x", "img/e\u0301.jpg": "x", "b.jpg": "x", "B.JPG": "x" });
    const names = ["img/p1.jpg", "IMG/P1.JPG", "img/\u00e9.jpg", "img/p\u200b1.jpg", "b.JPG", "gone.jpg"];
    const found = await withFoundNames(samplesOf(folder, names));
    const [exact, other] = found;
    expect(exact).not.toHaveProperty("foundAs");
    expect(other).toMatchObject({ foundAs: "img/p1.jpg", file: path.join(folder, "img/p1.jpg") });
    expect(findOtherCase(found).map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      expect.stringMatching(/^warning: l\.txt:2: IMG\/P1\.JPG: is img\/p1\.jpg on the disk, in other case, and used/),
    ]);
    const missing = (await findMissingImages(found, {})).map(({ message }) => message);
    expect(missing[0]).toContain("the file's name is in Unicode form NFD, the list's in NFC");
    expect(missing[1]).toContain("the list's name holds the invisible U+200B");
    expect(missing[2]).toContain("several files differ from it in case alone");
    expect(missing[3]).toMatch(/gone\.jpg$/);
  });

  it("reports its progress", async () => {
    const folder = createFolderAtomically({ "a.png": "x", "b.png": "x" });
    const seen: number[] = [];
    await requireImages(samplesOf(folder, ["a.png", "b.png"]), {
      report: ({ done, total }) => seen.push(done / total),
    });
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
    expect(lines[0]).toBe("DataError: data: 3 of 4 images: unusable");
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
