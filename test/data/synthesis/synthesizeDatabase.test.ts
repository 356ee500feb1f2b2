import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, DataError } from "../../../src/base/errors.js";
import { filesIn } from "../../../src/base/folders.js";
import { processToken, partsOf } from "../../../src/base/processes.js";
import { type ProgressEvent, SILENT } from "../../../src/base/types.js";
import { type SynthesisOptions, synthesizeDatabase } from "../../../src/data/synthesis/synthesizeDatabase.js";

let root = "";
let photos = "";

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "liqe-synthesis-"));
  photos = path.join(root, "photos");
  await mkdir(photos);
  for (const name of ["raccoon", "coffee", "rocket", "chelsea"]) {
    await sharp(`examples/photos/${name}.jpg`)
      .extract({ left: 0, top: 0, width: 240, height: 224 })
      .toFile(path.join(photos, `${name}.png`));
  }
  await writeFile(
    path.join(root, "scenes.tsv"),
    "images/raccoon.png\tanimal\tplant\tinvalid\nchelsea.png\tanimal\tinvalid\tinvalid\n",
  );
});

afterAll(async () => {
  await rm(root, { recursive: true });
});

function settings(name: string, changes: Partial<SynthesisOptions> = {}): SynthesisOptions {
  const scenes = path.join(root, "scenes.tsv");
  return { photos, scenes, out: path.join(root, name), seed: 1, perContent: 3, splits: 2, version: "test", ...changes };
}

/** Every file below a folder with the SHA-256 of its content. */
async function contentsOf(folder: string): Promise<Map<string, string>> {
  const read = async (file: string) => [file, digest(await readFile(path.join(folder, file)))] as const;
  return new Map(await Promise.all((await filesIn(folder)).map(read)));
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function linesOf(file: string): Promise<string[][]> {
  const text = await readFile(path.join(root, file), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
}

describe("synthesizeDatabase", () => {
  it("lays out images, lists and record as published databases are, and reports each image", async () => {
    const events: ProgressEvent[] = [];
    const made = await synthesizeDatabase(settings("laid-out"), {
      ...SILENT,
      progress: (event) => events.push(event),
    });
    expect(made).toMatchObject({ status: "made", photographs: 4, images: 12, unlabelled: 2 });
    expect(events.at(-1)).toMatchObject({ done: 12, total: 12, unit: "images" });

    const all = await linesOf("laid-out/splits2/laid-out_all_clip.txt");
    expect(all).toHaveLength(12);
    for (const [image = "", mos, type = "", ...scenes] of all) {
      const content = image.split("/")[1] ?? "";
      const labels = { raccoon: "animal plant invalid", chelsea: "animal invalid invalid" }[content];
      expect(scenes.join(" ")).toBe(labels ?? "invalid invalid invalid");
      expect(Number(mos)).toBeGreaterThanOrEqual(1);
      expect(Number(mos)).toBeLessThanOrEqual(5);
      expect(image).toMatch(new RegExp(`^images/${content}/${type.replaceAll(" ", "_")}_[1-5]\\.png$`));
      const { width, height } = await sharp(path.join(root, "laid-out", image)).metadata();
      expect([width, height]).toEqual([240, 224]);
    }

    const record: unknown = JSON.parse(await readFile(path.join(root, "laid-out/synthesis.json"), "utf8"));
    expect(record).toMatchObject({ seed: 1, version: "test", images: 12 });
    expect(record).toHaveProperty("proxyMos", expect.stringContaining("proxy MOS, not opinions of viewers"));
    expect(record).toHaveProperty("countsPerClass.noise", expect.any(Number));
  });

  it("splits by content: each image in one subset, each content in one, none of them empty", async () => {
    await synthesizeDatabase(settings("split"), SILENT);
    const all = await linesOf("split/splits2/split_all_clip.txt");
    for (const split of [1, 2]) {
      const subsets = await Promise.all(
        ["train", "val", "test"].map((subset) => linesOf(`split/splits2/${split}/split_${subset}_clip.txt`)),
      );
      const contents = subsets.map((lines) => new Set(lines.map(([image = ""]) => image.split("/")[1])));
      expect(contents.map(({ size }) => size)).toEqual([2, 1, 1]);
      expect(new Set(contents.flatMap((subset) => [...subset])).size).toBe(4);
      expect(subsets.flat().map(String).sort()).toEqual(all.map(String).sort());
    }
  });

  it("gives the same bytes for the same seed, whatever the folder's name, and others for another seed", async () => {
    await synthesizeDatabase(settings("a/db"), SILENT);
    await synthesizeDatabase(settings("b/db"), SILENT);
    await synthesizeDatabase(settings("c/db", { seed: 2 }), SILENT);
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((folder) => contentsOf(path.join(root, folder))));
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
  });

  it("says complete on the same settings and touches nothing on others", async () => {
    await synthesizeDatabase(settings("again"), SILENT);
    const before = await contentsOf(path.join(root, "again"));
    expect(await synthesizeDatabase(settings("again"), SILENT)).toMatchObject({ status: "complete", images: 12 });
    const other = synthesizeDatabase(settings("again", { seed: 7, splits: 3 }), SILENT);
    await expect(other).rejects.toThrow(ConfigError);
    await expect(other).rejects.toThrow("seed 1, now 7; splits 2, now 3");
    expect(await contentsOf(path.join(root, "again"))).toEqual(before);
  });

  it("refuses a folder that holds something else and leaves it alone", async () => {
    await mkdir(path.join(root, "theirs"));
    await writeFile(path.join(root, "theirs/notes.txt"), "mine");
    await expect(synthesizeDatabase(settings("theirs"), SILENT)).rejects.toThrow(ConfigError);
    expect(await readdir(path.join(root, "theirs"))).toEqual(["notes.txt"]);
  });

  it("leaves nothing behind when it is interrupted, and clears away what a killed process left", async () => {
    const parent = path.join(root, "stopped");
    const { host, pid } = partsOf(processToken());
    const leftover = path.join(parent, `.partial-${host}-${pid}-1-0a0a0a0a`); // of our number, started earlier
    await mkdir(leftover, { recursive: true });
    const stop = new AbortController();
    const progress = ({ label, done }: ProgressEvent) => {
      if (label === "distorting" && done === 4) stop.abort(new Error("stopped by the test"));
    };
    const interrupted = synthesizeDatabase(settings("stopped/db", { signal: stop.signal }), { ...SILENT, progress });
    await expect(interrupted).rejects.toThrow("stopped by the test");
    expect(await readdir(parent)).toEqual([]);
    expect(await synthesizeDatabase(settings("stopped/db"), SILENT)).toMatchObject({ status: "made" });
  });

  it("takes as many photographs as asked for, the same ones again", async () => {
    const first = await synthesizeDatabase(settings("few/db", { contents: 3 }), SILENT);
    expect(first).toMatchObject({ photographs: 3, images: 9 });
    expect(await readdir(path.join(root, "few/db/images"))).toHaveLength(3);
  });

  it("names every photograph that is too small or unreadable at once", async () => {
    const folder = path.join(root, "bad-photos");
    await mkdir(folder);
    const small = { width: 300, height: 223, channels: 3, background: "red" } as const;
    await sharp({ create: small }).toFile(path.join(folder, "small.png"));
    await writeFile(path.join(folder, "text.jpg"), "not a picture");
    await sharp({ create: { ...small, height: 224 } }).toFile(path.join(folder, "fine.png"));
    const refused = synthesizeDatabase(settings("bad", { photos: folder }), SILENT);
    await expect(refused).rejects.toThrow(DataError);
    await expect(refused).rejects.toThrow(
      /2 of 3 .*\n {2}\S*small\.png: 300 x 223 pixels.*224\n {2}\S*text\.jpg: not an image/,
    );
    expect(await readdir(root)).not.toContain("bad");
  });

  /** A folder with what synthesis is given in the wild, beside three sound photographs. */
  async function folderWith(name: string, files: Readonly<Record<string, string | Buffer>>): Promise<string> {
    const folder = path.join(root, name);
    await mkdir(folder);
    for (const sound of ["raccoon", "coffee", "rocket"]) {
      await copyFile(path.join(photos, `${sound}.png`), path.join(folder, `${sound}.png`));
    }
    for (const [file, bytes] of Object.entries(files)) await writeFile(path.join(folder, file), bytes);
    return folder;
  }

  it("reads every photograph by its bytes, upright, and names what it leaves out", async () => {
    const upright = sharp(path.join(photos, "chelsea.png"));
    const jpeg = await upright.jpeg().withMetadata({ orientation: 6 }).toBuffer();
    const bmp = await readFile("test/fixtures/images/bits-24-bottom-up.bmp"); // 16 x 12 or so: too small, so it was read
    const folder = await folderWith("wild", { "phone.jfif": jpeg, "notes.txt": "mine", ".hidden.jpg": "no" });
    await mkdir(path.join(folder, "more"));
    const notes: string[] = [];
    const note = (line: string) => notes.push(line);
    const made = await synthesizeDatabase(settings("of-wild", { photos: folder }), { ...SILENT, note });
    expect(made.photographs).toBe(4);
    expect(notes).toEqual([
      `${folder}: left out 2 of 6 files, no images: more (it is a folder), notes.txt (this is text that begins with "mine")`,
    ]);
    const [image = ""] = await readdir(path.join(root, "of-wild/images/phone"));
    const { width, height } = await sharp(path.join(root, "of-wild/images/phone", image)).metadata();
    expect([width, height]).toEqual([224, 240]);
    await writeFile(path.join(folder, "scan.bmp"), bmp);
    const small = synthesizeDatabase(settings("x", { photos: folder }), SILENT);
    await expect(small).rejects.toThrow(/1 of 5 .*\n {2}\S*scan\.bmp: \d+ x \d+ pixels, the shorter side/);
  });

  it("refuses pictures of other kinds, damage, dangling links and folders with an image's name, all by name", async () => {
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300"><rect width="300" height="300"/></svg>';
    const whole = await sharp(path.join(photos, "chelsea.png")).jpeg().toBuffer();
    const gif = await sharp(path.join(photos, "chelsea.png")).gif().toBuffer();
    const cut = whole.subarray(0, whole.length >> 1);
    const folder = await folderWith("odd", { "a.png": svg, "b.jpg": gif, "c.jpg": cut, "d.webp": "" });
    await symlink("nowhere.jpg", path.join(folder, "e.jpg"));
    await mkdir(path.join(folder, "f.jpg"));
    const refused = synthesizeDatabase(settings("x", { photos: folder }), SILENT);
    await expect(refused).rejects.toThrow(DataError);
    await expect(refused).rejects.toThrow(
      new RegExp(
        [
          "6 of 9",
          "a.png: not an image",
          "b.jpg: .*GIF",
          "c.jpg: cannot be decoded",
          "d.webp: .*empty",
          "e.jpg: cannot be read \\(ENOENT",
          "f.jpg: is a folder",
        ].join("[^]*"),
      ),
    );
  });

  it("names files whose names are not UTF-8, and photographs beyond the allowed pixels", async () => {
    const folder = await folderWith("latin", {});
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from("caf\xe9.jpg", "latin1")]), "");
    const refused = synthesizeDatabase(settings("x", { photos: folder }), SILENT);
    await expect(refused).rejects.toThrow(/not UTF-8.*rename them.*\n {2}caf\uFFFD\.jpg$/);
    const large = synthesizeDatabase(settings("x", { maxMegapixels: 0.05 }), SILENT);
    await expect(large).rejects.toThrow(
      /4 of 4 .*240 x 224 pixels are more than the 0\.05 megapixels.*--max-megapixels/s,
    );
  });

  it("refuses fewer than three contents, an empty folder and a missing one", async () => {
    const empty = path.join(root, "empty");
    await mkdir(empty);
    await expect(synthesizeDatabase(settings("x", { contents: 2 }), SILENT)).rejects.toThrow("at least 3 are needed");
    await expect(synthesizeDatabase(settings("x", { photos: empty }), SILENT)).rejects.toThrow("holds no photograph");
    await expect(synthesizeDatabase(settings("x", { photos: "no/where" }), SILENT)).rejects.toThrow("cannot be read");
  });

  it("refuses settings out of range", async () => {
    await expect(synthesizeDatabase(settings("x", { perContent: 126 }), SILENT)).rejects.toThrow(
      "from 1 to 125, got 126",
    );
    await expect(synthesizeDatabase(settings("x", { levels: 6 }), SILENT)).rejects.toThrow("from 1 to 5, got 6");
    await expect(synthesizeDatabase(settings("x", { contents: 9 }), SILENT)).rejects.toThrow("holds 4; ask for fewer");
  });

  it("names every wrong line of a scene list", async () => {
    const scenes = path.join(root, "wrong.tsv");
    await writeFile(
      scenes,
      "raccoon.png\tanimal\n\ncoffee.png\tkitchen\tinvalid\tinvalid\r\ncoffee.png\tindoor\tinvalid\tinvalid\n",
    );
    const refused = synthesizeDatabase(settings("x", { scenes }), SILENT);
    await expect(refused).rejects.toThrow(
      /wrong\.tsv:1: .*got 2 columns.*\n.*:3: unknown scene "kitchen".*\n.*:4: .*earlier line/,
    );
  });
});
