/** Findings of `liqe data check`: scripts rely on these words. */
import { DataError } from "../../base/errors.js";
import { groupBy } from "../../base/collections.js";
import { plural, problemLines } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { DataConfig } from "../config.js";
import type { ImageOptions } from "../images/loadImage.js";
import type { ListedImage } from "../sample.js";

export const FINDING_KINDS = {
  "list-missing": "a database's folder or list is not there, or is no text",
  format: "a line has the wrong columns, or a header does",
  mos: "a score or its deviation is no number",
  label: "a distortion or scene that is in no label table",
  path: "an image's path is absolute, leaves its folder, or cannot be written portably",
  duplicate: "one list names an image twice",
  empty: "a list without images",
  split: "a list cannot be parted by content, or not as was written down",
  count: "more or fewer images than the database is known to have",
  overlap: "an image stands in two of a split's training, validation and test lists",
  disagreement: "an image has other scores or labels in another list of its database",
  content: "versions of one photograph stand in two of a split's lists, as paths or the config tell",
  polarity: "a list's scores stand the wrong way round: they rise with the distortion, or against the published ones",
  contradiction: "an image's distortion label contradicts its folder or file name",
  range: "a score outside its database's scale, or all scores the same",
  deviation: "scores whose deviation is 0 or not known, where others have one",
  "deviation-scale": "deviations on another scale than the scores: far too small for it, or far too large",
  unlabelled: "images without a distortion or scene label",
  skew: "a label that no image has, that nearly all have, or that is tested and not trained on",
  bom: "a list begins with a byte order mark",
  "line-ends": "a list has the line ends of Windows",
  missing: "an image is not there",
  name: "an image's name differs in case from its file's",
  outside: "an image leads out of its database's folder through a symbolic link (data.followLinks: false)",
  unreadable: "a file is no image that can be read",
  small: "an image is below the model's window on a side (224 pixels for most)",
  large: "an image has more pixels than data.maxMegapixels allows",
  extension: "an image is of another format than its file name says",
  damaged: "an image whose pixels cannot be read (an error), or are read as PIL reads them in spite of damage",
  copy: "the same picture stands in two lists of a split, or twice in one list",
  "near-copy": "nearly the same picture (recompressed, scaled, recolored) stands in two lists of a split",
} as const;
export type FindingKind = keyof typeof FINDING_KINDS;

/** Errors make `data check` end with 3; warnings are worth a look; notes are facts. */
export type Severity = "error" | "warning" | "note";

export interface Finding {
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly database: string;
  /** File and line of the list, and the image as listed, where there is one. */
  readonly list: string | null;
  readonly line: number | null;
  readonly image: string | null;
  /** Place, what is wrong, and what to do. */
  readonly message: string;
}

/** Counts of a database's lists, each image once. */
export interface DatabaseCounts {
  readonly images: number;
  readonly splits: number;
  /** Images of the first split. */
  readonly train: number;
  readonly val: number;
  readonly test: number;
  readonly mos: { readonly low: number; readonly high: number; readonly mean: number } | null;
  /** Images of each class and of each scene, in the tables' order, those with none left out. */
  readonly distortions: Readonly<Record<string, number>>;
  readonly scenes: Readonly<Record<string, number>>;
}

export interface CheckReport {
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<string, DatabaseCounts>>;
}

export interface CheckOptions {
  readonly tables: LabelTables;
  /** Depth of the look at images: none, existence and header, or every pixel (the default). */
  readonly depth?: "lists" | "headers" | "pixels";
  readonly images?: ImageOptions;
  /** False reports images whose links lead out of their folder; true by default. */
  readonly followLinks?: boolean;
  readonly report?: ReportProgress;
}

/** Place of a listed image, the beginning of a message: `file:line: path`. */
export function placeOf({ list, line, image }: ListedImage): string {
  return `${list}:${line}: ${image}`;
}

export function findingAt(sample: ListedImage, kind: FindingKind, severity: Severity, what: string): Finding {
  const { database, list, line, image } = sample;
  return { kind, severity, database, list, line, image, message: `${placeOf(sample)}: ${what}` };
}

/** Finding about a whole database. */
export function findingOf(database: string, kind: FindingKind, severity: Severity, what: string): Finding {
  return { kind, severity, database, list: null, line: null, image: null, message: `${database}: ${what}` };
}

/** Findings that are shown; `liqe data check` has them all. */
const SHOWN_FINDINGS = 5;

const MORE = '"liqe data check" lists them all';

/** Notes the number of warnings and the first of each kind. @throws {DataError} on errors, unless told to warn */
export function reportAudit(
  findings: readonly Finding[],
  onFindings: DataConfig["onFindings"],
  note: (text: string) => void,
): void {
  const of = (severity: Severity) => findings.filter((finding) => finding.severity === severity);
  const errors = of("error").map(({ message }) => message);
  const heading = `data: ${plural(errors.length, "error")} in the lists; ${MORE}`;
  if (errors.length > 0 && onFindings === "stop") {
    const hint = ", data.onFindings=warn trains all the same";
    throw new DataError(problemLines(`${heading}${hint}`, errors, SHOWN_FINDINGS));
  }
  if (errors.length > 0) note(problemLines(heading, errors, SHOWN_FINDINGS));
  for (const [kind, found] of groupBy(of("warning"), (finding) => `${finding.database}: ${finding.kind}`))
    note(`${kind}: ${plural(found.length, "warning")}, such as ${found[0]?.message ?? ""}`);
}
