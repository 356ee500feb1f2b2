import path from "node:path";
import { describe, expect, it } from "vitest";
import { unpacked } from "../../../src/data/lists/packSamples.js";
import { readPublishedScores } from "../../../src/data/lists/publishedScores.js";
import { parseList, readList } from "../../../src/data/lists/readList.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically, tsv } from "../files.js";

const BLUR = 3; // "jpeg2000 compression", "jpeg compression", "noise", "blur"
const [ANIMAL, HUMAN] = [0, 2];

function write(content: string | Uint8Array, name = "list.txt") {
  const folder = createFolderAtomically({ [name]: content });
  const context = {
    database: "mine",
    folder,
    tables: PUBLISHED_LABELS,
    published: new Map<string, { mos: number; deviation: number }>(),
  };
  return { folder, file: path.join(folder, name), context };
}

/** The problems of a list, without its file's name. */
async function problemsOf(content: string) {
  const { file, context } = write(content);
  const { problems } = await parseList(file, context);
  return problems.map(({ message }) => message.replace(file, "list"));
}

describe("readList", () => {
  it("reads a published list", async () => {
    const { folder, file, context } = write(
      tsv(
        ["a/1.png", 3.5, "gaussian blur", "human", "invalid", "animal"],
        ["a/2.png", "40", "invalid", "invalid", "", ""],
      ),
    );
    const published = new Map([["a/1.png", { mos: 3.5, deviation: 0.25 }]]);
    expect((await readList(file, { ...context, published })).map(unpacked)).toEqual([
      {
        database: "mine",
        image: "a/1.png",
        file: path.join(folder, "a/1.png"),
        folder,
        mos: 3.5,
        mosStd: 0.25,
        distortion: BLUR,
        scenes: [HUMAN, ANIMAL],
        list: file,
        line: 1,
      },
      expect.objectContaining({ image: "a/2.png", mos: 40, mosStd: null, distortion: null, scenes: [], line: 2 }),
    ]);
  });

  it("reads CSV by its header, in any order of columns, quoted or not", async () => {
    const { file, context } = write(
      'mos,scene,image,distortion\n1e1,human | animal,"a, b.png",blur\n.5,,c.png,\n',
      "l.csv",
    );
    expect(await readList(file, context)).toMatchObject([
      { image: "a, b.png", mos: 10, mosStd: null, distortion: BLUR, scenes: [HUMAN, ANIMAL], line: 2 },
      { image: "c.png", mos: 0.5, distortion: null, scenes: [], line: 3 },
    ]);
  });

  it("takes a list's own deviations before the database's", async () => {
    const { file, context } = write("image,mos,mos_std\na.png,1,0.5\nb.png,2,\n");
    const published = new Map([
      ["a.png", { mos: 1, deviation: 9 }],
      ["b.png", { mos: 2, deviation: 8 }],
    ]);
    expect((await readList(file, { ...context, published })).map(({ mosStd }) => mosStd)).toEqual([0.5, 8]);
  });

  it("takes a byte order mark, CRLF and empty lines as they come", async () => {
    const { file, context } = write(
      "\uFEFFa.png\t1\tblur\thuman\tinvalid\tinvalid\r\n\r\nb.png\t2\tblur\thuman\tinvalid\tinvalid\r\n",
    );
    const samples = await readList(file, context);
    expect(samples.map(({ image, line }) => [image, line])).toEqual([
      ["a.png", 1],
      ["b.png", 3],
    ]);
    expect(samples[1]?.scenes).toEqual([HUMAN]);
  });

  it("gives up at more than 100,000 problems, naming the first of them", async () => {
    const rows = Array.from({ length: 100_001 }, (_, i) => [`${i}.png`, "n/a", "blur", "human", "invalid", "invalid"]);
    await expect(problemsOf(tsv(...rows))).rejects.toThrow(
      /has more than 100000 problems up to line 100001, the first of them .*:1: /,
    );
  });

  it("names every problem of a file at once, each with its line", async () => {
    const wrong = await problemsOf(
      tsv(
        ["a.png", "n/a", "blur", "human", "invalid", "invalid"],
        ["b.png", 1, "blurr", "humna", "invalid", "invalid"],
        ["c.png", 1, "blur", "human", "invalid"],
        ["d.png", "", "blur", "human", "human", "invalid"],
        ["e.png", "Infinity", "weather report", "invalid", "invalid", "invalid"],
      ),
    );
    expect(wrong).toEqual([
      "list:3: expected 6 columns (path, mos, distortion, three scenes), got 5; " +
        'separate them by tabs, with "invalid" where a label is not known',
      'list:1: mos must be a finite number, got "n/a"; leave such images out',
      'list:2: there is no scene "humna"; did you mean "human"?',
      'list:2: there is no distortion "blurr"; did you mean "blur"?',
      'list:4: mos must be a finite number, got ""; leave such images out',
      "list:4: a scene is named twice; name it once",
      'list:5: mos must be a finite number, got "Infinity"; leave such images out',
      expect.stringContaining('list:5: there is no distortion "weather report"'),
    ]);
  });

  it("refuses paths that leave the folder or exist on one machine alone", async () => {
    const labels = [1, "blur", "human", "invalid", "invalid"];
    const paths = ["/data/a.png", "a/../../b.png", "C:/a.png", "a\\b.png", "a\0.png", "", "..a/b..c.png"];
    const wrong = await problemsOf(tsv(...paths.map((image) => [image, ...labels])));
    expect(wrong.map((message) => message.replace(/;.*/, ""))).toEqual([
      'list:1: the path "/data/a.png" is absolute',
      'list:2: the path "a/../../b.png" leaves the database\'s folder',
      'list:3: the path "C:/a.png" begins with a drive',
      'list:4: the path "a\\\\b.png" holds a backslash',
      'list:5: the path "a\\u0000.png" holds a NUL character',
      "list:6: the image's path is empty",
    ]);
  });

  it("refuses a second line of the same image, however it is spelled", async () => {
    const labels = [1, "blur", "human", "invalid", "invalid"];
    const rows = ["a/1.png", "a/2.png", "./a//1.png"].map((image) => [image, ...labels]);
    expect(await problemsOf(tsv(...rows))).toEqual(["list:3: ./a//1.png stands in line 1 already; remove one"]);
  });

  it("refuses an empty list, a header alone, and a header without what is needed", async () => {
    expect(await problemsOf("")).toEqual(["list: the list is empty; a line for each image is needed"]);
    expect(await problemsOf("image,mos\n")).toEqual(["list: the list is empty; a line for each image is needed"]);
    expect(await problemsOf("path,score\na,1\n")).toEqual([
      'list:1: the header has no column "image" and "mos"; a CSV list begins with ' +
        "image,mos,mos_std,distortion,scene (the last three optional), a published list is tab-separated",
    ]);
    expect(await problemsOf("image,mos,mos,scenes\n")).toEqual([
      'list:1: there is no column "scenes"; did you mean "scene"?',
      'list:1: the column "mos" stands there twice; remove one',
    ]);
    expect(await problemsOf("image,mos\na,b.png,1\n")).toEqual([
      "list:2: expected 2 columns as in the header, got 3; quote a cell that holds a comma",
    ]);
    expect(await problemsOf("image,mos,mos_std\na.png,1,-1\n")).toEqual([
      'list:2: mos_std must be a number of at least 0, got "-1"; leave it empty if unknown',
    ]);
  });

  it("throws one error that shows ten problems and counts the rest", async () => {
    const { file, context } = write(tsv(...Array.from({ length: 13 }, (_, i) => [`${i}.png`, "n/a"])));
    const error: unknown = await readList(file, context).catch((caught: unknown) => caught);
    const lines = (error as Error).message.split("\n"); // rejected, as the next line checks
    expect(error).toMatchObject({ name: "DataError" });
    expect(lines[0]).toBe(`${file}: 13 problems`);
    expect(lines).toHaveLength(12);
    expect(lines[11]).toBe("  and 3 more");
  });

  it("refuses what is no list: no file, no text, an open quote", async () => {
    const { context, folder } = write("");
    await expect(readList(path.join(folder, "no.txt"), context)).rejects.toThrow(
      /no\.txt: there is no such list; check/,
    );
    const binary = write(Uint8Array.of(0xff, 0xfe, 0x80));
    await expect(readList(binary.file, binary.context)).rejects.toThrow("is not UTF-8 text");
    const quote = write('image,mos\n"a.png,1\n');
    await expect(readList(quote.file, quote.context)).rejects.toThrow(/Quote Not Closed.*; correct that line/);
  });
});

describe("readDeviations", () => {
  it("reads the published form, and nothing where there is no file", async () => {
    const folder = createFolderAtomically({ "x_all.txt": "a/1.png\t3.5\t0.25\nb.png\t4\t0\n" });
    expect(await readPublishedScores(path.join(folder, "x_all.txt"))).toEqual(
      new Map([
        ["a/1.png", { mos: 3.5, deviation: 0.25 }],
        ["b.png", { mos: 4, deviation: 0 }],
      ]),
    );
    expect((await readPublishedScores(path.join(folder, "y_all.txt"))).size).toBe(0);
  });

  it("names each line that is not so", async () => {
    const file = path.join(createFolderAtomically({ "x.txt": "a.png\t1\t0.2\nb.png\t1\nc.png\t1\t-3\n" }), "x.txt");
    await expect(readPublishedScores(file)).rejects.toThrow(
      `${file}: 2 problems; correct them, or remove the file\n  ${file}:2: expected path, mos and its deviation, got "b.png\\t1"`,
    );
  });
});
