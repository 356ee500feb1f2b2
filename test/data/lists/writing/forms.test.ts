import { readFileSync } from "node:fs";
import path from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { filesIn } from "../../../../src/base/folders.js";
import { PACKAGE_ROOT } from "../../../../src/base/packageInfo.js";
import { openTar } from "../../../../src/data/archives/tar.js";
import { WRITTEN_FORMS } from "../../../../src/data/lists/formats/names.js";
import { LIST_WRITERS } from "../../../../src/data/lists/writing/forms.js";
import {
  plainListName,
  type WrittenData,
  type WrittenImage,
  writtenImage,
} from "../../../../src/data/lists/writing/written.js";
import { createFolderAtomically } from "../../files.js";

const unlabeled = { mosStd: null, distortion: null, scenes: [], content: null };

/** Images of which each lacks something else. */
function partly(folder: string): WrittenImage[] {
  const images = [
    {
      image: "a/p0.png",
      mos: "1.5",
      mosStd: "0.5",
      distortion: "blur",
      scenes: ["human", "animal"],
      content: "c0.bmp",
    },
    { ...unlabeled, image: "shard.tar::b/p1.v2.PNG", mos: "-4" },
    { ...unlabeled, image: "p2.jpg", mos: "2.25", mosStd: "0", distortion: "noise", scenes: ["plant"] },
    { ...unlabeled, image: "b/p1_v2.png", mos: "3e0", content: "c1" },
  ];
  return images.map((one, i) => ({ ...one, file: path.join(folder, `${i}.png`) }));
}

/** The same with all that a list can tell of each. */
function whole(folder: string): WrittenImage[] {
  const known = { mosStd: "0.25", distortion: "jpeg, twice", scenes: ["human"], content: "c" };
  return partly(folder).map((one, i) => ({ ...one, ...known, content: i === 0 ? "c0.bmp" : `c${i}` }));
}

const ONE = [{ train: [2, 0], val: [], test: [1] }];
const TWO = [...ONE, { train: [1], val: [3, 0], test: [] }];

/** Text of a file that was written: of archives, arrays and Parquet what is in them. */
async function shown(file: string): Promise<string> {
  const bytes = readFileSync(file);
  if (file.endsWith(".tar")) {
    const tar = await openTar(file);
    const members = await Promise.all(tar.names.map(async (name) => `${name}: ${(await tar.read(name)).toString()}\n`));
    return members.join("");
  }
  if (file.endsWith(".npy")) {
    const start = 10 + bytes.readUInt16LE(8);
    const values = Array.from({ length: (bytes.length - start) / 8 }, (_, i) => bytes.readBigInt64LE(start + 8 * i));
    return `${bytes.toString("hex", 0, 10)} ${bytes.toString("latin1", 10, start)}${values.join(" ")}\n`;
  }
  if (file.endsWith(".parquet")) {
    const buffer = await asyncBufferFromFile(file);
    const { schema } = await parquetMetadataAsync(buffer);
    const columns = schema.map(({ name, type = "", repetition_type: kind = "" }) => `${name} ${type} ${kind}`.trim());
    const rows = await parquetReadObjects({ file: buffer });
    return `${[columns.join(", "), ...rows.map((row) => JSON.stringify(row))].join("\n")}\n`;
  }
  return bytes.toString("utf8").replace(/\d\.\d{8,}/g, (number) => Number(number).toFixed(6));
}

/** All files that a form writes of some data, and what it says of what it leaves out. */
async function written(form: (typeof WRITTEN_FORMS)[number], data: WrittenData): Promise<string> {
  const out = createFolderAtomically();
  const notes = await LIST_WRITERS[form](data, out);
  const texts: string[] = [];
  for (const name of await filesIn(out)) texts.push(`-- ${name}\n${await shown(path.join(out, name))}`);
  return [...texts, ...notes.map((note) => `-- note: ${note}\n`)].join("");
}

describe("the lists that are written", () => {
  it.each(WRITTEN_FORMS)("are those of the form: %s", async (form) => {
    const folder = createFolderAtomically(Object.fromEntries([0, 1, 2, 3].map((i) => [`${i}.png`, `picture ${i}`])));
    const [some, all] = [partly(folder), whole(folder)];
    const cases: Readonly<Record<string, WrittenData>> = {
      "some facts, no split": { name: "mine", database: null, images: some, splits: [] },
      "some facts, one split": { name: "mine", database: null, images: some, splits: ONE },
      "some facts, two splits": { name: "mine", database: null, images: some, splits: TWO },
      "all facts, no split, KADID-10k": { name: "kadid10k", database: "kadid10k", images: all, splits: [] },
      "all facts, one split": { name: "mine", database: "live", images: all, splits: ONE },
      "no image": { name: "mine", database: null, images: [], splits: [] },
      "scores alone": {
        name: "mine",
        database: null,
        images: some.map((one) => ({ ...one, ...unlabeled })),
        splits: [],
      },
    };
    let text = "";
    for (const [title, data] of Object.entries(cases)) text += `==== ${title}\n${await written(form, data)}`;
    await expect(text).toMatchFileSnapshot(path.join(PACKAGE_ROOT, "test/fixtures/lists/written", `${form}.txt`));
  });

  it("have the lowest level in DeQA-Score's form where all scores are one", async () => {
    const images = partly(createFolderAtomically()).slice(0, 1);
    const text = await written("deqa-score", { name: "x", database: null, images, splits: [] });
    const [item] = JSON.parse(text.slice(text.indexOf("[\n"))) as [object]; // below the file's name
    expect(item).toMatchObject({
      gt_score: 1.5,
      gt_score_norm: 1,
      std: 0.5,
      std_norm: 0,
      level_probs: [0, 0, 0, 0, 1],
    });
  });

  it("take no names with blanks, or without an image's ending, into rows with blanks between", async () => {
    const [first] = partly(createFolderAtomically());
    for (const image of ["a b.png", "a.txt"]) {
      const images = first === undefined ? [] : [first, { ...first, image }];
      await expect(written("visualquality-r1", { name: "x", database: null, images, splits: [] })).rejects.toThrow(
        `the name "${image}" has a blank or no image's ending, and rows with blanks between them cannot hold it; choose another form`,
      );
    }
  });
});

describe("an image to write", () => {
  it("keeps what its list says of it, without labels that are not known", () => {
    const entry = { line: 3, list: "l.csv", isThere: true, image: "a.png", mos: "1", mosStd: "2", content: "c" };
    const labels = { distortion: "invalid", scenes: ["", "human", "invalid"] };
    expect(writtenImage({ ...entry, ...labels }, "/d/a.png")).toEqual({
      ...{ image: "a.png", file: "/d/a.png", mos: "1", mosStd: "2", distortion: null, scenes: ["human"], content: "c" },
    });
    expect(writtenImage({ ...entry, distortion: "blur", scenes: [] }, "").distortion).toBe("blur");
    expect(writtenImage({ ...entry, distortion: "", scenes: [] }, "").distortion).toBeNull();
  });

  it("is in lists named without words for subsets and numbers of images", () => {
    const names = ["my photos_train", "koniq_7k-set", "koniq10k test", "10k", "a.b split 3"];
    expect(names.map(plainListName)).toEqual(["my-photos", "koniq", "koniq10k", "data", "a-b"]);
  });
});
