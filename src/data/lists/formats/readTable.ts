import path from "node:path";
import { DataError } from "../../../base/errors.js";
import { PUBLISHED_COLUMNS } from "../entries.js";
import { readStartOfText } from "../lines.js";
import { allRows, firstLineOf, readCommaRows, readListText, readTabRows, requireBounded, type Row } from "../rows.js";
import { readBlankList } from "./blankLists.js";
import { readColumns } from "./csvLists.js";
import { isJsonLines, readJsonLines, readJsonList } from "./jsonLists.js";
import type { FormatName } from "./names.js";
import { isParquet, readParquetList } from "./parquetLists.js";
import { isShard, readShard } from "./shardLists.js";
import type { ListTable, ReadingChoice, TableEntry } from "./table.js";

/**
 * Reads a list of images with scores by what is in it, whatever its name; null where it is no such list.
 * @throws {DataError} where it cannot be read, is cut off, or is damaged, naming the place
 */
export async function readTable(file: string, choice: ReadingChoice): Promise<ListTable | null> {
  const table = await readAny(file, choice);
  if (table !== null && choice.format !== undefined) await requireForm(file, choice.format);
  return table;
}

/** Forms by the structure of their files; a table of numbers and names may be in any of the forms of its structure. */
const STRUCTURES: readonly (readonly FormatName[])[] = [
  ["list", "iqa-pytorch", "iqa-dataset", "image-folder"],
  ["deqa-score", "q-align", "q-bench", "compare2score", "visualquality-r1", "image-folder"],
  ["visualquality-r1", "labels"],
  ["parquet", "image-folder"],
];

/** @throws {DataError} where a file's structure is not that of the form that it is said to have */
async function requireForm(file: string, asked: FormatName): Promise<void> {
  const own = (await readAny(file, {}))?.format ?? asked;
  if (own === asked || STRUCTURES.some((forms) => forms.includes(own) && forms.includes(asked))) return;
  throw new DataError(`${file}: is no list of the form ${asked}: it is built as ${own} is; leave --format out`);
}

async function readAny(file: string, choice: ReadingChoice): Promise<ListTable | null> {
  if (isShard(file)) return readShard(file, choice);
  if (await isParquet(file)) return readParquetList(file, choice);
  const start = (await readStartOfText(file)).trimStart();
  await requireBounded(file);
  if (isJsonLines(start)) return readJsonLines(file, choice);
  if (start.startsWith("[") || start.startsWith("{")) return readJsonList(await readListText(file), file, choice);
  const first = firstLineOf(start);
  if (first === "") return null;
  const separator = separatorOf(first, choice.decimal === "comma");
  if (separator === null) return readBlankList(file, choice);
  if (separator === "\t") {
    const rows = await allRows((onRow) => readTabRows(file, onRow));
    return isPublished(rows) ? publishedTable(rows) : readColumns(withPoints(rows, choice), file, choice);
  }
  const rows = await allRows((onRow) => readCommaRows(file, onRow, { delimiter: separator }));
  return readColumns(withPoints(rows, choice), file, choice);
}

/** Rows whose numbers have points, where they are said to have commas. */
function withPoints(rows: readonly Row[], { decimal }: ReadingChoice): readonly Row[] {
  if (decimal !== "comma") return rows;
  const pointed = (cell: string) => (/^[+-]?\d+,\d+$/.test(cell) ? cell.replace(",", ".") : cell);
  return rows.map(({ line, cells }) => ({ line, cells: cells.map(pointed) }));
}

/**
 * True for texts that `readList` reads by its own rules: the published form, and CSV of `image,mos`.
 * @param text  the beginning of the list, with its first line
 */
export function isOwnList(text: string, file: string): boolean {
  const start = text.trimStart();
  const first = firstLineOf(start);
  if (first.includes("\t"))
    return isPublished([{ line: 1, cells: first.split("\t") }]) || !/image|img|file|name|mos/i.test(first);
  const cells = first.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
  const isJson = (start.startsWith("{") || start.startsWith("[")) && path.extname(file) !== ".csv";
  return !isJson && (start === "" || (cells.includes("image") && cells.includes("mos")));
}

function separatorOf(first: string, hasCommas: boolean): string | null {
  if (first.includes("\t")) return "\t";
  if (first.includes(",") && !hasCommas) return ",";
  return first.includes(";") ? ";" : null;
}

function isPublished([first]: readonly Row[]): boolean {
  return first?.cells.length === PUBLISHED_COLUMNS && /^\s*[-+.\d]/.test(first.cells[1] ?? "");
}

function publishedTable(rows: readonly Row[]): ListTable {
  const entries: TableEntry[] = [];
  const faults = rows.flatMap(({ line, cells }, row) => {
    const [image, mos, distortion, ...scenes] = cells;
    if (image !== undefined && mos !== undefined && distortion !== undefined && cells.length === PUBLISHED_COLUMNS) {
      entries.push({ line, row, image, mos, mosStd: null, distortion, scenes, content: null, subsets: [] });
      return [];
    }
    return [{ line, what: `expected ${PUBLISHED_COLUMNS} columns, got ${cells.length}; is the file whole?` }];
  });
  return {
    ...{ format: "published", entries, faults, ambiguities: [], told: null, isVariance: false },
    columns: { score: "column 2", deviation: null, group: null, splits: [], ignored: [] },
  };
}
