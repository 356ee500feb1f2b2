import path from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { DataError } from "../../../src/base/errors.js";
import { seededRandom } from "../../../src/base/random.js";
import { readLines } from "../../../src/data/lists/lines.js";
import { unpacked } from "../../../src/data/lists/packSamples.js";
import { readList } from "../../../src/data/lists/readList.js";
import { allRows, readCommaRows, readTabRows } from "../../../src/data/lists/rows.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically } from "../files.js";

function write(text: string | Uint8Array): string {
  return path.join(createFolderAtomically({ "list.csv": text }), "list.csv");
}

async function linesOf(file: string): Promise<[number, string][]> {
  const lines: [number, string][] = [];
  await readLines(file, (text, line) => lines.push([line, text]));
  return lines;
}

describe("readLines", () => {
  it("ends lines with LF, CRLF and CR, also where a piece of the file ends between the two", async () => {
    expect(await linesOf(write("\uFEFFa\r\nb\rc\n\nd"))).toEqual([[1, "a"], [2, "b"], [3, "c"], [4, ""], [5, "d"]]); // prettier-ignore
    const long = "x".repeat(1023);
    const first = `${`${long}\n`.repeat(1023)}${"y".repeat(1023)}\r`; // 2^20 bytes: one piece
    expect(Buffer.byteLength(first)).toBe(2 ** 20);
    const lines = await linesOf(write(`${first}\nlast\r`));
    expect(lines.slice(-2)).toEqual([[1024, "y".repeat(1023)], [1025, "last"]]); // prettier-ignore
  });

  it("keeps letters that a piece of the file parts", async () => {
    const text = `${"é".repeat(1000)}\n`.repeat(1100);
    for (const start of ["", "a"]) {
      const lines = await linesOf(write(start + text));
      expect(lines.map(([, line]) => line).join("\n")).toBe((start + text).trimEnd());
    }
  });

  it("names the line that has more than 64 KiB, in bytes, and takes one that has as many", async () => {
    const file = write(`a\n${"é".repeat(32_768)}\nb\n`);
    expect(await linesOf(file)).toHaveLength(3);
    const longer = write(`a\n${"é".repeat(32_768)}x\nb\n`);
    await expect(linesOf(longer)).rejects.toThrow(`${longer}:2: more than 65536 bytes`);
    await expect(linesOf(write("x".repeat(3_000_000)))).rejects.toThrow("list.csv:1: more than 65536 bytes");
  });
});

/** Rows as csv-parse alone reads them; null where it refuses them. */
function referenceRows(text: string, delimiter: string): string[][] | null {
  try {
    const options = { trim: true, relax_column_count: true, record_delimiter: ["\n"], delimiter };
    return delimiter === "\t"
      ? parse(text, { ...options, quote: false }).filter((cells) => cells.length > 1 || cells[0] !== "")
      : parse(text, { ...options, skip_empty_lines: true });
  } catch (error) {
    if (error instanceof CsvError) return null;
    throw error;
  }
}

describe("rows", () => {
  it("are those of csv-parse, with quotes, blanks and breaks in any places", async () => {
    const signs = ['"', '"', ",", ",", "\n", " ", "a", "b", "é", '""', '","'];
    const random = seededRandom(1, "rows");
    let [read, refused] = [0, 0];
    for (let i = 0; i < 400; i++) {
      const text = Array.from({ length: 1 + random.integer(14) }, () => signs[random.integer(signs.length)]).join("");
      const file = write(text);
      const expected = referenceRows(text, ",");
      const rows = allRows((onRow) => readCommaRows(file, onRow));
      if (expected === null) {
        await expect(rows, JSON.stringify(text)).rejects.toThrow(DataError);
        refused++;
      } else {
        expect((await rows).map(({ cells }) => cells), JSON.stringify(text)).toEqual(expected); // prettier-ignore
        read++;
      }
      const tabbed = text.replaceAll(",", "\t");
      const tabs = await allRows((onRow) => readTabRows(write(tabbed), onRow));
      expect(tabs.map(({ cells }) => cells)).toEqual(referenceRows(tabbed, "\t"));
    }
    expect(Math.min(read, refused)).toBeGreaterThan(50);
  });

  it("have the last line of a row that has several, and errors the line where the quote opens", async () => {
    const rows = await allRows((onRow) => readCommaRows(write('a,b\n"x\ny",2\nc,d\n'), onRow));
    expect(rows).toEqual([
      { line: 1, cells: ["a", "b"] },
      { line: 3, cells: ["x\ny", "2"] },
      { line: 4, cells: ["c", "d"] },
    ]);
    const open = allRows((onRow) => readCommaRows(write('a,b\nc,d\n"x,2\nc,d\n'), onRow));
    await expect(open).rejects.toThrow(/list.csv:3: Quote Not Closed.*; correct that line/);
  });
});

describe("samples in columns", () => {
  it("say what the lines do, over more than one block of columns, and find a name again in another", async () => {
    const count = 70_000; // a block has 65,536
    const name = (i: number) => `ordner ${i % 7}/bild-${i}-é.png`;
    const rows = Array.from({ length: count }, (_, i) => `${name(i)},${i / 8},${i % 3 === 0 ? "" : i / 16},blur,human|animal,c${i % 5}`); // prettier-ignore
    const file = write(["image,mos,mos_std,distortion,scene,of", ...rows].join("\n"));
    const folder = "/images";
    const context = { database: "mine", folder, tables: PUBLISHED_LABELS, published: new Map(), content: { column: "of" } }; // prettier-ignore
    const samples = await readList(file, context);
    expect(samples).toHaveLength(count);
    for (const i of [0, 1, 65_535, 65_536, count - 1]) {
      expect(samples[i] && unpacked(samples[i])).toEqual({
        ...{ database: "mine", folder, image: name(i), file: `${folder}/${name(i)}`, list: file, line: i + 2 },
        ...{ mos: i / 8, mosStd: i % 3 === 0 ? null : i / 16, distortion: 3, scenes: [2, 0], content: `c${i % 5}` },
      });
    }
    const twice = write(["image,mos,mos_std,distortion,scene,of", ...rows, `${name(3)},1,,blur,human,c`].join("\n"));
    await expect(readList(twice, context)).rejects.toThrow(`${name(3)} stands in line 5 already`);
  });
});
