import { DataError } from "../../base/errors.js";
import { didYouMean, plural, problemsError } from "../../base/text.js";
import { KeyIndex } from "../keyIndex.js";
import type { Sample } from "../sample.js";
import {
  type Entry,
  type EntryContext,
  labelTables,
  type ListContext,
  type ListProblemKind,
  normalizePath,
  NOT_KNOWN,
  PUBLISHED_COLUMNS,
  readEntry,
} from "./entries.js";
import { findSource } from "./formats/openSource.js";
import { isParquet } from "./formats/parquetLists.js";
import { isShard } from "./formats/shardLists.js";
import { isOwnList } from "./formats/readTable.js";
import type { Ambiguity } from "./formats/table.js";
import { readStartOfText } from "./lines.js";
import { SamplePacker } from "./packSamples.js";
import { firstLineOf, readCommaRows, readTabRows, type Row } from "./rows.js";

interface ListProblem {
  readonly kind: ListProblemKind;
  /** From 1; null for the whole file. */
  readonly line: number | null;
  readonly image: string | null;
  /** `file:line: what is wrong; what to do`. */
  readonly message: string;
}

/**
 * Reads a list: tab-separated as published (path, MOS, distortion, three scenes) or CSV with a header
 * (`image,mos[,mos_std][,distortion][,scene]`).
 * @throws {DataError} listing every problem of the file at once, each with its line
 */
export async function readList(file: string, context: ListContext): Promise<readonly Sample[]> {
  const { samples, problems } = await parseList(file, context);
  if (problems.length === 0) return samples;
  throw problemsError(
    `${file}: ${plural(problems.length, "problem")}`,
    problems.map(({ message }) => message),
  );
}

/** Reads a list and returns its problems beside its samples. @throws {DataError} where it cannot be read or is no table */
export async function parseList(
  file: string,
  context: ListContext,
): Promise<{ samples: Sample[]; problems: ListProblem[] }> {
  const start = isShard(file) || (await isParquet(file)) ? null : await readStartOfText(file);
  const foreign = start !== null && isOwnList(start, file) ? null : await openForeign(file, context);
  if (foreign !== null) return samplesOf(foreign, file, context);
  if (start === null)
    throw new DataError(`${file}: has no column that names images, or none of scores; see docs/data.md`);
  const collector = new SampleCollector(file, context);
  await readOwnList(file, { isTabbed: firstLineOf(start).includes("\t"), context, collector });
  return collector.finish();
}

/** Entries of a list in another form than our own; null where it is in none. @throws {DataError} on two readings */
async function openForeign(file: string, { folder, tables, content, database }: ListContext): Promise<Columns | null> {
  const columns = { group: content?.column };
  const source = await findSource(file, { name: database, images: folder, tables, columns });
  if (source !== null) requireOneReading(file, source.ambiguities);
  return source;
}

/** @throws {DataError} with every reading that a source allows, and the flag for each */
export function requireOneReading(place: string, ambiguities: readonly Ambiguity[]): void {
  if (ambiguities.length === 0) return;
  throw problemsError(
    `${place}: can be read in more than one way; say which, as in a config's { source, columns, split }`,
    ambiguities.map(({ what, readings, flag }) => `${what} (${readings.join("; ")}): ${flag}`),
  );
}

/** Entries as samples, and the problems of both. @param columns  entries of one file, in the order of its lines */
export function samplesOf(
  { entries, faults }: Columns,
  file: string,
  context: ListContext,
): { samples: Sample[]; problems: ListProblem[] } {
  const collector = new SampleCollector(file, context);
  for (const { line, what } of faults) collector.fault(line, what);
  for (const entry of entries) collector.add(entry);
  return collector.finish();
}

type Fault = { readonly line: number; readonly what: string };

type Columns = { readonly entries: readonly Entry[]; readonly faults: readonly Fault[] };

/** Problems of one list that are told; a file with more of them is no list of this kind. */
const MOST_PROBLEMS = 100_000;

/** Collector of one list's samples and problems, line by line. */
class SampleCollector {
  readonly #file: string;
  readonly #context: EntryContext;
  readonly #packer: SamplePacker;
  /** Samples by their paths; of lines with problems, the lines by their paths. */
  readonly #known: KeyIndex;
  readonly #refused = new Map<string, number>();
  readonly #faults: ListProblem[] = [];
  readonly #problems: ListProblem[] = [];
  /** Entry that is being read. */
  #entry: Pick<Entry, "line" | "image"> = { line: 0, image: "" };

  constructor(file: string, context: ListContext) {
    const { database, folder } = context;
    this.#file = file;
    this.#context = {
      ...context,
      ...{ list: file, labels: labelTables(context.tables) },
      report: (kind, what) => {
        const { line, image } = this.#entry;
        this.#problems.push({ kind, line, image, message: `${file}:${line}: ${what}` });
      },
    };
    const packer = new SamplePacker({ database, folder, list: file });
    this.#packer = packer;
    this.#known = new KeyIndex((at) => normalizePath(packer.imageAt(at)));
  }

  /** Takes a line that has no entry, or a header that has none. */
  fault(line: number, what: string): void {
    this.#faults.push({ kind: "format", line, image: null, message: `${this.#file}:${line}: ${what}` });
    this.#requireFew(line);
  }

  add(entry: Entry): void {
    const { line, image } = entry;
    this.#entry = entry;
    const before = this.#problems.length;
    const key = normalizePath(image);
    const known = this.#known.find(key);
    const first = known === null ? this.#refused.get(key) : this.#packer.lineAt(known);
    if (first !== undefined) this.#context.report("duplicate", `${image} stands in line ${first} already; remove one`);
    const sample = readEntry(entry, this.#context);
    if (this.#problems.length === before) {
      this.#known.claim(key, this.#packer.length);
      this.#packer.add(sample);
    } else {
      if (first === undefined) this.#refused.set(key, line); // refused lines are not counted
      this.#requireFew(line);
    }
  }

  finish(): { samples: Sample[]; problems: ListProblem[] } {
    const samples = this.#packer.finish();
    const problems = [...this.#faults, ...this.#problems];
    if (samples.length > 0 || problems.length > 0) return { samples, problems };
    const message = `${this.#file}: the list is empty; a line for each image is needed`;
    return { samples, problems: [{ kind: "empty", line: null, image: null, message }] };
  }

  /** @throws {DataError} where there are too many problems to hold them all */
  #requireFew(line: number): void {
    const { length } = this.#faults;
    if (length + this.#problems.length <= MOST_PROBLEMS) return;
    const [first] = length > 0 ? this.#faults : this.#problems;
    const what = `has more than ${MOST_PROBLEMS} problems up to line ${line}, the first of them`;
    throw new DataError(`${this.#file}: ${what} ${first?.message ?? ""}`);
  }
}

/** Columns of a CSV list. */
export const CSV_COLUMNS = ["image", "mos", "mos_std", "distortion", "scene"] as const;
type CsvColumn = (typeof CSV_COLUMNS)[number];
const NEEDED: readonly CsvColumn[] = ["image", "mos"];

const SCENE_SEPARATOR = "|";

interface OwnList {
  /** True for a list as published: its first line has a tab. */
  readonly isTabbed: boolean;
  readonly context: ListContext;
  readonly collector: SampleCollector;
}

/** Reads a list line by line: tab-separated as published, or CSV with a header. */
async function readOwnList(file: string, { isTabbed, context, collector }: OwnList): Promise<void> {
  const { content, progress: report } = context;
  const column = content?.column;
  if (!isTabbed) {
    await readCommaRows(file, csvReader(collector, column), { report });
  } else if (column === undefined) {
    await readTabRows(file, publishedReader(collector), report);
  } else {
    const what = `a tab-separated list has no column "${column}"; write CSV, or give content: { pattern: ... }`;
    collector.fault(1, what);
  }
}

function publishedReader(collector: SampleCollector): (row: Row) => void {
  return ({ line, cells }) => {
    const [image, mos, distortion, ...scenes] = cells;
    if (image !== undefined && mos !== undefined && distortion !== undefined && cells.length === PUBLISHED_COLUMNS) {
      collector.add({ line, image, mos, mosStd: null, distortion, scenes, content: null });
    } else {
      const what = `expected ${PUBLISHED_COLUMNS} columns (path, mos, distortion, three scenes), got ${cells.length}`;
      collector.fault(line, `${what}; separate them by tabs, with "${NOT_KNOWN}" where a label is not known`);
    }
  };
}

/** Reader of rows whose first one is the header. @param contentColumn  column that names each image's content */
function csvReader(collector: SampleCollector, contentColumn?: string): (row: Row) => void {
  let columns: CsvPlaces | null = null;
  let isFaulty = false;
  return (row) => {
    const { line, cells } = row;
    if (isFaulty) return;
    if (columns === null) {
      const faults = headerFaults(row, contentColumn);
      isFaulty = faults.length > 0;
      for (const { line: at, what } of faults) collector.fault(at, what);
      columns = placesOf(cells, contentColumn);
    } else if (cells.length !== columns.count) {
      const what = `expected ${columns.count} columns as in the header, got ${cells.length}`;
      collector.fault(line, `${what}; quote a cell that holds a comma`);
    } else collector.add(csvEntry(row, columns));
  };
}

/** Places of the columns of a CSV list; -1 for one that is not there. */
interface CsvPlaces extends Readonly<Record<CsvColumn, number>> {
  readonly count: number;
  /** Null where no column of contents is asked for. */
  readonly content: number | null;
}

function placesOf(header: readonly string[], contentColumn: string | undefined): CsvPlaces {
  const [image, mos, mos_std, distortion, scene] = CSV_COLUMNS.map((column) => header.indexOf(column));
  const [none, content] = [-1, contentColumn === undefined ? null : header.indexOf(contentColumn)];
  return {
    ...{ image: image ?? none, mos: mos ?? none, mos_std: mos_std ?? none },
    ...{ distortion: distortion ?? none, scene: scene ?? none, content, count: header.length },
  };
}

function csvEntry({ line, cells }: Row, columns: CsvPlaces): Entry {
  const cell = (column: number) => cells[column] ?? "";
  const deviation = cell(columns.mos_std);
  return {
    line,
    image: cell(columns.image),
    mos: cell(columns.mos),
    mosStd: deviation === "" ? null : deviation,
    distortion: cell(columns.distortion),
    scenes: cell(columns.scene)
      .split(SCENE_SEPARATOR)
      .map((scene) => scene.trim()),
    content: columns.content === null ? null : cell(columns.content),
  };
}

function headerFaults({ line, cells }: Row, contentColumn?: string): Fault[] {
  const own = contentColumn === undefined ? [] : [contentColumn];
  const names: readonly string[] = [...CSV_COLUMNS, ...own];
  const missing = [...NEEDED, ...own].filter((column) => !cells.includes(column));
  if (missing.length > 0) {
    const what = `the header has no column ${missing.map((column) => `"${column}"`).join(" and ")}`;
    const forms = `a CSV list begins with ${CSV_COLUMNS.join(",")} (the last three optional)`;
    return [{ line, what: `${what}; ${forms}, a published list is tab-separated` }];
  }
  const unknown = cells.filter((cell) => !names.includes(cell));
  const twice = cells.filter((cell, i) => names.includes(cell) && cells.indexOf(cell) < i);
  return [
    ...unknown.map((cell) => ({
      line,
      what: `there is no column "${cell}"${didYouMean(cell, names) || `; remove it (columns: ${names.join(", ")})`}`,
    })),
    ...twice.map((cell) => ({ line, what: `the column "${cell}" stands there twice; remove one` })),
  ];
}
