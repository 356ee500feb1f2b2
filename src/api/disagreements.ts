import path from "node:path";
import { DataError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import type { Reporter, ReportProgress } from "../base/types.js";
import { DEFAULT_IMAGE_OPTIONS, type ImageOptions } from "../data/images/loadImage.js";
import { EvaluateConfig } from "../evaluate/config.js";
import { type Defence, groupDifferentiation, type ScoredPair } from "../evaluate/metrics/gmad.js";
import { gmadPage } from "../evaluate/report/gmadPage.js";
import { EVALUATION_BATCH, scoreImages, type ScoreOptions } from "../evaluate/scoring/scoreImages.js";
import { openModel } from "./load.js";
import { expandPaths } from "./paths.js";
import type { ScoringOptions } from "./predict.js";
import { readThumbnails } from "./report/writeReport.js";
import { openEngine, reporterOf } from "./work.js";

/** Options of `disagreements`. */
export interface DisagreementOptions extends ScoringOptions {
  /** The one model, A. */
  readonly checkpoint: string;
  /** The other model, B. */
  readonly against: string;
  /** Levels that each model's range of scores is cut into; 6 by default. */
  readonly levels?: number | undefined;
  /** Folder for `compare.html` and `compare.json`; by default nothing is written. */
  readonly out?: string;
}

/** Pairs of images on which two models disagree most (gMAD, K. Ma et al., CVPR 2016), and files without a score. */
export interface Disagreements {
  readonly models: readonly [string, string];
  readonly images: number;
  /** Pairs that the first model finds alike and the second separates, then the other way round. */
  readonly defences: readonly [Defence, Defence];
  readonly failed: Failed;
}

/** Enough to see where on the scale two models differ, few enough to look at. */
const USUAL_LEVELS = 6;

/** Large and fine enough that what is wrong with a picture can be seen. */
const PICTURE = { side: 720, quality: 90 };

type Failed = readonly { readonly file: string; readonly error: string }[];

/**
 * Finds the pairs of unlabeled images on which two models disagree most.
 *
 * @throws {DataError} where no image has a score; {CheckpointError} {EngineError} as `load`
 */
export async function disagreements(paths: readonly string[], options: DisagreementOptions): Promise<Disagreements> {
  const { checkpoint, against, out, recursive = false, levels, crops, small = "error", readList } = options;
  const { files, problems } = await expandPaths(paths, { recursive, readList });
  if (out !== undefined) await makeFolders(out);
  await openEngine(options);
  const images = { ...DEFAULT_IMAGE_OPTIONS, small };
  const scoring: ScoreOptions = {
    crops: crops ?? EvaluateConfig.parse({}).crops,
    microBatch: EVALUATION_BATCH,
    order: "name",
    images,
  };
  const reporter = reporterOf(options);
  const one = await scoresOf(checkpoint, files, scoring, reporter);
  const other = await scoresOf(against, files, scoring, reporter);
  const scored = files.flatMap((file, i): ScoredPair[] => {
    const [a, b] = [one.scores[i] ?? null, other.scores[i] ?? null];
    return a === null || b === null ? [] : [{ file, qualities: [a, b] }];
  });
  const failed = [...problems, ...unique([...one.failed, ...other.failed])];
  if (scored.length === 0) {
    throw new DataError(`liqe compare: no image has a score; ${failed[0]?.error ?? "name a folder with images"}`);
  }
  const models = [checkpoint, against] as const;
  const found = { models, defences: groupDifferentiation(scored, levels ?? USUAL_LEVELS), failed };
  const compared = { ...found, images: scored.length };
  if (out !== undefined) {
    await write(out, compared, images);
    reporter.note(`${path.join(out, PAGE)} and ${RECORD} written`);
  }
  return compared;
}

const PAGE = "compare.html";
const RECORD = "compare.json";

/** Scores of every file by one model; null where it has none. */
async function scoresOf(checkpoint: string, files: readonly string[], scoring: ScoreOptions, { progress }: Reporter) {
  const opened = await openModel(checkpoint);
  const scores: (number | null)[] = [];
  const failed: { file: string; error: string }[] = [];
  const report: ReportProgress = (event) => {
    progress({ ...event, label: `${event.label} with ${checkpoint}` });
  };
  try {
    for await (const scored of scoreImages(files, opened.scorer, scoring, report)) {
      scores.push(scored.ok ? scored.judgement.quality : null);
      if (!scored.ok) failed.push({ file: scored.file, error: scored.error });
    }
  } finally {
    opened.dispose();
  }
  return { scores, failed };
}

/** Failures, each once. */
function unique(failed: Failed): Failed {
  return failed.filter(({ error }, i) => failed.findIndex((other) => other.error === error) === i);
}

async function write(out: string, compared: Disagreements, images: ImageOptions): Promise<void> {
  const files = compared.defences.flatMap(({ levels }) =>
    levels.flatMap(({ pair }) => (pair === null ? [] : [pair.better.file, pair.worse.file])),
  );
  const pictures = await readThumbnails(files, images, PICTURE);
  await writeFileAtomic(path.join(out, RECORD), `${JSON.stringify(compared, null, 2)}\n`);
  await writeFileAtomic(path.join(out, PAGE), gmadPage({ ...compared, pictures }));
}
