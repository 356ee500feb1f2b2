import { existsSync } from "node:fs";
import path from "node:path";
import { sha256OfFile } from "../base/files.js";
import { PACKAGE_ROOT, packageVersion } from "../base/packageInfo.js";
import { decodeImage } from "../data/images/loadImage.js";
import { resolveLayout } from "../data/openDatabases.js";
import type { DataConfig } from "../data/config.js";
import { isUnscored, type Subset, SUBSETS } from "../data/sample.js";
import type { ExportSource, Photograph } from "../export/exportFormat.js";
import { checkTargets, type Exported, exportModel as writeExports } from "../export/exportModel.js";
import { chooseFormats } from "../export/formats.js";
import { goldenScores, type GoldenScores } from "../export/golden/goldenScores.js";
import { readResults, type SavedResults } from "../evaluate/results/splitSummary.js";
import type { TrainingState } from "../train/checkpoint/checkpoint.js";
import { RUN_FILES } from "../train/checkpoint/runFolder.js";
import { parseConfig } from "./config.js";
import { type Model } from "./load.js";
import {
  type KindOptions,
  type OpenedModel,
  openModel,
  type PromptOptions,
  type WeightSource,
  choicesBy,
} from "./openModel.js";
import { openEngine, reporterOf, type WorkOptions } from "./work.js";

/** Options of `exportModel`. */
export interface ExportModelOptions extends WorkOptions, PromptOptions, KindOptions {
  /** Formats: `safetensors`, `openai`, `onnx`, `tfjs`, `hub`. */
  readonly format: string | readonly string[];
  /** Storage of weights: `f32`, `f16`, `int8` (onnx), `uint8` (tfjs); by default each format's own. */
  readonly dtype?: string | undefined;
  /** Parent of the formats' folders. */
  readonly out: string;
  /** True replaces folders that are there. */
  readonly force?: boolean;
  /** Aborted: nothing of the export is kept. */
  readonly signal?: AbortSignal;
}

/**
 * Exports a model's weights to other formats. A runtime of each format reads its folder back; the folders appear only
 * where all of them give the golden scores.
 * @param checkpoint  a run, a split, a checkpoint, an export or a weight file, or a loaded model, which stays the caller's
 * @returns the folders, and the largest differences of their scores
 * @throws {@link ExportMismatchError} where an export does not give its golden scores
 * @throws {@link ConfigError}, {@link CheckpointError}, {@link EngineError} before anything is computed
 * @example
 * ```ts
 * import { exportModel, train } from "liqe-train";
 *
 * const run = await train("kadid.yaml"); // a finished run is not trained again
 * const exported = await exportModel(run.best, { format: ["safetensors", "tfjs"], out: "export", force: true });
 * for (const { folder, parity } of exported) console.log(folder, parity.largestDifference.quality);
 * ```
 */
export async function exportModel(checkpoint: string | Model, options: ExportModelOptions): Promise<Exported[]> {
  const { format, dtype, out, force = false, signal = new AbortController().signal } = options;
  const formats = chooseFormats([format].flat().join(","), dtype);
  const choices = choicesBy(options);
  await checkTargets(out, formats, force); // before anything is computed
  const { note } = reporterOf(options);
  const { description } = await openEngine(options);
  const opened = typeof checkpoint === "string" ? await openModel(checkpoint, { ...choices, note }) : checkpoint.opened;
  const results = formats.some(({ format: { card } }) => card !== undefined) ? await resultsOf(opened.source) : null;
  const { source, golden } = await readSource(opened, { engine: description, results }).finally(() => {
    if (typeof checkpoint === "string") opened.dispose(); // makes room for those that read exports back
  });
  const begin = ({ name }: { readonly name: string }) => {
    note(`writing ${name} and reading it back`);
  };
  return writeExports(source, golden, { out, formats, force, signal, begin, note });
}

async function readSource(
  { model, scorer, weights, tokenizer, state, source }: OpenedModel,
  { engine, results }: { readonly engine: string; readonly results: SavedResults | null },
): Promise<{ source: ExportSource; golden: GoldenScores }> {
  const photographs = (await Promise.all(PHOTOGRAPHS.map(readPhotograph))).filter(
    ({ image }) => Math.min(image.rows, image.cols) >= scorer.window,
  );
  const exported = {
    photographs,
    architecture: model.architecture,
    weights,
    tokenizer,
    grid: model.grid,
    promptFeatures: Float32Array.from(model.promptFeatures().dataSync()), // the engine may hand out its own memory
    training: state === null ? null : await trainingRecord(state, source),
    results,
    packageVersion: packageVersion(),
  };
  return { source: exported, golden: goldenScores(scorer, engine, photographs) };
}

/** Results of a checkpoint by the `results.json` beside it; null where there are none, or they are another one's. */
async function resultsOf(source: WeightSource): Promise<SavedResults | null> {
  if (source.kind === "file") return null;
  const file = path.join(path.dirname(path.resolve(source.folder)), RUN_FILES.results);
  if (!existsSync(file)) return null;
  const results = await readResults(file);
  return path.basename(results.checkpoint) === path.basename(source.folder) ? results : null;
}

/** Photographs in `examples/photos` that exports are compared on where a window fits in: near and far, smooth and full of detail. */
const PHOTOGRAPHS = ["chelsea.jpg", "coffee.jpg", "rocket.jpg"] as const;

async function readPhotograph(file: string): Promise<Photograph> {
  return { file, image: await decodeImage(path.join(PACKAGE_ROOT, "examples", "photos", file)) };
}

/** Record of a training, without the folders of its machine: of absolute paths only the last part stays. */
async function trainingRecord(
  { config, seed, split, packageVersion, optimizerSteps, progress, engine }: TrainingState,
  source: WeightSource,
): Promise<Readonly<Record<string, unknown>>> {
  return {
    checkpoint: source.kind === "checkpoint" ? path.basename(source.folder) : path.basename(source.file),
    packageVersion,
    seed,
    split,
    epochs: progress.position.epoch,
    steps: optimizerSteps,
    engine,
    databases: await databaseRecords(config, split ?? 1),
    validation: progress.validation,
    config: withoutFolders(config),
  };
}

async function databaseRecords(saved: Readonly<Record<string, unknown>>, split: number) {
  const { data } = parseConfig(JSON.stringify(saved), "the checkpoint's config"); // JSON is YAML too
  return Promise.all(
    data.databases.map(async (database) => {
      const { name, folder, lists } = resolveLayout(database, data.root, split);
      const named = SUBSETS.filter((subset) => !isUnscored(database) || isNamed(database, subset));
      const records = named.map(async (subset) => [subset, await listRecord(lists[subset], folder)] as const);
      return { name, lists: Object.fromEntries(await Promise.all(records)) };
    }),
  );
}

function isNamed(database: DataConfig["databases"][number], subset: Subset): boolean {
  return database[subset] !== undefined || (subset === "train" && database.pairs !== undefined);
}

/** Name of a list, relative to its database's folder where it lies in it, and its hash; null for a missing file. */
async function listRecord(file: string, folder: string) {
  const inside = path.relative(folder, file);
  const isInside = !inside.startsWith("..") && !path.isAbsolute(inside);
  const sha256 = await sha256OfFile(file).catch(() => null);
  return { file: isInside ? inside.split(path.sep).join("/") : path.basename(file), sha256 };
}

/** Copy of a value with every absolute path in it cut down to its last part. */
function withoutFolders(value: unknown): unknown {
  if (typeof value === "string") return path.isAbsolute(value) ? path.basename(value) : value;
  if (Array.isArray(value)) return value.map(withoutFolders);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutFolders(inner)]));
}
