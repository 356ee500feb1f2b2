/** Lists in JSON: DeQA-Score, Q-Align, Q-Bench, Compare2Score, VisualQuality-R1 and image folders' metadata.jsonl. */
import { findColumns, lowerBetterColumn, plainName, subsetInCell, toldDirection } from "./columns.js";
import { type JsonItem, parseJson, parseJsonLine } from "./jsonText.js";
import { readLines } from "../lines.js";
import type { ColumnKind, FormatName } from "./names.js";
import { type Fault, isImageName, isNumeric, type ListTable, type ReadingChoice, stemOf, type TableEntry } from "./table.js"; // prettier-ignore

type Fields = Readonly<Record<string, unknown>>;

/** Reads a list in JSON; null where the text is JSON of something else. @throws {DataError} where it is no whole JSON */
export function readJsonList(text: string, file: string, choice: ReadingChoice): ListTable | null {
  const { value, lines } = parseJson(text, file);
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return tableOf(items.map((item, i) => ({ line: lines[i] ?? 1, value: item })), file, choice); // prettier-ignore
  }
  if (!isFields(value)) return null;
  if (keysOf([value], file, choice) !== null) return tableOf([{ line: 1, value }], file, choice); // JSON lines, one of them
  const members = Object.entries(value);
  const isMosFile = members.length > 0 && members.every(([, member]) => isFields(member) && "mos" in member);
  if (!isMosFile) return null;
  const items = members.map(([image, member], i) => ({ line: lines[i] ?? 1, value: { ...(member as Fields), image } })); // checked above
  return tableOf(items, file, { ...choice, format: choice.format ?? "deqa-score" });
}

/** Reads a list of JSON lines, an object each, line by line. @throws {DataError} naming the first line that is none */
export async function readJsonLines(file: string, choice: ReadingChoice): Promise<ListTable | null> {
  const items: JsonItem[] = [];
  await readLines(file, (text, line) => {
    const item = parseJsonLine(text, line, file);
    if (item !== null) items.push(item);
  });
  return tableOf(items, file, choice);
}

/** True for several objects, a line each. @param text  the beginning of a file */
export function isJsonLines(text: string): boolean {
  const [first = "", second = ""] = text.trim().split(/\s*\r?\n\s*/, 2);
  return first.endsWith("}") && second.startsWith("{");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Score of a training item, which has it in its name alone: "photograph.jpg->3.42". */
const NAMED_SCORE = /->\s*(\S+)\s*$/;

/** Keys of the parts in the items of one list; undefined for one that is not there. */
interface Keys extends Readonly<Partial<Record<Exclude<ColumnKind, "image" | "mos" | "split">, string | undefined>>> {
  readonly image: string;
  readonly mos: string;
  readonly split: readonly string[];
}

/** List of items by their keys; null where no key names images or scores. @throws {DataError} on a key that is not there */
export function tableOf(items: readonly JsonItem[], file: string, choice: ReadingChoice): ListTable | null {
  const fields = items.map(({ value }) => value).filter(isFields);
  if (fields.length === 0) return null;
  const found = keysOf(fields, file, choice);
  if (found === null) return null;
  const { keys, ambiguities } = found;
  const entries: TableEntry[] = [];
  const faults: Fault[] = [];
  items.forEach(({ line, value }, row) => {
    const read = isFields(value) ? entryOf(value, keys) : `is no object with ${keys.image} and ${keys.mos}`;
    if (typeof read === "string") faults.push({ line, what: `item ${row + 1} ${read}` });
    else entries.push({ ...read, line, row });
  });
  const { image, mos: score, mos_std: deviation = null, distortion, scene, group = null, split: splits } = keys;
  const names = namesOf(fields);
  const lower = names[lowerBetterColumn(names)];
  const cells = fields.map((item) => textOf(item[lower ?? ""]));
  const { told, unclear } = lower === undefined ? { told: null, unclear: [] } : toldDirection(cells, choice);
  const used = new Set([image, score, deviation, distortion, scene, group, ...splits, lower]);
  return {
    ...{ format: choice.format ?? formatOf(fields, keys), entries, faults, ambiguities: [...ambiguities, ...unclear] },
    told,
    isVariance: /^var/.test(plainName(deviation ?? "")),
    columns: { score, deviation, group, splits, ignored: names.filter((key) => !used.has(key)) },
  };
}

function namesOf(fields: readonly Fields[]): string[] {
  return [...new Set(fields.flatMap((item) => Object.keys(item)))];
}

function keysOf(fields: readonly Fields[], file: string, choice: ReadingChoice) {
  const names = namesOf(fields);
  const cells = (column: number) => {
    const key = names[column] ?? "";
    return fields.map((item) => imageOf(item[key]) ?? textOf(item[key]));
  };
  const { columns, ambiguities } = findColumns({ names, cells }, file, choice);
  const name = (place: number) => names[place];
  const isNamed = fields.some(({ id }) => typeof id === "string" && NAMED_SCORE.test(id));
  const isDialog = fields.some(
    ({ image: images, conversations }) => Array.isArray(images) && conversations !== undefined,
  );
  const [image, mos] = [name(columns.image), name(columns.mos) ?? (isDialog ? "conversations" : isNamed ? "id" : undefined)]; // prettier-ignore
  if (image === undefined || mos === undefined) return null;
  const { mos_std, distortion, scene, group, split } = columns;
  const labels = { distortion: name(distortion), scene: name(scene), group: name(group) };
  const keys: Keys = { image, mos, mos_std: name(mos_std), ...labels, split: split.flatMap((at) => name(at) ?? []) };
  return { keys, ambiguities };
}

function formatOf(fields: readonly Fields[], { image, mos: score }: Keys): FormatName {
  const has = (...keys: readonly string[]) => fields.some((item) => keys.some((key) => key in item));
  if (image === "file_name") return "image-folder";
  if (has("level_probs", "gt_score_norm", "std_norm")) return "deqa-score";
  if (score === "conversations") return "visualquality-r1";
  if (has("conversations", "id")) return "q-align";
  if (image === "image" && has("std")) return "compare2score";
  return "q-bench";
}

function entryOf(item: Fields, keys: Keys): Omit<TableEntry, "line" | "row"> | string {
  const image = imageOf(item[keys.image]);
  if (image === null) return `has no ${keys.image} that names one image`;
  const mos = keys.mos === "conversations" ? dialogScore(item["conversations"]) : scoreOf(item, keys.mos);
  if (mos === null) return `(${image}) has no ${keys.mos} with a score`;
  const textAt = (key: string | undefined) => (key === undefined ? "" : textOf(item[key]));
  const deviation = textAt(keys.mos_std);
  const scene = keys.scene === undefined ? undefined : item[keys.scene];
  const words = keys.split.map(textAt);
  const wrong = words.find((word) => word !== "" && subsetInCell(word) === null);
  if (wrong !== undefined) return `(${image}) has the split "${wrong}", none of train, val, test, 0, 1 and 2`;
  const group = textAt(keys.group);
  return {
    ...{ image, mos, mosStd: deviation === "" ? null : deviation, distortion: textAt(keys.distortion) },
    scenes: Array.isArray(scene) ? scene.map(textOf) : textOf(scene).split("|").map((one) => one.trim()), // prettier-ignore
    content: group === "" ? null : isImageName(group) ? stemOf(group) : group,
    subsets: words.map(subsetInCell),
  };
}

function imageOf(value: unknown): string | null {
  if (isFields(value) && "bytes" in value) return null; // a picture in Parquet: not read
  if (Array.isArray(value)) return value.length === 1 ? imageOf(value[0]) : null;
  return typeof value === "string" && value !== "" ? value : null;
}

function scoreOf(item: Fields, key: string): string | null {
  const text = textOf(item[key]);
  if (key !== "id") return text === "" ? null : text;
  return NAMED_SCORE.exec(text)?.[1] ?? null;
}

/** Number that the last turn of a conversation holds. */
function dialogScore(conversations: unknown): string | null {
  const last: unknown = Array.isArray(conversations) ? conversations.at(-1) : null;
  const text = isFields(last) ? textOf(last["value"]) : "";
  return isNumeric(text) ? text : null;
}

/** Text of a string, without blanks around it, of a number or of a truth; empty for anything else. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value.trim();
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ? String(value) : "";
}
