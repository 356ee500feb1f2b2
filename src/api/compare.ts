/** `liqe compare`: the pairs of unlabelled images on which two checkpoints disagree most, as a page of pictures. */
import path from "node:path";
import { text } from "node:stream/consumers";
import { DataError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import { expandPaths } from "../cli/arguments.js";
import { EXIT } from "../cli/exitCodes.js";
import type { EngineOptions, ScoringOptions } from "../cli/options.js";
import type { Progress } from "../cli/progress.js";
import { createProgress } from "../cli/progress.js";
import type { ImageOptions } from "../data/images/loadImage.js";
import { DEFAULT_IMAGE_OPTIONS } from "../data/images/loadImage.js";
import { startEngine } from "../engine/engine.js";
import { EvaluateConfig } from "../evaluate/config.js";
import type { Defence, ScoredPair } from "../evaluate/metrics/gmad.js";
import { groupDifferentiation } from "../evaluate/metrics/gmad.js";
import { gmadPage } from "../evaluate/report/gmadPage.js";
import type { ScoreOptions } from "../evaluate/scoring/scoreImages.js";
import { EVALUATION_BATCH, scoreImages } from "../evaluate/scoring/scoreImages.js";
import { fixed } from "../evaluate/tables/benchmarkTable.js";
import { openModel } from "./load.js";
import { readThumbnails } from "./report/writeReport.js";

export interface CompareCommandOptions extends EngineOptions, ScoringOptions {
  readonly checkpoint: string;
  readonly against: string;
  readonly out: string;
  readonly levels: number | undefined;
}

/** Enough to see where on the scale two models differ, few enough to look at. */
const USUAL_LEVELS = 6;

/** Large and fine enough that what is wrong with a picture can be seen. */
const PICTURE = { side: 720, quality: 90 };

type Failed = readonly { readonly file: string; readonly error: string }[];

/** Scores the images with both, writes `compare.html` and `compare.json`, and prints the pairs. */
export async function compareModels(options: CompareCommandOptions): Promise<void> {
  const { paths, checkpoint, against, out, recursive, levels, crops, small } = options;
  const progress = createProgress();
  try {
    const { files, problems } = await expandPaths(paths, { recursive, readList: () => text(process.stdin) });
    await makeFolders(out);
    const { notice } = await startEngine(options.engine, { threads: options.threads ?? "auto" });
    if (notice !== null) progress.note(notice);
    const images = { ...DEFAULT_IMAGE_OPTIONS, small };
    const scoring: ScoreOptions = {
      crops: crops ?? EvaluateConfig.parse({}).crops,
      microBatch: EVALUATION_BATCH,
      order: "name",
      images,
    };
    const one = await scoresOf(checkpoint, files, scoring, progress);
    const other = await scoresOf(against, files, scoring, progress);
    const scored = files.flatMap((file, i): ScoredPair[] => {
      const [a, b] = [one.scores[i] ?? null, other.scores[i] ?? null];
      return a === null || b === null ? [] : [{ file, qualities: [a, b] }];
    });
    const failed = [...problems, ...unique([...one.failed, ...other.failed])];
    if (scored.length === 0) throw new DataError(`liqe compare: no image has a score; ${whyNone(failed)}`);
    const compared = {
      models: [checkpoint, against] as const,
      defences: groupDifferentiation(scored, levels ?? USUAL_LEVELS),
      failed,
    };
    await write(out, { ...compared, images: scored.length }, images);
    progress.stop();
    process.stdout.write(compared.defences.map(defenceLines).join(""));
    for (const { error } of failed) progress.note(error);
    progress.note(`${path.join(out, PAGE)} and ${RECORD} written`);
    if (failed.length > 0) process.exitCode = EXIT.data;
  } finally {
    progress.stop();
  }
}

const PAGE = "compare.html";
const RECORD = "compare.json";

/** What one model says of every file; null where it says nothing. */
async function scoresOf(checkpoint: string, files: readonly string[], scoring: ScoreOptions, progress: Progress) {
  const opened = await openModel(checkpoint);
  const scores: (number | null)[] = [];
  const failed: { file: string; error: string }[] = [];
  const report: Progress["report"] = (event) => {
    progress.report({ ...event, label: `${event.label} with ${checkpoint}` });
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

/** A file that neither model could read is said once. */
function unique(failed: Failed): Failed {
  return failed.filter(({ error }, i) => failed.findIndex((other) => other.error === error) === i);
}

function whyNone(failed: Failed): string {
  return failed[0]?.error ?? "name a folder with images";
}

interface Compared {
  readonly models: readonly [string, string];
  readonly images: number;
  readonly defences: readonly [Defence, Defence];
  readonly failed: Failed;
}

async function write(out: string, compared: Compared, images: ImageOptions): Promise<void> {
  const files = compared.defences.flatMap(({ levels }) =>
    levels.flatMap(({ pair }) => (pair === null ? [] : [pair.better.file, pair.worse.file])),
  );
  const pictures = await readThumbnails(files, images, PICTURE);
  await writeFileAtomic(path.join(out, RECORD), `${JSON.stringify(compared, null, 2)}\n`);
  await writeFileAtomic(path.join(out, PAGE), gmadPage({ ...compared, pictures }));
}

/** The pairs as plain text, a line each. */
function defenceLines({ defender, attacker, levels }: Defence): string {
  const names = ["A", "B"] as const;
  const lines = levels.map(({ low, high, pair }) => {
    const range = `  ${fixed(low)} to ${fixed(high)}  `;
    if (pair === null) return `${range}no pair`;
    const { better, worse, separation } = pair;
    return `${range}${fixed(separation)}  ${better.file} (${fixed(better.qualities[attacker])}), ${worse.file} (${fixed(worse.qualities[attacker])})`;
  });
  return `${names[defender]} finds them alike, ${names[attacker]} separates them by\n${lines.join("\n")}\n`;
}
