import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type ListContext, distortionClasses, labelTables, normalizePath } from "../../../src/data/lists/entries.js";
import { isPairList, readPairDatabase } from "../../../src/data/lists/pairSamples.js";
import { readPairList } from "../../../src/data/lists/pairList.js";
import { readPhotos } from "../../../src/data/lists/photoList.js";
import { readPublishedScores } from "../../../src/data/lists/publishedScores.js";
import { parseList, readList } from "../../../src/data/lists/readList.js";
import { firstLineOf, headerOf, parseCommaRows, readListText } from "../../../src/data/lists/rows.js";
import { readStartOfText } from "../../../src/data/lists/lines.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically } from "../files.js";

/** Writes a list and gives its path, and the context in which it is read. */
function write(
  text: string | Uint8Array,
  { name = "list.csv", ...more }: Partial<ListContext> & { name?: string } = {},
) {
  const folder = createFolderAtomically({ [name]: text });
  const context: ListContext = { database: "mine", folder, tables: PUBLISHED_LABELS, published: new Map(), ...more };
  return { folder, file: path.join(folder, name), context };
}

/** The message of what is refused, with DIR for its folder. */
async function messageOf(work: Promise<unknown>, folder: string): Promise<string> {
  const failed = await work.then(
    () => new Error("nothing was refused"),
    (error: unknown) => error as Error, // its text is compared
  );
  return failed.message.replaceAll(folder, "DIR");
}

async function problemsOf(text: string | Uint8Array, more: Parameters<typeof write>[1] = {}): Promise<string[]> {
  const { file, folder, context } = write(text, more);
  const { problems } = await parseList(file, context);
  return problems.map(
    ({ kind, line, image, message }) => `${kind} ${line} ${image}: ${message.replaceAll(folder, "DIR")}`,
  );
}

describe("the problems of a list", () => {
  it("are told with their kinds, lines and images, and what to do", async () => {
    const rows = [
      "/a.png,1,,,",
      "b/../../b.png,1,,,",
      "c:a.png,1,,,",
      "d\\a.png,1,,,",
      '"",1,,,',
      'f.png,"1,5",,,',
      "g.png,1.5,x,,",
      "h.png,0x10,-0.5,,",
      "i.png,1,1e999,weather report,",
      "j.png,1,,,human|human|plant",
      "k.png,1,,,human|invalid||invalid",
      "./k.png,1,,,",
      "i.png,1,,,",
      "../i.png,+1.,.5,,",
    ];
    expect(await problemsOf(`image,mos,mos_std,distortion,scene\n${rows.join("\n")}\n`)).toEqual([
      'path 2 /a.png: DIR/list.csv:2: the path "/a.png" is absolute; give it relative to the database\'s folder',
      'path 3 b/../../b.png: DIR/list.csv:3: the path "b/../../b.png" leaves the database\'s folder; put the image inside it',
      'path 4 c:a.png: DIR/list.csv:4: the path "c:a.png" begins with a drive; give it relative to the database\'s folder',
      'path 5 d\\a.png: DIR/list.csv:5: the path "d\\\\a.png" holds a backslash; write forward slashes',
      "path 6 : DIR/list.csv:6: the image's path is empty; give it relative to the database's folder",
      'mos 7 f.png: DIR/list.csv:7: mos must be a finite number, got "1,5"; commas are read with --decimal comma, or "decimal: comma"',
      'mos 8 g.png: DIR/list.csv:8: mos_std must be a number of at least 0, got "x"; leave it empty if unknown',
      'mos 9 h.png: DIR/list.csv:9: mos must be a finite number, got "0x10"; leave such images out',
      'mos 9 h.png: DIR/list.csv:9: mos_std must be a number of at least 0, got "-0.5"; leave it empty if unknown',
      'mos 10 i.png: DIR/list.csv:10: mos_std must be a number of at least 0, got "1e999"; leave it empty if unknown',
      'label 10 i.png: DIR/list.csv:10: there is no distortion "weather report"; "invalid" says that it is not known',
      "label 11 j.png: DIR/list.csv:11: a scene is named twice; name it once",
      "duplicate 13 ./k.png: DIR/list.csv:13: ./k.png stands in line 12 already; remove one",
      "duplicate 14 i.png: DIR/list.csv:14: i.png stands in line 10 already; remove one",
      'path 15 ../i.png: DIR/list.csv:15: the path "../i.png" leaves the database\'s folder; put the image inside it',
    ]);
  });

  it("are told of paths with a NUL, of lines without all columns, and of the whole file", async () => {
    expect(await problemsOf("a\0.png\t1\tblur\thuman\tinvalid\tinvalid\nb.png\t1\n", { name: "a.txt" })).toEqual([
      'format 2 null: DIR/a.txt:2: expected 6 columns (path, mos, distortion, three scenes), got 2; separate them by tabs, with "invalid" where a label is not known',
      'path 1 a\0.png: DIR/a.txt:1: the path "a\\u0000.png" holds a NUL character; write the list again as plain text',
    ]);
    expect(await problemsOf("")).toEqual([
      "empty null null: DIR/list.csv: the list is empty; a line for each image is needed",
    ]);
    expect(await problemsOf("image,mos,place\na.png,1,x\n")).toEqual([
      'format 1 null: DIR/list.csv:1: there is no column "place"; remove it (columns: image, mos, mos_std, distortion, scene)',
    ]);
    expect(await problemsOf("image,mos\na.png,1\n", { content: { column: "of" } })).toEqual([
      'format 1 null: DIR/list.csv:1: the header has no column "of"; a CSV list begins with image,mos,mos_std,distortion,scene (the last three optional), a published list is tab-separated',
    ]);
    expect(await problemsOf("image,mos,of\na.png,1,\nb.png,1,x\n", { content: { column: "of" } })).toEqual([
      "format 2 a.png: DIR/list.csv:2: no content is told by its column for a.png; correct the line, or data.databases: content",
    ]);
    expect(await problemsOf("image,mos\na.png,1\nb_1.png,1\n", { content: { pattern: "^(.)_" } })).toEqual([
      "format 2 a.png: DIR/list.csv:2: no content is told by the pattern ^(.)_ for a.png; correct the line, or data.databases: content",
    ]);
    expect(await problemsOf("a.png\t1\tblur\thuman\tinvalid\tinvalid\n", { content: { column: "of" } })).toEqual([
      'format 1 null: DIR/list.csv:1: a tab-separated list has no column "of"; write CSV, or give content: { pattern: ... }',
    ]);
  });

  it("stand below one heading, whatever their number", async () => {
    const one = write("image,mos\na.png,x\n");
    expect(await messageOf(readList(one.file, one.context), one.folder)).toBe(
      'DIR/list.csv: 1 problem\n  DIR/list.csv:2: mos must be a finite number, got "x"; leave such images out',
    );
  });

  it("are those of a list of another form too, which is refused where it allows two readings", async () => {
    const two = write("img_name,mos,dmos\na.png,1,2\nb.png,2,1\nc.png,2,1\n");
    expect(await messageOf(readList(two.file, two.context), two.folder)).toBe(
      "DIR/list.csv: can be read in more than one way; say which, as in a config's { source, columns, split }\n" +
        "  several columns may be the mos (mos: 1, 2, ...; dmos: 2, 1, ...): --columns mos=mos or mos=dmos",
    );
    const none = write("PAR1", { name: "a.parquet" });
    expect(await messageOf(readList(none.file, none.context), none.folder)).toMatch(
      /^DIR\/a\.parquet: cannot be read as Parquet \(.+\); get it again, or write metadata\.csv$/,
    );
    expect(await problemsOf("img_name,mos\na.png,1\nb.png\n")).toEqual([
      "format 3 null: DIR/list.csv:3: expected 2 columns as in the first line, got 1; is the file whole?",
    ]);
  });
});

describe("a list's samples", () => {
  it("have deviations times the factor, contents by column or pattern, and their number's own value", async () => {
    const { file, context } = write("image,mos,mos_std\nx/a_1.png,-1.5e1,2\nb_2.png,.5,\n");
    const published = new Map([["b_2.png", { mos: 1, deviation: 0.25 }]]);
    const samples = await readList(file, { ...context, published, mosStdFactor: 10, content: { pattern: "[ab]_\\d" } });
    expect(samples.map(({ mos, mosStd, content, line }) => [mos, mosStd, content, line])).toEqual([
      [-15, 20, "a_1", 2],
      [0.5, 2.5, "b_2", 3],
    ]);
    const plain = await readList(file, context);
    expect(plain.map(({ mosStd, content }) => [mosStd, content])).toEqual([[2, undefined], [null, undefined]]); // prettier-ignore
  });

  it("have labels by the tables, a distortion by its types too, the first class that has one", () => {
    const distortions = { blur: ["gaussian", "soft"], noise: ["soft", "white"] };
    const tables = { qualities: [], scenes: ["land", "sea"], distortions };
    const { scene, distortion } = labelTables(tables);
    expect([scene.kind, [...scene.indices]]).toEqual(["scene", [["land", 0], ["sea", 1]]]); // prettier-ignore
    expect([distortion.kind, [...distortion.indices]]).toEqual([
      "distortion",
      [["blur", 0], ["gaussian", 0], ["soft", 0], ["noise", 1], ["white", 1]], // prettier-ignore
    ]);
    const classOf = distortionClasses(tables);
    expect(["white", "blur", "", "invalid", "odd"].map(classOf)).toEqual([1, 0, null, null, null]);
  });

  it("have one spelling of each path", () => {
    const paths = ["a/b.png", "./a.png", "a//b.png", "a/./b.png", "a/", ".a/b..png", "a/.b", "."];
    expect(paths.map(normalizePath)).toEqual(["a/b.png", "a.png", "a/b.png", "a/b.png", "a/", ".a/b..png", "a/.b", "."]); // prettier-ignore
  });
});

describe("a list of pairs", () => {
  it("is refused with all wrong lines", async () => {
    const rows = [
      "a,p,b,x",
      "1.png,0,2.png,",
      "1.png,1.01,../2.png,",
      "./1.png,-0.01,1.png,",
      "/1.png,,2.png,",
      "1.png",
    ];
    const { file, folder } = write(`${rows.join("\n")}\n`);
    expect(await messageOf(readPairList(file), folder)).toBe(
      [
        "DIR/list.csv: 8 problems",
        'DIR/list.csv:3: the path "../2.png" leaves the database\'s folder; put the image inside it',
        'DIR/list.csv:3: p must be a share from 0 to 1 of those who prefer a, got "1.01"',
        "DIR/list.csv:4: ./1.png is paired with itself; leave the line out",
        'DIR/list.csv:4: p must be a share from 0 to 1 of those who prefer a, got "-0.01"',
        'DIR/list.csv:5: the path "/1.png" is absolute; give it relative to the database\'s folder',
        'DIR/list.csv:5: p must be a share from 0 to 1 of those who prefer a, got ""',
        "DIR/list.csv:6: the image's path is empty; give it relative to the database's folder",
        'DIR/list.csv:6: p must be a share from 0 to 1 of those who prefer a, got ""',
      ].join("\n  "),
    );
  });

  it("is refused without columns, without lines, and of an image without content", async () => {
    const refused = async (text: string) => {
      const { file, folder } = write(text);
      return messageOf(readPairList(file), folder);
    };
    expect(await refused("")).toBe("DIR/list.csv:1: has no column a, b, p; a list of pairs begins with a,b,p");
    expect(await refused("b,c\n")).toBe("DIR/list.csv:1: has no column a, p; a list of pairs begins with a,b,p");
    expect(await refused("a,b,p\n")).toBe("DIR/list.csv: holds no pair; a line a,b,p for each is needed");
    const { file, folder, context } = write("p,b,a\n1,x.png,y.png\n0,z_1.png,x.png\n", {
      content: { pattern: "^(.)_" },
    });
    const lists = { train: file, val: "", test: "" };
    const reading = readPairDatabase({ pairs: file } as never, lists, { ...context, subsets: ["train"] }); // of the config, only lists count
    expect(await messageOf(reading, folder)).toBe(
      [
        "DIR/list.csv: 2 problems",
        "DIR/list.csv:2: no content is told by the pattern ^(.)_ for y.png; correct the line, or data.databases: content",
        "DIR/list.csv:2: no content is told by the pattern ^(.)_ for x.png; correct the line, or data.databases: content",
      ].join("\n  "),
    );
  });

  it("has samples with their lines and contents, and is told from other lists by its columns", async () => {
    const { file, folder, context } = write("p,b,a\n1,q/x_1.png,y_1.png\n0,./y_1.png,z_1.png\n", { content: { pattern: "(.)_" } }); // prettier-ignore
    const lists = { train: file, val: "", test: "" };
    const { pairs, val, test } = await readPairDatabase({ pairs: file } as never, lists, {
      ...context,
      subsets: ["train"],
    }); // of the config, only lists count
    const own = (image: string, line: number, content: string) => {
      const at = { database: "mine", image, file: path.join(folder, image), folder, list: file, line };
      return { ...at, distortion: null, scenes: [], content };
    };
    const [x, y, z] = [own("q/x_1.png", 2, "x"), own("y_1.png", 2, "y"), own("z_1.png", 3, "z")];
    expect(pairs).toEqual({ train: [{ a: y, b: x, p: 1 }, { a: z, b: y, p: 0 }], val: [] }); // prettier-ignore
    expect([val, test]).toEqual([[], []]);
    expect([await isPairList(file), await isPairList(write("a,b\n").file)]).toEqual([true, false]);
  });
});

describe("a list of photographs", () => {
  it("is a folder's images in the order of their paths, or a list's lines", async () => {
    const folder = createFolderAtomically({ "b.JPG": "", "a/z.png": "", "a.png": "", "notes.txt": "", "l.csv": "n,image\n1,a.png\n2,./q.bmp\n", "l.txt": " a.png \n\nq//b.png\n" }); // prettier-ignore
    mkdirSync(path.join(folder, "1/2/3/4/5/6/7/8/9"), { recursive: true });
    writeFileSync(path.join(folder, "1/2/3/4/5/6/7/8/i.png"), "");
    writeFileSync(path.join(folder, "1/2/3/4/5/6/7/8/9/j.png"), "");
    const read = async (name: string) => {
      const photos = await readPhotos(path.join(folder, name), { database: "mine", folder });
      return photos.map(({ image, line, file, list }) => [image, line, path.relative(folder, file), path.relative(folder, list)]); // prettier-ignore
    };
    const names = ["1/2/3/4/5/6/7/8/i.png", "a.png", "a/z.png", "b.JPG"];
    expect(await read("")).toEqual(names.map((name, i) => [name, i + 1, name, ""]));
    expect(await read("l.csv")).toEqual([["a.png", 2, "a.png", "l.csv"], ["./q.bmp", 3, "q.bmp", "l.csv"]]); // prettier-ignore
    expect(await read("l.txt")).toEqual([["a.png", 1, "a.png", "l.txt"], ["q//b.png", 3, "q/b.png", "l.txt"]]); // prettier-ignore
    const [photo] = await readPhotos(path.join(folder, "l.txt"), { database: "mine", folder });
    expect(photo).toMatchObject({ database: "mine", folder, distortion: null, scenes: [] });
  });

  it("is refused where there is none, or with all wrong lines", async () => {
    const folder = createFolderAtomically({
      "l.txt": "a.png\n../b.png\n./a.png\na.png\n",
      "none.csv": "image\n",
      "short.csv": "n,image\n1\n",
    });
    const refused = (name: string) =>
      messageOf(readPhotos(path.join(folder, name), { database: "mine", folder }), folder);
    expect(await refused("gone")).toBe("data.databases: mine: photos: there is no DIR/gone; check the path");
    expect(await refused("short.csv")).toBe(
      "DIR/short.csv: 1 problem\n  DIR/short.csv:2: the image's path is empty; give it relative to the database's folder",
    );
    expect(await refused("none.csv")).toBe("DIR/none.csv: holds no photograph; name a folder or a list of them");
    expect(await refused("")).toBe("DIR: holds no photograph; name a folder or a list of them");
    expect(await refused("l.txt")).toBe(
      [
        "DIR/l.txt: 3 problems",
        'DIR/l.txt:2: the path "../b.png" leaves the database\'s folder; put the image inside it',
        "DIR/l.txt:3: ./a.png stands in line 1 already",
        "DIR/l.txt:4: a.png stands in line 3 already",
      ].join("\n  "),
    );
  });
});

describe("published scores", () => {
  it("are refused line by line where one is no path, score and deviation", async () => {
    const rows = [
      "a.png\t1\t0",
      "b.png\t1",
      "c.png\t1\t2\t3",
      "d.png\t1\t",
      "e.png\t1\t-1",
      "f.png\t1\tInfinity",
      "g.png\t1\tx",
    ];
    const { file, folder } = write(`${rows.join("\n")}\n`);
    expect(await messageOf(readPublishedScores(file), folder)).toBe(
      [
        "DIR/list.csv: 6 problems; correct them, or remove the file",
        ...rows.slice(1).map((row, i) => `DIR/list.csv:${i + 2}: expected path, mos and its deviation, got ${JSON.stringify(row)}`), // prettier-ignore
      ].join("\n  "),
    );
    const one = write("b.png\t1\n");
    expect(await messageOf(readPublishedScores(one.file), one.folder)).toContain("list.csv: 1 problem; correct");
    expect(await readPublishedScores(write("./a//b.png\t1.5\t0.5\n").file)).toEqual(
      new Map([["a/b.png", { mos: 1.5, deviation: 0.5 }]]),
    );
    expect(await messageOf(readPublishedScores(folder), folder)).toMatch(
      /^DIR: cannot be read \(.+\); check the path$/,
    );
  });
});

describe("a text of a list", () => {
  it("is read without its byte order mark, or refused by name", async () => {
    expect(await readListText(write("\uFEFFa\uFEFF").file)).toBe("a\uFEFF");
    expect(await readListText(write("b\uFEFF").file)).toBe("b\uFEFF");
    const refused = (file: string, folder: string) => messageOf(readListText(file), folder);
    const binary = write(Uint8Array.of(0x61, 0xff));
    expect(await refused(binary.file, binary.folder)).toBe("DIR/list.csv: is not UTF-8 text; save it as UTF-8");
    expect(await refused(`${binary.file}x`, binary.folder)).toBe(
      "DIR/list.csvx: there is no such list; check the path",
    );
    expect(await refused(binary.folder, binary.folder)).toMatch(/^DIR: cannot be read \(EISDIR.*\); check the path$/);
    const huge = write("");
    truncateSync(huge.file, 256 * 2 ** 20 + 1); // a hole: takes no space
    expect(await refused(huge.file, huge.folder)).toBe(
      "DIR/list.csv: 268435457 bytes are more than the 268435456 of a file that is held whole; lists in CSV of image,mos alone, and published ones, may be larger",
    );
  });

  it("has a beginning, a first line and a header", async () => {
    const { file } = write("\n \n a , b\r\nc,d\n");
    expect(await readStartOfText(file, 6)).toBe("\n \n a ");
    expect(await readStartOfText(file)).toBe("\n \n a , b\r\nc,d\n");
    expect(firstLineOf("\n \n a , b\r\nc")).toBe("a , b");
    expect(firstLineOf("")).toBe("");
    expect(firstLineOf(" a ")).toBe("a ");
    expect(firstLineOf("x".repeat(200_000))).toHaveLength(2 * 65_536);
    expect(await headerOf(file)).toEqual(["a", "b"]);
    expect(await headerOf(write("\n").file)).toEqual([]);
  });

  it("has rows with the lines that they end in, by any sign between cells", async () => {
    expect(await parseCommaRows('a;"b\nc";d\n\n"";e\n', "x", ";")).toEqual([
      { line: 2, cells: ["a", "b\nc", "d"] },
      { line: 4, cells: ["", "e"] },
    ]);
    expect(await parseCommaRows("\u00a0a\u3000,\tb\u00a0\n", "x")).toEqual([{ line: 1, cells: ["a", "b"] }]);
    await expect(parseCommaRows('a,b\n"x,2\nc', "file.csv")).rejects.toThrow(
      /^file\.csv:2: Quote Not Closed: the parsing is finished with an opening quote; correct that line$/,
    );
  });
});
