import path from "node:path";
import { describe, expect, it } from "vitest";
import { createTarWriter } from "../../../../src/data/archives/writeTar.js";
import { asOneList, openImages, readSource, type SourceConfig } from "../../../../src/data/lists/formats/readSource.js";
import { openSource } from "../../../../src/data/lists/formats/openSource.js";
import { readPairDatabase } from "../../../../src/data/lists/pairSamples.js";
import { DataConfig } from "../../../../src/data/config.js";
import { PUBLISHED_LABELS } from "../../../../src/model/prompts/labels.js";
import { open } from "node:fs/promises";
import { createFolderAtomically } from "../../files.js";

/** A source's config and what is read of it. */
function read(files: Readonly<Record<string, string>>, entry: object = {}) {
  const folder = createFolderAtomically(files);
  const data = DataConfig.parse({ databases: [{ name: "mine", source: folder, imagesPerStep: 2, ...entry }] });
  const database = data.databases[0] as SourceConfig; // it has a source
  const context = { database: "mine", folder, tables: PUBLISHED_LABELS };
  const message = (work: Promise<unknown>) =>
    work.then(
      () => "nothing was refused",
      (error: unknown) => (error as Error).message.replaceAll(folder, "DIR"), // its text is compared
    );
  return { folder, database, message, reading: () => readSource(database, context) };
}

const TWICE = {
  "1/x_train.csv": "image,mos\na.png,1\nb.png,2\n",
  "1/x_test.csv": "image,mos\nc.png,3\n",
  "2/x_train.csv": "image,mos\nc.png,3\n",
  "2/x_test.csv": "image,mos\n./a.png,1\n",
};

describe("readSource", () => {
  it("has each image once, and the splits that are told", async () => {
    const { reading, message } = read(TWICE);
    const { samples, problems, splits, splitOf } = await reading();
    expect(samples.map(({ image, mos }) => [image, mos])).toEqual([["c.png", 3], ["./a.png", 1], ["b.png", 2]]); // prettier-ignore
    expect([problems, splits]).toEqual([[], 2]);
    const { train, val, test } = await splitOf(2, "");
    expect([train, val, test].map((part) => part.map(({ image }) => image))).toEqual([["c.png"], [], ["./a.png"]]);
    expect(await message(splitOf(3, ""))).toBe(
      "data.databases: mine: split 3 is not there; DIR: the lists' names hold 2 splits",
    );
    expect(await message(splitOf(0, ""))).toContain("split 0 is not there");
  });

  it("draws 70/10/20 where no split is told, or the shares that the config gives, by the source's name", async () => {
    const list = `image,mos,split\n${Array.from({ length: 20 }, (_, i) => `${i}.png,${i},train\n`).join("")}`;
    const sizes = async (entry: object, text = list) => {
      const { reading, database } = read({ "m.csv": text }, entry);
      const { splits, splitOf } = await reading();
      const { train, val, test } = await splitOf(1, path.join(database.source, "record.json"));
      return [splits, train.length, val.length, test.length];
    };
    expect(await sizes({}, list.replaceAll(/,(?:train|split)/g, ""))).toEqual([null, 14, 2, 4]);
    expect(await sizes({ split: "50/25/25" })).toEqual([null, 10, 5, 5]);
    expect(await sizes({})).toEqual([1, 20, 0, 0]);
    const { database } = read({});
    expect(asOneList({ ...database, source: "d/my.csv", split: "official" })).toMatchObject({ list: "my.csv", split: "70/10/20" }); // prettier-ignore
    expect(asOneList({ ...database, source: "d/my.csv", split: "80/10/10" }).split).toBe("80/10/10");
  });

  it("is refused where it allows two readings, with the config's name for it", async () => {
    const { reading, message } = read({ "m.csv": "img_name,mos,dmos\na.png,1,2\nb.png,2,1\n" });
    expect(await message(reading())).toBe(
      "data.databases: mine: DIR: can be read in more than one way; say which, as in a config's { source, columns, split }\n" +
        "  several columns may be the mos (mos: 1, 2, ...; dmos: 2, 1, ...): --columns mos=mos or mos=dmos",
    );
  });

  it("takes the column of contents that the config names", async () => {
    const { reading } = read({ "m.csv": "image,mos,group,own\na.png,1,g,o\n" }, { content: { column: "own" } });
    expect((await reading()).samples.map(({ content }) => content)).toEqual(["o"]);
  });

  it("has the problems of its lists", async () => {
    const { reading, folder } = read({ "m.csv": "image,mos\na.png,x\nb.png\nc.png,1\n" });
    const { problems, samples } = await reading();
    expect(samples.map(({ image }) => image)).toEqual(["c.png"]);
    expect(problems.map(({ message }) => message.replaceAll(folder, "DIR"))).toEqual([
      "DIR/m.csv:3: expected 2 columns as in the first line, got 1; is the file whole?",
      'DIR/m.csv:2: mos must be a finite number, got "x"; leave such images out',
    ]);
  });
});

describe("openImages", () => {
  it("has each image once, in the lists' order, and the splits by their places", async () => {
    const { folder } = read(TWICE);
    const { entries, samples, splits } = await openImages(folder);
    expect(entries.map(({ image }) => image)).toEqual(["c.png", "a.png", "b.png"]);
    expect(samples.map(({ mos, database }) => [mos, database])).toEqual([[3, ""], [1, ""], [2, ""]]); // prettier-ignore
    expect(splits).toEqual([{ train: [1, 2], val: [], test: [0] }, { train: [0], val: [], test: [1] }]); // prettier-ignore
    expect((await openImages(path.join(folder, "1/x_test.csv"))).splits).toEqual([]);
  });

  it("is refused with all problems", async () => {
    const { folder, message } = read({ "m.csv": "image,mos\na.png,x\nb.png\nc.png,1\n" });
    expect(await message(openImages(folder))).toBe(
      [
        "DIR: 2 problems",
        "DIR/m.csv:3: expected 2 columns as in the first line, got 1; is the file whole?",
        'DIR/m.csv:2: mos must be a finite number, got "x"; leave such images out',
      ].join("\n  "),
    );
  });
});

describe("a shard", () => {
  async function shard(members: Readonly<Record<string, string>>): Promise<string> {
    const file = path.join(createFolderAtomically(), "s.TAR");
    const handle = await open(file, "w");
    const tar = createTarWriter(handle);
    for (const [name, contents] of Object.entries(members)) await tar.add(name, Buffer.from(contents));
    await tar.end();
    await handle.close();
    return file;
  }
  const told = async (members: Readonly<Record<string, string>>) => {
    const file = await shard(members);
    return openSource(file).then(
      ({ format, entries, faults }) => [
        format,
        ...entries.map(({ line, image, mos }) => `${line} ${image} ${mos}`),
        ...faults.map(({ line, what }) => `fault ${line}: ${what}`),
      ],
      (error: unknown) => (error as Error).message.replaceAll(file, "TAR"), // its text is compared
    );
  };

  it("has a sample for each key that has an image, by the first dot of a name", async () => {
    const members = { "d.1/a.x.png": "x", "d.1/a.json": '{"score": 2}', "d.1/b.jpg": "x", "d.1/b.CLS": " 3\n", "c.png": "x", "c.txt": "4", "c.cls": "5", "notes.txt": "7" }; // prettier-ignore
    expect(await told(members)).toEqual(["webdataset", "1 s.TAR::d.1/a.x.png 2", "2 s.TAR::d.1/b.jpg 3", "3 s.TAR::c.png 4"]); // prettier-ignore
    expect(await told({ "a.png": "x", "a.json": "[1]", "b.png": "x", "b.json": '{"score": 1}' })).toEqual([
      ...["webdataset", "2 s.TAR::b.png 1", "fault 1: item 1 (s.TAR::a.png) has no score with a score"],
    ]);
  });

  it("is refused where a sample has two of one kind", async () => {
    const one = "write a shard with one of each";
    expect(await told({ "a.png": "x", "a.2.jpg": "x", "a.3.bmp": "x" })).toBe(
      `TAR: one sample has several images, a.png and a.2.jpg and a.3.bmp; ${one}`,
    );
    expect(await told({ "a.png": "x", "a.1.txt": "1", "a.2.TXT": "1" })).toBe(
      `TAR: one sample has several files .txt, a.1.txt and a.2.TXT; ${one}`,
    );
    expect(await told({ "a.png": "x", "a.1.cls": "1", "a.2.cls": "1" })).toBe(
      `TAR: one sample has several files .cls, a.1.cls and a.2.cls; ${one}`,
    );
  });
});

describe("a database of pairs", () => {
  it("refuses a test list of pairs with the command that judges them", async () => {
    const { folder } = read({ "p.csv": "a,b,p\n1.png,2.png,1\n" });
    const list = path.join(folder, "p.csv");
    const database = { name: "mine", pairs: "p.csv", test: "p.csv" } as never; // of the config, only lists count
    const context = { database: "mine", folder, tables: PUBLISHED_LABELS, published: new Map<string, never>() };
    const lists = { train: list, val: list, test: list };
    await expect(readPairDatabase(database, lists, { ...context, subsets: ["test"] })).rejects.toThrow(
      `${list}: is a list of pairs, and test lists have scores; leave test out, and judge the run by liqe evaluate --checkpoint RUN --pairs ${list}`,
    );
    const { pairs } = await readPairDatabase(database, lists, { ...context, subsets: ["val"] });
    expect(pairs).toEqual({ train: [], val: [] }); // the config names none to validate on
  });
});
