/** `liqe export`: a checkpoint's weights in other formats, each of them proved to score the same. */
import path from "node:path";
import { sha256OfFile } from "../base/files.js";
import { packageVersion } from "../base/packageInfo.js";
import type { EngineOptions } from "../cli/options.js";
import { createProgress } from "../cli/progress.js";
import { listenForStop } from "../cli/signals.js";
import { resolveLayout } from "../data/openDatabases.js";
import { SUBSETS } from "../data/sample.js";
import { startEngine } from "../engine/engine.js";
import type { ExportSource } from "../export/exportFormat.js";
import type { Exported } from "../export/exportModel.js";
import { checkTargets, exportModel } from "../export/exportModel.js";
import { chooseFormats } from "../export/formats.js";
import type { GoldenScores } from "../export/golden/goldenScores.js";
import { goldenScores } from "../export/golden/goldenScores.js";
import type { TrainingState } from "../train/checkpoint/state.js";
import { parseConfig } from "./config.js";
import type { WeightSource } from "./load.js";
import { openModel } from "./load.js";

export interface ExportCommandOptions extends EngineOptions {
  readonly checkpoint: string;
  readonly format: string;
  readonly dtype: string | undefined;
  readonly out: string;
  readonly force: boolean;
}

/** Prints a line for each folder that was written: what read it back, and how far its scores were off. */
export async function exportCheckpoint(options: ExportCommandOptions): Promise<void> {
  const { checkpoint, format, dtype, out, force, engine, threads } = options;
  const formats = chooseFormats(format, dtype);
  await checkTargets(out, formats, force); // before anything is computed
  const progress = createProgress();
  const { notice, description } = await startEngine(engine, { threads: threads ?? "auto" });
  if (notice !== null) progress.note(notice);
  const stop = listenForStop(progress.note, "stopping after this format; nothing is kept. Once more stops at once");
  try {
    const { source, golden } = await openSource(checkpoint, description);
    const begin = ({ name }: { readonly name: string }) => {
      progress.note(`writing ${name} and reading it back`);
    };
    const exported = await exportModel(source, golden, { out, formats, force, signal: stop.signal, begin });
    for (const folder of exported) process.stdout.write(`${describe(folder)}\n`);
    const exitCode = stop.exitCode();
    if (exitCode !== undefined && exported.length === 0) process.exitCode = exitCode;
  } finally {
    stop.dispose();
    progress.stop();
  }
}

/** The weights and what they say; the model itself makes room again for those that read exports back. */
async function openSource(checkpoint: string, engine: string): Promise<{ source: ExportSource; golden: GoldenScores }> {
  const opened = await openModel(checkpoint);
  const { model, scorer, weights, state, source } = opened;
  try {
    const exported = {
      architecture: model.architecture,
      weights,
      grid: model.grid,
      promptFeatures: Float32Array.from(model.promptFeatures().dataSync()), // the engine may hand out its own memory
      training: state === null ? null : await trainingRecord(state, source),
      packageVersion: packageVersion(),
    };
    return { source: exported, golden: goldenScores(scorer, engine) };
  } finally {
    opened.dispose();
  }
}

function describe({ folder, dtype, parity }: Exported): string {
  const { runtime, tolerance, largestDifference } = parity;
  return (
    `${folder}: ${dtype}, read back by ${runtime}: quality within ${largestDifference.quality.toExponential(1)} ` +
    `(tolerance ${tolerance.quality})`
  );
}

/** A list as it was when the weights were exported. */
interface ListRecord {
  /** Relative to the database's folder where it lies in it. */
  readonly file: string;
  /** Null where it is not there any more. */
  readonly sha256: string | null;
}

interface DatabaseRecord {
  readonly name: string;
  readonly lists: Readonly<Record<string, ListRecord>>;
}

/**
 * Databases and their lists, split, config, seed, version and metrics. Folders of the machine that trained are left
 * out: of absolute paths only the last part stays.
 */
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

async function databaseRecords(saved: Readonly<Record<string, unknown>>, split: number): Promise<DatabaseRecord[]> {
  const { data } = parseConfig(JSON.stringify(saved), "the checkpoint's config"); // JSON is YAML too
  return Promise.all(
    data.databases.map(async (database) => {
      const { name, folder, lists } = resolveLayout(database, data.root, split);
      const records = SUBSETS.map(async (subset) => [subset, await listRecord(lists[subset], folder)] as const);
      return { name, lists: Object.fromEntries(await Promise.all(records)) };
    }),
  );
}

async function listRecord(file: string, folder: string): Promise<ListRecord> {
  const inside = path.relative(folder, file);
  const isInside = !inside.startsWith("..") && !path.isAbsolute(inside);
  const sha256 = await sha256OfFile(file).catch(() => null);
  return { file: isInside ? inside.split(path.sep).join("/") : path.basename(file), sha256 };
}

/** The same value with every absolute path in it cut down to its last part. */
function withoutFolders(value: unknown): unknown {
  if (typeof value === "string") return path.isAbsolute(value) ? path.basename(value) : value;
  if (Array.isArray(value)) return value.map(withoutFolders);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutFolders(inner)]));
}
