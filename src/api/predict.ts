/** `liqe predict`: what a model says of files and folders, one after the other. */
import path from "node:path";
import { text } from "node:stream/consumers";
import { ConfigError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import { reasonOf } from "../base/text.js";
import { expandPaths } from "../cli/arguments.js";
import { EXIT } from "../cli/exitCodes.js";
import type { EngineOptions, ScoringOptions } from "../cli/options.js";
import type { OutputFormat } from "../cli/predictions.js";
import { outputHead, outputLine } from "../cli/predictions.js";
import type { Progress } from "../cli/progress.js";
import { createProgress } from "../cli/progress.js";
import { findUnusableImages } from "../data/audit/fileChecks.js";
import { encodePng } from "../data/images/formats.js";
import type { ImageOptions } from "../data/images/loadImage.js";
import { loadImage, DEFAULT_IMAGE_OPTIONS } from "../data/images/loadImage.js";
import { startEngine } from "../engine/engine.js";
import { EvaluateConfig } from "../evaluate/config.js";
import { heatmap } from "../evaluate/heatmap.js";
import type { ScoredCrops, ScoredImage, ScoreOptions } from "../evaluate/scoring/scoreImages.js";
import { EVALUATION_BATCH, scoreImages } from "../evaluate/scoring/scoreImages.js";
import { openModel } from "./load.js";

export interface PredictCommandOptions extends EngineOptions, ScoringOptions {
  readonly checkpoint: string;
  readonly json: boolean;
  readonly csv: boolean;
  readonly heatmap: string | undefined;
}

/** Prints what the model says of each image. One that cannot be read is said, and makes the exit code 3 at the end. */
export async function predictFiles(options: PredictCommandOptions): Promise<void> {
  const { paths, checkpoint, recursive, heatmap, crops, small } = options;
  const format = formatOf(options);
  const progress = createProgress();
  try {
    const { files, problems } = await expandPaths(paths, { recursive, readList: () => text(process.stdin) });
    const images = { ...DEFAULT_IMAGE_OPTIONS, small };
    const writeHeatmap = heatmap === undefined ? undefined : await heatmapWriter(heatmap, images);
    const { notice } = await startEngine(options.engine, { threads: options.threads ?? "auto" });
    if (notice !== null) progress.note(notice);
    const opened = await openModel(checkpoint);
    try {
      const enlarged = small === "resize" ? await findSmall(files) : new Set<string>();
      const scoring: ScoreOptions = {
        crops: crops ?? EvaluateConfig.parse({}).crops,
        microBatch: EVALUATION_BATCH,
        order: "given",
        images,
      };
      const say = (scored: ScoredImage, heatmapFile: string | null) => {
        if (!scored.ok) process.exitCode = EXIT.data;
        const facts = { isEnlarged: enlarged.has(scored.file), heatmap: heatmapFile };
        const line = outputLine(scored, format, opened.model.grid.axes, facts);
        if (scored.ok || format !== "text") process.stdout.write(line);
        else progress.note(line.trimEnd());
      };
      process.stdout.write(outputHead(format));
      for (const { file, error } of problems) say({ file, ok: false, error }, null);
      for await (const scored of scoreImages(files, opened.scorer, scoring, reportTo(progress))) {
        say(scored, scored.ok && writeHeatmap !== undefined ? await writeHeatmap(scored.file, scored.crops) : null);
      }
    } finally {
      opened.dispose();
    }
  } finally {
    progress.stop();
  }
}

function formatOf({ json, csv }: PredictCommandOptions): OutputFormat {
  if (json) return "json";
  return csv ? "csv" : "text";
}

/** A bar would tear the lines of a terminal that shows both; those lines are progress enough. */
function reportTo(progress: Progress): Progress["report"] | undefined {
  return process.stdout.isTTY ? undefined : progress.report;
}

/** The files that are enlarged, by their headers. */
async function findSmall(files: readonly string[]): Promise<Set<string>> {
  const samples = files.map((file, i) => ({
    ...{ database: "", image: file, file, folder: path.dirname(file), mos: 0, mosStd: null },
    ...{ distortion: null, scenes: [], list: "", line: i + 1 },
  }));
  const problems = await findUnusableImages(samples, DEFAULT_IMAGE_OPTIONS);
  return new Set(problems.filter(({ kind }) => kind === "small").map(({ sample }) => sample.file));
}

/**
 * Makes the folder, and what writes an image's heatmap into it and says where.
 *
 * @throws {ConfigError} where the folder cannot be made
 */
async function heatmapWriter(folder: string, images: ImageOptions) {
  await makeFolders(folder).catch((error: unknown) => {
    throw new ConfigError(`--heatmap ${folder}: cannot be made (${reasonOf(error)}); name a folder you may write to`);
  });
  return async (file: string, crops: ScoredCrops): Promise<string> => {
    const target = heatmapFile(folder, file);
    await makeFolders(path.dirname(target));
    await writeFileAtomic(target, await encodePng(heatmap(await loadImage(file, images), crops)));
    return target;
  };
}

/**
 * Below the folder, the image's own path with ".png" behind it: from the current directory where it is in that, else
 * from the root. So no two images share one.
 */
export function heatmapFile(folder: string, file: string): string {
  const absolute = path.resolve(file);
  const inside = path.relative(process.cwd(), absolute);
  const isInside = inside !== ".." && !inside.startsWith(`..${path.sep}`);
  return path.join(folder, `${isInside ? inside : absolute}.png`);
}
