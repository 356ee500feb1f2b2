/** Lists in rows with a header: IQA-PyTorch, IQA-Dataset, image folders' metadata.csv, and any other by its columns. */
import { didYouMean } from "../../../base/text.js";
import { DataError } from "../../../base/errors.js";
import type { Row } from "../rows.js";
import { COLUMN_KINDS, type ColumnKind, type FormatName } from "./names.js";
import {
  type Ambiguity,
  type Fault,
  isImageName,
  isNumeric,
  type ListTable,
  type ReadingChoice,
  stemOf,
  subsetOf,
  type TableEntry,
} from "./table.js";

/** Names of columns, without case, blanks, dashes and underscores. */
const NAMES: Readonly<Record<Exclude<ColumnKind, "split">, readonly string[]>> = {
  image: [
    ...["image", "imgname", "imagename", "imgpath", "imagepath", "filename", "filepath", "img", "name", "path"],
    ...["distname", "distimg", "disimgpath", "distimgpath", "distortedimage", "imgname/patchname"],
  ],
  mos: ["mos", "dmos", "score", "eloscore", "mosquality", "qualitymos", "gtscore", "label", "jod", "subjectivescore"],
  mos_std: ["std", "mosstd", "sd", "stdquality", "stddev", "stddeviation", "dmosstd", "var", "variance", "jodstd"],
  distortion: ["distortion", "distype", "distortiontype", "disttype"],
  scene: ["scene"],
  group: ["refname", "hqname", "refimg", "refimgpath", "reference", "group", "content"],
};

function plain(name: string): string {
  return name.toLowerCase().replace(/[\s_-]/g, "");
}

/** Reads rows whose first one is a header, or none; null where neither names nor places tell image and score. */
export function readColumns(rows: readonly Row[], file: string, choice: ReadingChoice): ListTable | null {
  const [header, ...rest] = rows;
  if (header === undefined) return null;
  const isHeader = !header.cells.some((cell) => isNumeric(cell) || isImageName(cell));
  const body = isHeader ? rest : rows;
  const names = header.cells.map((cell, i) => (isHeader ? cell : `column ${i + 1}`));
  const found = findColumns(names, body, file, choice);
  if (found === null) return null;
  const { columns, ambiguities } = found;
  const faults: Fault[] = [];
  const entries: TableEntry[] = [];
  body.forEach((row, i) => {
    const entry = entryOf(row, i, columns, faults, names.length);
    if (entry !== null) entries.push(entry);
  });
  const name = (kind: "mos_std" | "group") => (columns[kind] < 0 ? null : (names[columns[kind]] ?? null));
  const lower = names.findIndex((one) => plain(one) === "lowerbetter");
  const used = new Set([...Object.values(columns).flat(), lower]);
  return {
    ...{ entries, faults, ambiguities, format: choice.format ?? formatOf(names, columns) },
    columns: {
      score: names[columns.mos] ?? "",
      ...{ deviation: name("mos_std"), group: name("group"), splits: columns.split.map((at) => names[at] ?? "") },
      ignored: names.filter((one, i) => !used.has(i) && one !== ""),
    },
    isLowerBetter: lower >= 0 && body.every(({ cells }) => /^(?:true|1|yes)$/i.test(cells[lower] ?? "")),
    isVariance: /^var/.test(plain(name("mos_std") ?? "")),
  };
}

/** Places of the columns, from 0; -1 for one that is not there. */
type Places = Readonly<Record<Exclude<ColumnKind, "split">, number>> & { readonly split: readonly number[] };

function findColumns(names: readonly string[], rows: readonly Row[], file: string, choice: ReadingChoice) {
  const ambiguities: Ambiguity[] = [];
  const chosen = (kind: ColumnKind): number | null => {
    const name = choice.columns?.[kind];
    if (name === undefined) return null;
    if (names.includes(name)) return names.indexOf(name);
    const hint = didYouMean(name, names) || `; it has ${names.join(", ")}`;
    throw new DataError(`${file}: has no column "${name}" for ${kind}${hint}`);
  };
  const find = (kind: Exclude<ColumnKind, "split">, isFit: (cells: readonly string[]) => boolean): number => {
    const given = chosen(kind);
    if (given !== null) return given;
    const named = names.flatMap((name, i) => (NAMES[kind].includes(plain(name)) ? [i] : []));
    const fit = named.filter((i) => isFit(rows.map(({ cells }) => cells[i] ?? "")));
    if (fit.length > 1) ambiguities.push(ambiguity(kind, fit, names, rows));
    const isPlain = (i: number) => kind !== "image" || /im|file/i.test(names[i] ?? ""); // "name" and "path" may be of anything
    return fit[0] ?? named.find(isPlain) ?? -1;
  };
  const hasImages = (cells: readonly string[]) => cells.some(isImageName);
  const hasNumbers = (cells: readonly string[]) => cells.some(isNumeric);
  const [image, mos] = [find("image", hasImages), find("mos", hasNumbers)];
  const group = find("group", () => true);
  const kinds = { mos_std: find("mos_std", hasNumbers), distortion: find("distortion", () => true) };
  const columns = { image, mos, group, ...kinds, scene: find("scene", () => true), split: splitColumns(names, chosen) };
  if (image >= 0 && mos >= 0) return { columns, ambiguities };
  const placed = byPlace(columns, rows);
  return placed === null ? null : { columns: placed, ambiguities };
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

function splitColumns(names: readonly string[], chosen: (kind: ColumnKind) => number | null): number[] {
  const given = chosen("split");
  if (given !== null) return [given];
  return names.flatMap((name, i) => (/split/i.test(name) || /^(?:set|subset)$/i.test(name.trim()) ? [i] : []));
}

function ambiguity(
  kind: ColumnKind,
  places: readonly number[],
  names: readonly string[],
  rows: readonly Row[],
): Ambiguity {
  const readings = places.map((i) => `${names[i] ?? ""}: ${rows.slice(0, 2).map(({ cells }) => cells[i] ?? "").join(", ")}, ...`); // prettier-ignore
  const flag = `--columns ${places.map((i) => `${kind}=${names[i] ?? ""}`).join(" or ")}`;
  return { what: `several columns may be the ${kind}`, readings, flag };
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
    const subset = subsetOf(cell(at));
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
