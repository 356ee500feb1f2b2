import { pushAll } from "../../base/collections.js";
import { plural, problemLines } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { TaskAxis } from "../../model/prompts/promptGrid.js";
import type { DataConfig } from "../config.js";
import { readPublishedScores } from "../lists/publishedScores.js";
import { checkQuotas, openDatabases, resolveLayout } from "../openDatabases.js";
import { type Database, eachOnce, isUnscored, type ListedImage, listedImages, trainingImages } from "../sample.js";
import { probeImages } from "./fileChecks.js";
import { type Finding, reportAudit } from "./findings.js";
import { findOtherCase, type ImageProblem, requireImages } from "./fileChecks.js";
import { checkSamples, missingLabels, requireScores, type ScoreNeeds } from "./sampleChecks.js";
import { checkPairedSplit, checkSplit } from "./splitChecks.js";

interface TrainingCheckOptions {
  readonly tables: LabelTables;
  readonly axes: readonly TaskAxis[];
  /** Needs of the losses. */
  readonly needs: ScoreNeeds;
  /** Side of the model's window in pixels. */
  readonly window: number;
  /** Receives what a person should know while training goes on. */
  readonly note: (line: string) => void;
  readonly report: ReportProgress;
}

/**
 * Opens the databases of a run for one split and checks what takes no decoding: quotas, lists, labels, files, headers.
 * @throws {DataError} where a run could not train on them; with `onFindings: warn` errors of the lists are only noted
 */
export async function checkBeforeTraining(
  data: DataConfig,
  split: number,
  { tables, axes, needs, window, note, report }: TrainingCheckOptions,
): Promise<Database[]> {
  const databases = await openDatabases(data, split, { tables, report });
  checkQuotas(databases);
  const findings: Finding[] = [];
  for (const database of databases) {
    const { name, folder, pairs, photos, ...lists } = database;
    const isScored = !isUnscored({ pairs, photos });
    const settings = data.databases.find((one) => one.name === name);
    if (settings === undefined) throw new Error(`internal: checkBeforeTraining: ${name} is not in the config`);
    const published = await readPublishedScores(resolveLayout(settings, data.root, split).deviations);
    const context = { database: name, folder, tables, published };
    pushAll(findings, isScored ? checkSplit(lists, context) : checkPairedSplit(listedImages(database)));
    const scored = [...lists.train, ...lists.val, ...lists.test];
    pushAll(findings, [...checkSamples(scored, context), ...findOtherCase(allImages(database))]);
  }
  requireScores(databases, needs);
  reportAudit(findings, data.onFindings, note);
  for (const line of missingLabels(databases, axes)) note(line);
  const samples = databases.flatMap(allImages);
  const { followLinks, onMissing, onUnreadable } = data;
  const mayLack = onMissing === "drop" || onUnreadable === "replace";
  const training = new Set(mayLack ? databases.flatMap(trainingImages) : []); // a hundred bytes an image
  const missing = await requireImages(samples, { followLinks, report }, onMissing === "drop" ? training : new Set());
  if (missing.length > 0) note(problemLines(droppedHeading(missing.length), messagesOf(missing), NAMED_IMAGES));
  const gone = new Set(missing.map(({ sample }) => sample.file));
  const isThere = ({ file }: Pick<ListedImage, "file">) => !gone.has(file);
  const isTolerated = ({ kind, sample }: ImageProblem) =>
    onUnreadable === "replace" && kind === "unreadable" && training.has(sample);
  const replaced = await probeImages(samples.filter(isThere), { ...data, window }, { report, isTolerated });
  if (replaced.length > 0) {
    const counted = plural(replaced.length, "training image");
    note(`${counted} cannot be read (data.onUnreadable: replace): each is named when others take its place`);
  }
  return gone.size === 0 ? databases : databases.map((one) => withoutImages(one, isThere));
}

/** Images of all lists of a database, each once. */
function allImages(database: Database): readonly ListedImage[] {
  const { train, val, test } = listedImages(database);
  return eachOnce(database, [...train, ...val, ...test]);
}

/** The database without the training images, and the training pairs, of which a file is not there. */
function withoutImages(database: Database, isThere: (image: ListedImage) => boolean): Database {
  const { train, pairs, photos } = database;
  const kept = { ...database, train: train.filter(isThere), ...(photos && { photos: photos.filter(isThere) }) };
  if (pairs === undefined) return kept;
  return { ...kept, pairs: { ...pairs, train: pairs.train.filter(({ a, b }) => isThere(a) && isThere(b)) } };
}

/** Dropped images that the note names; the others are counted. */
const NAMED_IMAGES = 5;

function droppedHeading(images: number): string {
  return `${plural(images, "training image")} not there and left out (data.onMissing: drop)`;
}

function messagesOf(problems: readonly ImageProblem[]): string[] {
  return problems.map(({ message }) => message);
}
