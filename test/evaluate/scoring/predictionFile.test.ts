import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readPredictions, rowsByImage, rowsOf } from "../../../src/evaluate/scoring/predictionFile.js";
import { temporaryFolder } from "../../support/runs.js";

const folder = temporaryFolder();

async function read(text: string, column?: string) {
  const file = path.join(folder, "scores.txt");
  writeFileSync(file, text);
  try {
    return await readPredictions(file, column);
  } catch (error) {
    if (error instanceof Error) return error.message.replaceAll(`${folder}/`, "");
    throw error;
  }
}

const NOTHING = { mos: null, mosStd: null, split: null, database: null, group: null };

describe("readPredictions", () => {
  it("reads all columns of CSV, of JSON lines and of an array, empty cells as nothing", async () => {
    const full = { image: "a.png", quality: 3.5, mos: 50, mosStd: 0, split: 1, database: "live", group: "7" };
    const csv = "image,quality,mos,mos_std,split,database,group\na.png,3.5,50,0,1,live,7\nb.png,-1,,,,,\n";
    expect(await read(csv)).toEqual([
      { line: 2, ...full },
      { line: 3, image: "b.png", quality: -1, ...NOTHING },
    ]);
    const one = { image: "a.png", quality: 3.5, mos: 50, mos_std: 0, split: 1, database: "live", group: 7 };
    const two = { image: "b.png", quality: -1, mos: null, mos_std: "", database: "", group: true };
    const [first, second] = [one, two].map((record) => JSON.stringify(record));
    expect(await read(`  ${first}\n\n${second}\n`)).toEqual([
      { line: 1, ...full },
      { line: 3, image: "b.png", quality: -1, ...NOTHING },
    ]);
    expect(await read(`\n[${first},${second}]`)).toEqual([
      { line: 1, ...full },
      { line: 2, image: "b.png", quality: -1, ...NOTHING },
    ]);
  });

  it("takes the first of each kind of column that it knows, or the one that is named", async () => {
    const imagesOf = async (columns: readonly string[], column?: string) => {
      const rows = await read(`${columns.join()}\n${columns.map((_, i) => i + 1).join()}\n`, column);
      return typeof rows === "string" ? rows : rows.map(({ image, quality }) => [image, quality])[0];
    };
    const images = ["image", "file_name", "img_name", "img_path", "filename"];
    const scores = ["quality", "score", "prediction"];
    for (let i = 0; i < images.length; i++) expect(await imagesOf([...images.slice(i).reverse(), "score"])).toEqual([`${images.length - i}`, 6 - i]); // prettier-ignore
    for (let i = 0; i < scores.length; i++) expect(await imagesOf(["image", ...scores.slice(i).reverse()])).toEqual(["1", 4 - i]); // prettier-ignore
    expect(await imagesOf(["image", "quality", "brisque"], "brisque")).toEqual(["1", 3]);
    expect(await imagesOf(["picture", "quality"])).toBe("scores.txt: has no column of images (image, file_name, img_name, img_path, filename), but picture, quality"); // prettier-ignore
    expect(await imagesOf(["image", "grade"])).toBe("scores.txt: has no column of scores (quality, score, prediction), but image, grade; name it with --column"); // prettier-ignore
    expect(await imagesOf(["image", "quality"], "mine")).toBe("scores.txt: has no column of scores (mine), but image, quality; name it with --column"); // prettier-ignore
  });

  it("names every wrong cell of the file at once, with its line", async () => {
    const rows = ["a.png,x,1,1,1", "b.png,,1,1,1", ",1,1,1,1", "c.png,1,many,1,1", "d.png,1,1,1,1.5", "e.png,1,1,1,0", "f.png,1,1,-0.5,1", "g.png,Infinity,1,1,1"]; // prettier-ignore
    expect(await read(["image,quality,mos,mos_std,split", ...rows].join("\n"))).toBe(
      [
        "scores.txt: 8 problems",
        '  scores.txt:2: quality must be a finite number, got "x"',
        "  scores.txt:3: quality is empty; leave such images out",
        "  scores.txt:4: image is empty; it names the image",
        '  scores.txt:5: mos must be a finite number, got "many"',
        "  scores.txt:6: split must be a whole number, got 1.5",
        "  scores.txt:7: split must be a whole number, got 0",
        "  scores.txt:8: mos_std must be at least 0, got -0.5",
        '  scores.txt:9: quality must be a finite number, got "Infinity"',
      ].join("\n"),
    );
    expect(await read("image,score\na.png,\n")).toBe("scores.txt: 1 problem\n  scores.txt:2: score is empty; leave such images out"); // prettier-ignore
  });

  it("takes no truth value, blank or list for a number, which Number() makes 1, 0 and 3 of", async () => {
    const records = [true, " ", [3], "0x10", "1_000"].map((quality) => JSON.stringify({ image: "a.png", quality }));
    expect(await read(records.join("\n"))).toBe(
      [
        "scores.txt: 5 problems",
        "  scores.txt:1: quality must be a finite number, got true",
        '  scores.txt:2: quality must be a finite number, got " "',
        "  scores.txt:3: quality must be a finite number, got [3]",
        '  scores.txt:4: quality must be a finite number, got "0x10"',
        '  scores.txt:5: quality must be a finite number, got "1_000"',
      ].join("\n"),
    );
  });

  it("takes a number between blanks, as other programs pad and quote them", async () => {
    expect(await read('image,quality\na.png," 3.5"\n')).toMatchObject([{ quality: 3.5 }]);
  });

  it("looks for the columns in all records: the first may be of an image that has no score", async () => {
    const failed = JSON.stringify({ image: "a.png", error: "a.png: not an image" });
    const scored = JSON.stringify({ image: "b.png", quality: 2 });
    const problem = "scores.txt: 1 problem\n  scores.txt:1: quality is empty; leave such images out";
    expect(await read(`${failed}\n${scored}`)).toBe(problem);
    expect(await read(`[${failed},${scored}]`)).toBe(problem);
    const later = JSON.stringify({ image: "a.png", score: 1 }) + '\n{"image":"b.png","score":2,"quality":null}';
    expect(await read(later)).toMatchObject([{ quality: 1 }, { quality: 2 }]);
  });

  it("refuses a column that stands twice, of which the last would count unseen", async () => {
    expect(await read("image,quality,mos,mos\na.png,1,50,1\n")).toBe(
      "scores.txt: the column mos stands there twice; remove one",
    );
    expect(await read("image,quality,,\na.png,1,,\n")).toHaveLength(1);
    expect(await read("image,quality,note,note\na.png,1,x,y\n")).toHaveLength(1); // nothing is read from them
  });

  it("says what is wrong with a file that is no list of predictions", async () => {
    expect(await read("image,quality\n")).toBe("scores.txt: holds no predictions; a line for each image is needed");
    expect(await read("[]")).toBe("scores.txt: holds no predictions; a line for each image is needed");
    expect(await read("image,quality\na.png,1\nb.png\n")).toBe("scores.txt:3: expected 2 columns as in the header, got 1"); // prettier-ignore
    expect(await read("[{]")).toBe("scores.txt: is not JSON; a line must hold one object, or the file one array");
    expect(await read('{"image":"a","score":1}\n{"image"')).toBe("scores.txt:2: is not JSON; a line must hold one object, or the file one array"); // prettier-ignore
    expect(await read('[{"image":"a","score":1},null]')).toBe("scores.txt: entry 2: must be an object with an image and a score, got null"); // prettier-ignore
    expect(await read('{"image":"a","score":1}\n["a",1]')).toBe('scores.txt:2: must be an object with an image and a score, got ["a",1]'); // prettier-ignore
    const long = "x".repeat(50);
    expect(await read(`["${long}"]`)).toBe(`scores.txt: entry 1: must be an object with an image and a score, got "${long.slice(0, 39)}`); // prettier-ignore
  });
});

describe("rowsByImage", () => {
  const row = (line: number, image: string) => ({ line, image, quality: 1, ...NOTHING });

  it("finds rows by the paths of their images, and refuses two of one image", () => {
    const rows = [row(2, "./a/1.png"), row(3, "b/1.png")];
    expect([...rowsByImage(rows, "f").keys()]).toEqual(["a/1.png", "b/1.png"]);
    expect(() => rowsByImage([...rows, row(9, "a/1.png")], "f.csv")).toThrow(
      "f.csv:9: a/1.png stands in line 2 already; remove one",
    );
  });

  it("goes by the file name where images and rows have it once each", () => {
    const linesOf = (images: readonly string[], rows: readonly string[]) => {
      const found = rowsOf(images.map((image) => ({ image })), rows.map((image, i) => row(i + 1, image)), "f"); // prettier-ignore
      return [...found].map(([{ image }, { line }]) => [image, line]);
    };
    expect(linesOf(["x/1.png", "x/2.png", "x/3.png"], ["1.png", "y/2.png", "4.png"])).toEqual([["x/1.png", 1], ["x/2.png", 2]]); // prettier-ignore
    expect(linesOf(["x/1.png", "y/1.png"], ["1.png"])).toEqual([]);
    expect(linesOf(["x/1.png"], ["a/1.png", "b/1.png"])).toEqual([]);
    expect(linesOf(["x/1.png", "y/1.png"], ["y/1.png", "z/1.png"])).toEqual([["y/1.png", 1]]);
  });
});
