/** `liqe predict`: what a model says of files and folders, one after the other. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { EvaluateConfig } from "../evaluate/config.js";
import { predictionLine, predictSentence } from "../evaluate/predictSentence.js";
import type { ScoredImage } from "../evaluate/score.js";
import { EVALUATION_BATCH, scoreImages } from "../evaluate/score.js";
import { findUnusableImages } from "../data/probeImages.js";
import type { ImageOptions } from "../data/prepare.js";
import { STRICT_IMAGES } from "../data/prepare.js";
import { startEngine } from "../engine/engine.js";
import type { PromptGrid } from "../model/promptGrid.js";
import { axisLabels } from "../model/promptGrid.js";
import { openModel } from "../train/openModel.js";
import { EXIT } from "./exitCodes.js";
import type { EngineOptions } from "./options.js";
import type { Progress } from "./progress.js";
import { createProgress } from "./progress.js";

export interface PredictCommandOptions extends EngineOptions {
  readonly paths: readonly string[];
  readonly checkpoint: string;
  readonly json: boolean;
  readonly crops: number | undefined;
  readonly small: ImageOptions["small"];
}

/** Files of a folder that are taken for images; one named on the command line is always tried. */
const IMAGE_NAME = /\.(jpe?g|png|webp|tiff?|bmp)$/i;

/** Prints what the model says of each image. One that cannot be read is said, and makes the exit code 3 at the end. */
export async function predictFiles({ paths, checkpoint, json, crops, small, ...engine }: PredictCommandOptions) {
  const progress = createProgress();
  const { notice } = await startEngine(engine.engine, { threads: engine.threads ?? "auto" });
  if (notice !== null) progress.note(notice);
  const opened = await openModel(checkpoint);
  try {
    const { grid } = opened.model;
    const { files, empty } = await expandPaths(paths);
    const options = {
      crops: crops ?? EvaluateConfig.parse({}).crops,
      microBatch: EVALUATION_BATCH,
      images: { ...STRICT_IMAGES, small },
    };
    const enlarged = small === "resize" ? await findSmall(files) : new Set<string>();
    const say = printer(grid, json, enlarged, progress);
    for (const folder of empty) say({ file: folder, ok: false, error: `${folder}: holds no image` });
    for await (const scored of scoreImages(files, opened.scorer, options, reportTo(progress))) say(scored);
  } finally {
    progress.stop();
    opened.dispose();
  }
}

/** A bar would tear the lines of a terminal that shows both; those lines are progress enough. */
function reportTo(progress: Progress): Progress["report"] | undefined {
  return process.stdout.isTTY ? undefined : progress.report;
}

/** Each image's line: results on standard output; what failed too where it is JSON, else on standard error. */
function printer(grid: PromptGrid, json: boolean, enlarged: ReadonlySet<string>, progress: Progress) {
  const levels = axisLabels(grid, "quality")?.length ?? 0;
  return (scored: ScoredImage): void => {
    const { file } = scored;
    if (!scored.ok) {
      process.exitCode = EXIT.data;
      if (json) print(JSON.stringify({ image: file, error: scored.error }));
      else progress.note(scored.error);
      return;
    }
    const isEnlarged = enlarged.has(file);
    if (json) {
      const line = predictionLine(file, scored.judgement, grid.axes);
      print(JSON.stringify(isEnlarged ? { ...line, enlarged: true } : line));
    } else {
      print(predictSentence(file, scored.judgement, levels) + (isEnlarged ? "; enlarged to 224 pixels" : ""));
    }
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Files as they are named; a folder's images in the order of their names. */
async function expandPaths(paths: readonly string[]): Promise<{ files: string[]; empty: string[] }> {
  const files: string[] = [];
  const empty: string[] = [];
  for (const name of paths) {
    const found = await stat(name).catch(() => null); // a missing file is said when its turn comes
    if (found?.isDirectory() !== true) {
      files.push(name);
      continue;
    }
    const images = (await readdir(name)).filter((entry) => IMAGE_NAME.test(entry)).sort();
    files.push(...images.map((image) => path.join(name, image)));
    if (images.length === 0) empty.push(name);
  }
  return { files, empty };
}

/** The files that are enlarged, by their headers. */
async function findSmall(files: readonly string[]): Promise<Set<string>> {
  const samples = files.map((file, i) => ({
    ...{ database: "", image: file, file, folder: path.dirname(file), mos: 0, mosStd: null },
    ...{ distortion: null, scenes: [], list: "", line: i + 1 },
  }));
  const problems = await findUnusableImages(samples, STRICT_IMAGES);
  return new Set(problems.filter(({ kind }) => kind === "small").map(({ sample }) => sample.file));
}
