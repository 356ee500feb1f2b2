import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig, parseConfig } from "../../src/api/config.js";
import { initialConfig } from "../../src/api/init/initConfig.js";
import { DataError } from "../../src/base/errors.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { openDatabases } from "../../src/data/openDatabases.js";
import { temporaryFolder } from "../support/runs.js";

/** A folder with these files; pictures are empty, since nothing here opens them. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const NAMES = Array.from({ length: 20 }, (_, i) => `${i}.jpg`);

/** A CSV list of NAMES, with the cells of further columns. */
function csv(header: string, cells: (i: number) => string = () => ""): string {
  return [header, ...NAMES.map((name, i) => `${name},${i}${cells(i)}`), ""].join("\n");
}

function pictures(folder: string, names: readonly string[] = NAMES): Record<string, string> {
  return Object.fromEntries(names.map((name) => [join(folder, name), ""]));
}

/** Lists of split 1 in the published layout, of so many images each. */
function publishedLists(folder: string, prefix: string, sizes: readonly [number, number, number]) {
  const row = (subset: string, i: number) => `${subset}${i}.jpg\t${i}\tblur\tanimal\tinvalid\tinvalid`;
  return Object.fromEntries(
    ["train", "val", "test"].map((subset, part) => [
      join(folder, "splits2", "1", `${prefix}_${subset}_clip.txt`),
      Array.from({ length: sizes[part] ?? 0 }, (_, i) => `${row(subset, i)}\n`).join(""),
    ]),
  );
}

/** Config that is written for a path, read and opened as `liqe train` does. */
async function written(given: string, images?: string) {
  const { name, text, warnings } = await initialConfig(given, images);
  const config = parseConfig(text, "init");
  const [first] = await openDatabases(config.data, 1);
  return { name, text, warnings, config, first };
}

describe("initialConfig", () => {
  it("splits one list, whose one further column tells versions of a photograph", async () => {
    const folder = folderOf({
      ...pictures("mine"),
      "mine/scores.csv": csv("image,mos,photo", (i) => `,${i % 5}`),
    });
    const { name, config, first, warnings } = await written(join(folder, "mine", "scores.csv"));
    expect([name, config.run, warnings]).toEqual(["mine", "mine", []]);
    expect(config.data.databases).toEqual([
      { name: "mine", folder: "mine", list: "scores.csv", split: "70/10/20", content: { column: "photo" }, imagesPerStep: 6 },
    ]); // prettier-ignore
    const parts = [first?.train, first?.val, first?.test].map((part) => new Set(part?.map(({ content }) => content)));
    expect(parts.reduce((sum, { size }) => sum + size, 0)).toBe(5);
  });

  it("takes no column of single values, or with a nearly known name, for one of photographs", async () => {
    const single = folderOf({ ...pictures("a"), "a/s.csv": csv("image,mos,id", (i) => `,${i}`) });
    await expect(initialConfig(join(single, "a"))).rejects.toThrow('there is no column "id"');
    const wrong = folderOf({ ...pictures("a"), "a/s.csv": csv("image,mos,scenes", () => ",animal") });
    await expect(initialConfig(join(wrong, "a"))).rejects.toThrow('did you mean "scene"?');
  });

  it.each([
    ["image,mos", "", "a photo which is of {quality} quality", { scene: 0, distortion: 0 }],
    ["image,mos,distortion", ",blur", "a photo with {distortion} artifacts, which is of {quality} quality", { scene: 0, distortion: 1 }],
    ["image,mos,scene", ",animal", "a photo of a {scene}, which is of {quality} quality", { scene: 1, distortion: 0 }],
  ])("asks what the lists have labels for: %s", async (header, cells, template, weights) => {
    const folder = folderOf({ ...pictures("mine"), "mine/scores.csv": csv(header, () => cells) });
    const { config } = await written(join(folder, "mine"));
    expect(config.prompts.template).toBe(template);
    expect(config.losses.weights).toEqual({ quality: 4, ...weights });
  }); // prettier-ignore

  it("finds a list's images one folder below it, or where it is told", async () => {
    const folder = folderOf({ ...pictures("mine/pictures"), "mine/scores.csv": csv("image,mos") });
    const below = await written(join(folder, "mine"));
    expect(below.warnings).toEqual([]);
    expect(below.config.data.databases[0]).toMatchObject({ folder: "mine/pictures", list: "../scores.csv" });
    const elsewhere = folderOf(pictures("x"));
    const told = await written(join(folder, "mine", "scores.csv"), join(elsewhere, "x"));
    expect(told.warnings).toEqual([]);
    expect(told.first?.folder).toBe(join(elsewhere, "x"));
  });

  it("names images that are not there", async () => {
    const folder = folderOf({ ...pictures("mine", NAMES.slice(1)), "mine/scores.csv": csv("image,mos") });
    const { warnings } = await written(join(folder, "mine"));
    expect(warnings).toEqual(["mine: 1 of 20 images are not there (0.jpg); training stops at them"]);
  });

  it("names the lists of the sample of LIVE In the Wild as quickstart.yaml does: it is not the whole database", async () => {
    const { config } = await written(join(PACKAGE_ROOT, "examples", "clive-sample"));
    const [quickstart] = loadConfig(join(PACKAGE_ROOT, "configs", "quickstart.yaml")).config.data.databases;
    expect(config.data.databases).toEqual([{ ...quickstart, folder: "clive-sample" }]);
  });

  it("takes lists of a known database's name and size for that database", async () => {
    const folder = folderOf(publishedLists("anywhere", "bid", [410, 59, 117]));
    const { config, warnings } = await written(join(folder, "anywhere"));
    expect(config.data.databases).toEqual([{ name: "bid", folder: "anywhere", imagesPerStep: 32 }]);
    expect(warnings).toHaveLength(1);
  });

  it("takes one list for each subset as they are", async () => {
    const lists = { "train.csv": csv("image,mos"), "val.csv": "image,mos\nv.jpg,1\nw.jpg,2\n", "test.csv": "image,mos\nt.jpg,1\n" };
    const folder = folderOf(Object.fromEntries(Object.entries(lists).map(([name, text]) => [join("mine", name), text])));
    const { first } = await written(join(folder, "mine"));
    expect([first?.train.length, first?.val.length, first?.test.length]).toEqual([20, 2, 1]);
  }); // prettier-ignore

  it("trains jointly on all databases of a folder", async () => {
    const folder = folderOf({
      ...publishedLists("made", "made", [9, 3, 3]),
      ...pictures("own"),
      "own/scores.csv": csv("image,mos"),
      "notes/readme.md": "nothing here",
      "two/a.csv": csv("image,mos"),
      "two/b.csv": csv("image,mos"),
    });
    const { config, warnings } = await written(folder);
    expect(warnings).toEqual([
      expect.stringMatching(/^left out: .*two: holds 2 lists \(a\.csv, b\.csv\); name one of them$/),
      "made: 15 of 15 images are not there (train0.jpg, train1.jpg, train2.jpg, ...); training stops at them",
    ]);
    expect(config.data.databases).toMatchObject([
      { name: "made", folder: "made", imagesPerStep: 4 },
      { name: "own", folder: "own", list: "scores.csv", imagesPerStep: 4 },
    ]);
  });

  it.each([
    ["yes", "yes"],
    ["a: b # c", "a-b-c"],
    ['- "quoted"', "quoted"],
    ["{split}", "split"],
    ["kadid10k", "my-kadid10k"],
    ["写真", "mine"],
  ])("writes YAML for a folder called %s, whose database is %s", async (folder, name) => {
    const root = folderOf({ ...pictures(folder), [join(folder, "scores.csv")]: csv("image,mos") });
    const { config, first } = await written(join(root, folder));
    expect(config.data.databases[0]?.name).toBe(name);
    expect(first?.folder).toBe(join(root, folder));
  });

  it("keeps the splits that a list tells, and takes forms of other projects", async () => {
    const part = (i: number) => (i < 12 ? "train" : i < 15 ? "val" : "test");
    const folder = folderOf({ ...pictures("mine"), "mine/meta.csv": csv("img_name,mos,split", (i) => `,${part(i)}`) });
    const { config, first } = await written(join(folder, "mine", "meta.csv"));
    expect(config.data.databases[0]).toMatchObject({ name: "mine" });
    expect(config.data.databases[0]?.split).toBeUndefined();
    expect(first?.test.map(({ image }) => image)).toEqual(NAMES.slice(15));
    const lines = NAMES.map((image, i) => JSON.stringify({ image, mos: i })).join("\n");
    const other = folderOf({ ...pictures("."), "scores.jsonl": lines });
    const { first: drawn } = await written(join(other, "scores.jsonl"));
    expect([drawn?.train, drawn?.val, drawn?.test].map((samples) => samples?.length)).toEqual([14, 2, 4]);
  });

  it("names the run as it is asked to", async () => {
    const folder = folderOf({ ...pictures("photos"), "photos/scores.csv": csv("image,mos") });
    const { name, text } = await initialConfig(join(folder, "photos", "scores.csv"), undefined, "mine");
    expect([name, parseConfig(text, "init").run]).toEqual(["mine", "mine"]);
  });

  it.each([
    ["a path that is not there", {}, "x", "there is no such file or folder"],
    ["an empty folder", { "x/.keep": "" }, "x", "holds no list of scores"],
    ["photographs alone", pictures("x"), "x", "holds 20 pictures and no list of scores"],
    ["a known database without lists", { "kadid10k/dmos.csv": "dist_img,dmos" }, "kadid10k", "liqe data prepare kadid10k"],
    ["several lists", { "x/a.csv": csv("image,mos"), "x/b.csv": csv("image,mos") }, "x", "holds 2 lists (a.csv, b.csv)"],
    ["a list without its images", { "x/a.csv": csv("image,mos") }, "x/a.csv", "none of its images is in"],
    ["a text", { "x/a.csv": "hello\n" }, "x/a.csv", 'the header has no column "image" and "mos"'],
    ["a list of another encoding", { "x/a.csv": "i\0m\0a\0g\0e\0" }, "x", "a.csv: is UTF-16 text"],
    ["too few images to split", { "x/1.jpg": "", "x/a.csv": "image,mos\n1.jpg,2\n" }, "x", "give at least 3"],
  ])("refuses %s with what to do", async (_, files, given, message) => {
    const folder = folderOf(files);
    const error: unknown = await initialConfig(join(folder, given)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DataError);
    expect(String(error)).toContain(message);
  }); // prettier-ignore
});
