/** Lists in JSON: DeQA-Score, Q-Align, Q-Bench, Compare2Score, VisualQuality-R1 and image folders' metadata.jsonl. */
import { type Subset, SUBSETS } from "../../sample.js";
import { type JsonItem, parseJson, parseJsonLines } from "./jsonText.js";
import type { FormatName } from "./names.js";
import { type Fault, isNumeric, type ListTable, type ReadingChoice, subsetOf, type TableEntry } from "./table.js";

type Fields = Readonly<Record<string, unknown>>;

/** Reads a list in JSON; null where the text is JSON of something else. @throws {DataError} where it is no whole JSON */
export function readJsonList(text: string, file: string, choice: ReadingChoice): ListTable | null {
  if (isLines(text)) return tableOf(parseJsonLines(text, file), choice);
  const { value, lines } = parseJson(text, file);
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return tableOf(items.map((item, i) => ({ line: lines[i] ?? 1, value: item })), choice); // prettier-ignore
  }
  if (!isFields(value)) return null;
  if (keysOf([value], choice) !== null) return tableOf([{ line: 1, value }], choice); // JSON lines, one of them
  const members = Object.entries(value);
  const isMosFile = members.length > 0 && members.every(([, member]) => isFields(member) && "mos" in member);
  if (!isMosFile) return null;
  const items = members.map(([image, member], i) => ({ line: lines[i] ?? 1, value: { ...(member as Fields), image } })); // checked above
  return tableOf(items, { ...choice, format: choice.format ?? "deqa-score" });
}

/** True for several objects, a line each. */
function isLines(text: string): boolean {
  const [first = "", second = ""] = text.trim().split(/\s*\r?\n\s*/, 2);
  return first.endsWith("}") && second.startsWith("{");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const IMAGE_KEYS = ["image", "img_path", "file_name", "img_name", "filename"] as const;
const SCORE_KEYS = ["gt_score", "mos", "score", "dmos", "MOS"] as const;
const DEVIATION_KEYS = ["std", "mos_std", "mosStd"] as const;
const LABEL_KEYS = { distortion: ["distortion", "distortion_class", "dis_type"], scene: ["scene", "scenes"] } as const;
const GROUP_KEYS = ["group", "content", "reference", "ref_image"] as const;
/** Score of a training item, which has it in its name alone: "photograph.jpg->3.42". */
const NAMED_SCORE = /->\s*(\S+)\s*$/;

/** Keys of the parts in the items of one list. */
interface Keys {
  readonly image: string;
  readonly score: string;
  readonly deviation: string | undefined;
  readonly distortion: string | undefined;
  readonly scene: string | undefined;
  readonly group: string | undefined;
  readonly split: string | undefined;
}

/** List of items by their keys; null where no key names images or scores. */
export function tableOf(items: readonly JsonItem[], choice: ReadingChoice): ListTable | null {
  const fields = items.map(({ value }) => value).filter(isFields);
  if (fields.length === 0) return null;
  const keys = keysOf(fields, choice);
  if (keys === null) return null;
  const format = choice.format ?? formatOf(fields, keys);
  const entries: TableEntry[] = [];
  const faults: Fault[] = [];
  items.forEach(({ line, value }, row) => {
    const read = isFields(value) ? entryOf(value, keys) : `is no object with ${keys.image} and ${keys.score}`;
    if (typeof read === "string") faults.push({ line, what: `item ${row + 1} ${read}` });
    else entries.push({ ...read, line, row });
  });
  const used = new Set(Object.values(keys));
  const ignored = [...new Set(fields.flatMap((item) => Object.keys(item)))].filter((key) => !used.has(key));
  const { score, deviation = null, group = null, split } = keys;
  return {
    ...{ format, entries, faults, ambiguities: ambiguitiesOf(fields, keys, choice), isVariance: false },
    isLowerBetter: fields.every((item) => item["lower_better"] === true),
    columns: { score, deviation, group, splits: split === undefined ? [] : [split], ignored },
  };
}

function keysOf(fields: readonly Fields[], { columns = {} }: ReadingChoice): Keys | null {
  const find = (keys: readonly string[]) => keys.find((key) => fields.some((item) => key in item));
  const image = columns.image ?? find(IMAGE_KEYS);
  const isNamed = fields.some(({ id }) => typeof id === "string" && NAMED_SCORE.test(id));
  const isDialog = fields.some(
    ({ image: images, conversations }) => Array.isArray(images) && conversations !== undefined,
  );
  const score = columns.mos ?? find(SCORE_KEYS) ?? (isDialog ? "conversations" : isNamed ? "id" : undefined);
  if (image === undefined || score === undefined) return null;
  return {
    ...{ image, score, deviation: columns.mos_std ?? find(DEVIATION_KEYS), group: columns.group ?? find(GROUP_KEYS) },
    ...{
      distortion: columns.distortion ?? find(LABEL_KEYS.distortion),
      scene: columns.scene ?? find(LABEL_KEYS.scene),
    },
    split: columns.split ?? find(["split", "official_split"]),
  };
}

/** Two scores on different scales are no guess of ours. */
function ambiguitiesOf(fields: readonly Fields[], { score }: Keys, { columns = {} }: ReadingChoice) {
  if (columns.mos !== undefined) return [];
  const found = SCORE_KEYS.filter((key) => fields.some((item) => key in item));
  const readings = found.map(
    (key) => `${key}: ${fields.map((item) => textOf(item[key])).find((text) => text !== "") ?? ""}, ...`,
  );
  return found.length > 1 && found.includes(score as (typeof SCORE_KEYS)[number])
    ? [{ what: "several keys hold scores", readings, flag: `--columns mos=${found.join(" or mos=")}` }]
    : [];
}

function formatOf(fields: readonly Fields[], { image, score }: Keys): FormatName {
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
  const mos = keys.score === "conversations" ? dialogScore(item["conversations"]) : scoreOf(item, keys.score);
  if (mos === null) return `(${image}) has no ${keys.score} with a score`;
  const textAt = (key: string | undefined) => (key === undefined ? "" : textOf(item[key]));
  const deviation = textAt(keys.deviation);
  const scene = keys.scene === undefined ? undefined : item[keys.scene];
  const word = textAt(keys.split);
  const subset = subsetIn(word);
  if (subset === null && word !== "") return `(${image}) has the split "${word}", none of train, val, test, 0, 1 and 2`;
  const group = textAt(keys.group);
  return {
    ...{ image, mos, mosStd: deviation === "" ? null : deviation, distortion: textAt(keys.distortion) },
    scenes: Array.isArray(scene) ? scene.map(textOf) : textOf(scene).split("|").map((one) => one.trim()), // prettier-ignore
    content: group === "" ? null : group,
    subsets: keys.split === undefined ? [] : [subset],
  };
}

/** Subset that a word names or begins with, such as "validation set"; null where it names none. */
function subsetIn(word: string): Subset | null {
  return subsetOf(word) ?? SUBSETS.find((subset) => word.toLowerCase().startsWith(subset)) ?? null;
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

/** Text of a number or a string, without blanks around it; empty for anything else. */
function textOf(value: unknown): string {
  return typeof value === "string"
    ? value.trim()
    : typeof value === "number" || typeof value === "bigint"
      ? String(value)
      : "";
}
