import { groupBy } from "../../base/collections.js";
import { DataError } from "../../base/errors.js";
import { plural, problemLines } from "../../base/text.js";
import type { ReportProgress } from "../../base/types.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { DataConfig } from "../config.js";
import type { ImageOptions } from "../images/loadImage.js";
import { readPublishedScores } from "../lists/readList.js";
import { checkQuotas } from "../loader/loader.js";
import { openDatabases, resolveLayout } from "../openDatabases.js";
import type { Database, Sample } from "../sample.js";
import { findMissingImages, findUnusableImages } from "./fileChecks.js";
import type { Finding, Severity } from "./findings.js";
import { checkSamples } from "./sampleChecks.js";
import { checkSplit } from "./splitChecks.js";

type ImageProblem = Awaited<ReturnType<typeof findMissingImages>>[number];

interface TrainingCheckOptions {
  readonly tables: LabelTables;
  /** Told what a person should know while training goes on. */
  readonly note: (line: string) => void;
  readonly report: ReportProgress;
}

/**
 * Opens the databases of a run for one split and checks what takes no decoding: lists, a step's quotas, files, headers.
 * @throws {DataError} where a run could not train on them; with `onFindings: warn` errors of the lists are only noted
 */
export async function checkBeforeTraining(
  data: DataConfig,
  split: number,
  { tables, note, report }: TrainingCheckOptions,
): Promise<Database[]> {
  const databases = await openDatabases(data, split, { tables });
  const findings: Finding[] = [];
  for (const database of databases) findings.push(...(await checkOpened(database, { data, split, tables })));
  reportAudit(findings, data.onFindings, note);
  checkQuotas(databases);
  const samples = databases.flatMap(({ train, val, test }) => [...train, ...val, ...test]);
  await requireImages(samples, report);
  const training = new Set(databases.flatMap(({ train }) => train));
  const isTolerated = ({ kind, sample }: ImageProblem) =>
    data.onUnreadable === "replace" && kind === "unreadable" && training.has(sample);
  const replaced = await probeImages(samples, data, { report, isTolerated });
  if (replaced.length > 0) {
    const counted = plural(replaced.length, "training image");
    note(`${counted} cannot be read (data.onUnreadable: replace): each is named when others take its place`);
  }
  return databases;
}

/** Findings of one split's lists, without a look at the images. */
async function checkOpened(
  { name, folder, ...split }: Database,
  run: { readonly data: DataConfig; readonly split: number; readonly tables: LabelTables },
): Promise<Finding[]> {
  const settings = run.data.databases.find((database) => database.name === name);
  if (settings === undefined) throw new Error(`internal: checkBeforeTraining: ${name} is not in the config`);
  const published = await readPublishedScores(resolveLayout(settings, run.data.root, run.split).deviations);
  const context = { database: name, folder, tables: run.tables, published };
  return [...checkSplit(split, context), ...checkSamples([...split.train, ...split.val, ...split.test], context)];
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

/** Checks that all images are in their folders. @throws {DataError} counting all missing, naming the first five */
export async function requireImages(samples: readonly Sample[], report?: ReportProgress): Promise<void> {
  throwProblems(await findMissingImages(samples, report), samples.length);
}

interface ProbeOptions {
  readonly report?: ReportProgress;
  /** True for problems that stop nothing; by default none. */
  readonly isTolerated?: (problem: ImageProblem) => boolean;
}

/**
 * Reads the header of every listed image and returns the tolerated problems.
 * @throws {DataError} counting all other images that cannot be used and naming the first five
 */
export async function probeImages(
  samples: readonly Sample[],
  options: ImageOptions,
  { report, isTolerated = () => false }: ProbeOptions = {},
): Promise<ImageProblem[]> {
  const problems = await findUnusableImages(samples, options, report);
  const others = problems.filter((problem) => !isTolerated(problem));
  throwProblems(others, samples.length);
  return problems.filter(isTolerated);
}

/** Images named in an error; the others are counted. */
const SHOWN_IMAGES = 5;

/** @throws {DataError} where there are problems: the missing images first, then the others */
function throwProblems(problems: readonly ImageProblem[], total: number): void {
  if (problems.length === 0) return;
  const parts = [
    { found: problems.filter(({ kind }) => kind === "missing"), what: "missing; check data.root and the lists" },
    { found: problems.filter(({ kind }) => kind !== "missing"), what: "of no use" },
  ].filter(({ found }) => found.length > 0);
  const texts = parts.map(({ found, what }) => {
    const messages = found.map(({ message }) => message);
    return problemLines(`data: ${found.length} of ${plural(total, "image")}: ${what}`, messages, SHOWN_IMAGES);
  });
  throw new DataError(texts.join("\n"));
}
