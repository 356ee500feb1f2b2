import path from "node:path";
import { DataError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import type { Reporter, ReportProgress } from "../base/types.js";
import { DamageLog } from "../data/images/damage.js";
import type { ImageOptions } from "../data/images/loadImage.js";
import { type Defence, groupDifferentiation, type ScoredPair } from "../evaluate/metrics/gmad.js";
import { gmadPage } from "../evaluate/report/gmadPage.js";
import { scoreImages, type ScoreOptions } from "../evaluate/scoring/scoreImages.js";
import { namedOrBox } from "./box.js";
import { type KindOptions, openModel, type PromptOptions, choicesBy } from "./openModel.js";
import { expandPaths } from "./paths.js";
import { DAMAGE_ADVICE, scoringOf, type ScoringOptions } from "./predict.js";
import { readThumbnails } from "./report/writeReport.js";
import { openEngine, reporterOf } from "./work.js";

/** Options of `disagreements`. */
export interface DisagreementOptions extends ScoringOptions, PromptOptions, KindOptions {
  /** First model, A: run, split, checkpoint, export or weight file; the one in the box by default. */
  readonly checkpoint?: string | undefined;
  /** Second model, B, likewise. */
  readonly against: string;
  /** Levels that each model's range of scores is cut into; 6 by default. */
  readonly levels?: number | undefined;
  /** Folder for `compare.html` and `compare.json`; by default nothing is written. */
  readonly out?: string;
}

/** Pairs of images on which two models disagree most (gMAD, K. Ma et al., CVPR 2016), and files without a score. */
export interface Disagreements {
  /** Names of both models. */
  readonly models: readonly [string, string];
  /** Number of images that both models scored. */
  readonly images: number;
  /** Pairs that the first model finds alike and the second separates, then the other way round. */
  readonly defences: readonly [Defence, Defence];
  readonly failed: readonly FailedFile[];
}

/** File that has no score. */
export type FailedFile = { readonly file: string; readonly error: string };

const USUAL_LEVELS = 6;

/** Pictures large and fine enough to show their artifacts. */
const PICTURE = { side: 720, quality: 90 };

/**
 * Finds the pairs of unlabeled images on which two models disagree most.
 * @param paths  files, folders and patterns
 * @throws {@link DataError} where no image has a score
 * @throws {@link CheckpointError}, {@link EngineError} as `load`
 * @example
 * ```ts
 * import { disagreements, train } from "liqe-train";
 *
 * const one = await train("kadid.yaml"); // a finished run is not trained again
 * const other = await train("koniq.yaml");
 * const found = await disagreements(["photos"], { checkpoint: one.best, against: other.best, levels: 1 });
 * for (const { levels } of found.defences) console.log(levels);
 * ```
 */
export async function disagreements(paths: readonly string[], options: DisagreementOptions): Promise<Disagreements> {
  const { against, out, recursive = false, levels, readList } = options;
  const reporter = reporterOf(options);
  const checkpoint = await namedOrBox(options.checkpoint, reporter);
  const { files, problems, notes } = await expandPaths(paths, { recursive, readList });
  notes.forEach(reporter.note);
  if (out !== undefined) await makeFolders(out);
  await openEngine(options);
  const damage = new DamageLog(reporter.note, DAMAGE_ADVICE);
  const choices = { ...choicesBy(options), note: reporter.note };
  const scoring: ScoreOptions = { ...scoringOf(options, damage), order: "name" };
  const one = await scoresOf(checkpoint, choices, files, scoring, reporter);
  const other = await scoresOf(against, choices, files, scoring, reporter);
  damage.close();
  const scored = files.flatMap((file, i): ScoredPair[] => {
    const [a, b] = [one.scores[i] ?? null, other.scores[i] ?? null];
    return a === null || b === null ? [] : [{ file, qualities: [a, b] }];
  });
  const failed = [...problems, ...unique([...one.failed, ...other.failed])];
  if (scored.length === 0) {
    throw new DataError(`liqe compare: no image has a score; ${failed[0]?.error ?? "name a folder with images"}`);
  }
  const defences = groupDifferentiation(scored, levels ?? USUAL_LEVELS);
  const compared = { models: [checkpoint, against] as const, defences, failed, images: scored.length };
  if (out !== undefined) {
    const window = Math.min(one.window, other.window);
    await write(out, compared, { ...scoring.images, window });
    reporter.note(`${path.join(out, PAGE)} and ${RECORD} written`);
  }
  return compared;
}

const PAGE = "compare.html";
const RECORD = "compare.json";

/** Scores of every file by one model; null where it has none. */
async function scoresOf(
  checkpoint: string,
  choices: Parameters<typeof openModel>[1],
  files: readonly string[],
  scoring: ScoreOptions,
  { progress }: Reporter,
) {
  const opened = await openModel(checkpoint, choices);
  const scores: (number | null)[] = [];
  const failed: FailedFile[] = [];
  const report: ReportProgress = (event) => {
    progress({ ...event, label: `${event.label} with ${checkpoint}` });
  };
  try {
    for await (const scored of scoreImages(files, opened.scorer, scoring, report)) {
      scores.push(scored.ok ? scored.posterior.quality : null);
      if (!scored.ok) failed.push({ file: scored.file, error: scored.error });
    }
  } finally {
    opened.dispose();
  }
  return { scores, failed, window: opened.scorer.window };
}

function unique(failed: readonly FailedFile[]): FailedFile[] {
  return [...new Map(failed.map((one) => [one.error, one])).values()];
}

async function write(out: string, compared: Disagreements, images: ImageOptions): Promise<void> {
  const files = compared.defences.flatMap(({ levels }) =>
    levels.flatMap(({ pair }) => (pair === null ? [] : [pair.better.file, pair.worse.file])),
  );
  const pictures = await readThumbnails(files, images, PICTURE);
  await writeFileAtomic(path.join(out, RECORD), `${JSON.stringify(compared, null, 2)}\n`);
  await writeFileAtomic(path.join(out, PAGE), gmadPage({ ...compared, pictures }));
}
