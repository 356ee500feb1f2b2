/** Lists in rows with a header: IQA-PyTorch, IQA-Dataset, image folders' metadata.csv, and any other by its columns. */
import type { Row } from "../rows.js";
import { findColumns, lowerBetterColumn, type Places, plainName, subsetInCell, toldDirection } from "./columns.js";
import { COLUMN_KINDS, type FormatName } from "./names.js";
import { type Fault, isImageName, isNumeric, type ListTable, type ReadingChoice, stemOf, type TableEntry } from "./table.js"; // prettier-ignore

/** Reads rows whose first one is a header, or none; null where neither names nor places tell image and score. */
export function readColumns(rows: readonly Row[], file: string, choice: ReadingChoice): ListTable | null {
  const [header, ...rest] = rows;
  if (header === undefined) return null;
  const isHeader = !header.cells.some((cell) => isNumeric(cell) || isImageName(cell));
  const body = isHeader ? rest : rows;
  const names = header.cells.map((cell, i) => (isHeader ? cell : `column ${i + 1}`));
  const cells = (column: number) => body.map((row) => row.cells[column] ?? "");
  const found = findColumns({ names, cells }, file, choice);
  const { ambiguities } = found;
  const columns = isWhole(found.columns) ? found.columns : byPlace(found.columns, body);
  if (columns === null) return null;
  const faults: Fault[] = [];
  const entries: TableEntry[] = [];
  body.forEach((row, i) => {
    const entry = entryOf(row, i, columns, faults, names.length);
    if (entry !== null) entries.push(entry);
  });
  const name = (kind: "mos_std" | "group") => (columns[kind] < 0 ? null : (names[columns[kind]] ?? null));
  const lower = lowerBetterColumn(names);
  const { told, unclear } = lower < 0 ? { told: null, unclear: [] } : toldDirection(cells(lower), choice);
  const used = new Set([...Object.values(columns).flat(), lower]);
  return {
    ...{
      entries,
      faults,
      ambiguities: [...ambiguities, ...unclear],
      format: choice.format ?? formatOf(names, columns),
    },
    columns: {
      score: names[columns.mos] ?? "",
      ...{ deviation: name("mos_std"), group: name("group"), splits: columns.split.map((at) => names[at] ?? "") },
      ignored: names.filter((one, i) => !used.has(i) && one !== ""),
    },
    told,
    isVariance: /^var/.test(plainName(name("mos_std") ?? "")),
  };
}

function isWhole({ image, mos }: Places): boolean {
  return image >= 0 && mos >= 0;
}

/** IQA-PyTorch's rule: image and score, or reference, image and score; then a deviation. */
function byPlace(columns: Places, rows: readonly Row[]): Places | null {
  const cells = rows.map((row) => row.cells);
  const all = (i: number, test: (cell: string) => boolean) =>
    cells.length > 0 && cells.every((row) => test(row[i] ?? ""));
  const deviation = (i: number) =>
    columns.mos_std < 0 && all(i, isNumeric) && cells[0]?.length === i + 1 ? i : columns.mos_std;
  if (!all(0, isImageName)) return null;
  if (all(1, isNumeric)) return { ...columns, image: 0, mos: 1, mos_std: deviation(2) };
  if (all(1, isImageName) && all(2, isNumeric))
    return { ...columns, group: 0, image: 1, mos: 2, mos_std: deviation(3) };
  return null;
}

function entryOf(
  { line, cells }: Row,
  row: number,
  columns: Places,
  faults: Fault[],
  count: number,
): TableEntry | null {
  if (cells.length !== count) {
    const isPadded = cells.length > count && cells.slice(count).every((cell) => cell === "");
    if (!isPadded) {
      faults.push({
        line,
        what: `expected ${count} columns as in the first line, got ${cells.length}; is the file whole?`,
      });
      return null;
    }
  }
  const cell = (at: number) => cells[at] ?? "";
  const deviation = cell(columns.mos_std);
  const group = cell(columns.group);
  const subsets = columns.split.map((at) => {
    const subset = subsetInCell(cell(at));
    if (subset === null && cell(at) !== "") {
      faults.push({ line, what: `the split "${cell(at)}" is none of train, val, test, 0, 1 and 2; correct it` });
    }
    return subset;
  });
  return {
    ...{ line, row, image: cell(columns.image), mos: cell(columns.mos), mosStd: deviation === "" ? null : deviation },
    ...{ distortion: cell(columns.distortion), scenes: cell(columns.scene).split("|").map((scene) => scene.trim()) },
    ...{ content: group === "" ? null : isImageName(group) ? stemOf(group) : group, subsets },
  }; // prettier-ignore
}

function formatOf(names: readonly string[], columns: Places): FormatName {
  if (names.includes("file_name")) return "image-folder";
  if (names.includes("dis_img_path")) return "iqa-dataset";
  const isOwn = names[columns.image] === "image" && names[columns.mos] === "mos";
  return isOwn && names.every((name) => (COLUMN_KINDS as readonly string[]).includes(name)) ? "list" : "iqa-pytorch";
}
