import { CheckpointError } from "../base/errors.js";
import type { EXPORT_MANIFEST, ExportManifest } from "../export/exportManifest.js";
import { WINDOW } from "../model/preprocess/image.js";
import { PROMPT_AXES } from "../model/prompts/promptGrid.js";

/** The name of the file that a folder is read from first. */
export const MANIFEST_FILE = "manifest.json" satisfies typeof EXPORT_MANIFEST;

/** What scoring needs of an export's manifest; the rest is handed through unread. */
export type TfjsManifest = Pick<
  ExportManifest,
  "files" | "format" | "dtype" | "package" | "model" | "prompts" | "preprocessing" | "score" | "training" | "licence"
>;

type Rule = readonly [path: string, holds: (value: unknown) => boolean, wanted: string];

const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0; // an integer
const isPositive = (value: unknown): boolean => Number.isFinite(value) && (value as number) > 0; // a number
const sizes = (prefix: string, names: readonly string[]): Rule[] =>
  names.map((name) => [`${prefix}.${name}`, isSize, "a whole number above 0"]);

/**
 * What is read here, and no more: `ExportManifest`, which the writers use, is a zod schema, four times as large as all
 * of this folder, and it probes for `eval`, which a page's content security policy reports.
 */
const RULES: readonly Rule[] = [
  ["manifestVersion", (value) => value === 1, "1; newer exports need a newer liqe-train"],
  ["format", (value) => value === "tfjs", '"tfjs"; write one with `liqe export --format tfjs`'],
  ...sizes("model.architecture.vision", ["width", "heads", "patchSize"]),
  ["model.architecture.vision.layers", (value) => value === 0 || isSize(value), "a whole number"],
  ["model.architecture.vision.imageSize", (value) => value === WINDOW, String(WINDOW)],
  ["model.architecture.vision.stem", isStem, '"patch" or a list of levels'],
  ["model.architecture.embedding", isSize, "a whole number above 0"],
  ["model.logitScale", isPositive, "a number above 0"],
  ["prompts.axes", isAxes, "a list of axes with their labels, quality among them"],
  ["preprocessing.window", (value) => value === WINDOW, String(WINDOW)],
  ...sizes("preprocessing", ["crops"]),
  ["files", isFiles, "each file's size and SHA-256"],
];

/**
 * @param where  the file or address, for messages
 * @throws {CheckpointError} naming all that does not fit
 */
export function readManifest(where: string, json: unknown): TfjsManifest {
  const problems = RULES.filter(([path, holds]) => !holds(at(json, path))).map(
    ([path, , wanted]) => `${path} is ${shown(at(json, path))}, not ${wanted}`,
  );
  if (problems.length === 0) return json as TfjsManifest; // all that is read of it was looked at
  throw new CheckpointError(`${where}: cannot be read as an export's manifest: ${problems.join("; ")}`);
}

/** The value under a path of keys; undefined where there is none. */
function at(json: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), json);
}

function shown(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

function isStem(value: unknown): boolean {
  if (value === "patch") return true;
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.every((level) => isSize(at(level, "stride")) && isSize(at(level, "width")));
}

function isAxes(value: unknown): boolean {
  if (!Array.isArray(value) || !value.some((entry) => at(entry, "axis") === "quality")) return false;
  return value.every((entry) => {
    const labels = at(entry, "labels");
    const isKnown = PROMPT_AXES.some((axis) => axis === at(entry, "axis"));
    return isKnown && Array.isArray(labels) && labels.length > 0 && labels.every((label) => typeof label === "string");
  });
}

function isFiles(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return Object.values(value).every((file) => {
    const [bytes, sha256] = [at(file, "bytes"), at(file, "sha256")];
    return Number.isSafeInteger(bytes) && typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
  });
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
