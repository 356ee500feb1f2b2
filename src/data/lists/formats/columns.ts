/** The one table of columns' names, for lists in rows, in JSON and in Parquet. */
import { DataError } from "../../../base/errors.js";
import { didYouMean } from "../../../base/text.js";
import { type Subset, SUBSETS } from "../../sample.js";
import type { ColumnKind } from "./names.js";
import { type Ambiguity, type Direction, isImageName, isNumeric, type ReadingChoice, subsetOf } from "./table.js";

/** Names of columns, without case, blanks, dashes and underscores. */
const NAMES: Readonly<Record<Exclude<ColumnKind, "split">, readonly string[]>> = {
  image: [
    ...["image", "imgname", "imagename", "imgpath", "imagepath", "filename", "filepath", "img", "name", "path"],
    ...["distname", "distimg", "disimgpath", "distimgpath", "distortedimage", "imgname/patchname"],
  ],
  mos: ["gtscore", "mos", "score", "dmos", "eloscore", "mosquality", "qualitymos", "label", "jod", "subjectivescore"],
  mos_std: ["std", "mosstd", "sd", "stdquality", "stddev", "stddeviation", "dmosstd", "var", "variance", "jodstd"],
  distortion: ["distortion", "distype", "distortiontype", "disttype", "distortionclass"],
  scene: ["scene", "scenes"],
  group: ["refname", "hqname", "refimg", "refimage", "refimgpath", "reference", "group", "content"],
};

/** Name of a column without case, blanks, dashes and underscores. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[\s_-]/g, "");
}

/** Places of the columns, from 0; -1 for one that is not there. */
export type Places = Readonly<Record<Exclude<ColumnKind, "split">, number>> & { readonly split: readonly number[] };

/** Columns of a list: their names, and the cells of each by its place. */
export interface Columns {
  readonly names: readonly string[];
  readonly cells: (column: number) => readonly string[];
}

/**
 * Places of the parts of a list by the names of its columns, and the columns that may be one part as well as another.
 * @throws {DataError} where the choice names a column that is not there
 */
export function findColumns(
  { names, cells }: Columns,
  file: string,
  choice: ReadingChoice,
): { readonly columns: Places; readonly ambiguities: readonly Ambiguity[] } {
  const ambiguities: Ambiguity[] = [];
  const find = (kind: Exclude<ColumnKind, "split">, isFit: (cell: string) => boolean): number => {
    const given = chosenColumn(kind, names, file, choice);
    if (given !== null) return given;
    const named = NAMES[kind].flatMap((known) => names.flatMap((name, i) => (plainName(name) === known ? [i] : [])));
    const fit = named.filter((i) => cells(i).some(isFit)).sort((a, b) => a - b);
    if (fit.length > 1) ambiguities.push(ambiguity(kind, fit, { names, cells }));
    const isPlain = (i: number) => kind !== "image" || /im|file/i.test(names[i] ?? ""); // "name" and "path" may be of anything
    return fit[0] ?? named.sort((a, b) => a - b).find(isPlain) ?? -1;
  };
  const columns = {
    ...{ image: find("image", isImageName), mos: find("mos", isNumeric), group: find("group", () => true) },
    ...{ mos_std: find("mos_std", isNumeric), distortion: find("distortion", () => true) },
    scene: find("scene", () => true),
    split: splitColumns(names, chosenColumn("split", names, file, choice)),
  };
  return { columns, ambiguities };
}

function chosenColumn(
  kind: ColumnKind,
  names: readonly string[],
  file: string,
  { columns = {} }: ReadingChoice,
): number | null {
  const name = columns[kind];
  if (name === undefined) return null;
  if (names.includes(name)) return names.indexOf(name);
  const hint = didYouMean(name, names) || `; it has ${names.join(", ")}`;
  throw new DataError(`${file}: has no column "${name}" for ${kind}${hint}`);
}

function splitColumns(names: readonly string[], given: number | null): number[] {
  if (given !== null) return [given];
  return names.flatMap((name, i) => (/split/i.test(name) || /^(?:set|subset)$/i.test(name.trim()) ? [i] : []));
}

function ambiguity(kind: ColumnKind, places: readonly number[], { names, cells }: Columns): Ambiguity {
  const readings = places.map((i) => `${names[i] ?? ""}: ${cells(i).slice(0, 2).join(", ")}, ...`);
  const flag = `--columns ${places.map((i) => `${kind}=${names[i] ?? ""}`).join(" or ")}`;
  return { what: `several columns may be the ${kind}`, readings, flag };
}

/** Subset that a cell names or begins with, such as "validation set"; null where it names none. */
export function subsetInCell(cell: string): Subset | null {
  return subsetOf(cell) ?? SUBSETS.find((subset) => cell.trim().toLowerCase().startsWith(subset)) ?? null;
}

/** Place of the column `lower_better`; -1 where there is none. */
export function lowerBetterColumn(names: readonly string[]): number {
  return names.findIndex((name) => plainName(name) === "lowerbetter");
}

/**
 * Direction that the cells of the column `lower_better` tell: one of them for all rows. Where they do not, that is an
 * ambiguity, which the choice of a direction decides.
 */
export function toldDirection(
  cells: readonly string[],
  { direction }: ReadingChoice,
): { readonly told: Direction | null; readonly unclear: readonly Ambiguity[] } {
  if (cells.every((cell) => /^(?:true|1|yes)$/i.test(cell))) return { told: "lower", unclear: [] };
  if (cells.every((cell) => /^(?:false|0|no)$/i.test(cell))) return { told: "higher", unclear: [] };
  const readings = [...new Set(cells)].slice(0, 3).map((cell) => `lower_better: ${cell === "" ? "empty" : cell}`);
  const what = "the column lower_better does not say one thing of all scores";
  return {
    told: null,
    unclear: direction === undefined ? [{ what, readings, flag: "--direction higher or lower" }] : [],
  };
}
