import { mkdir, rename, rm, rmdir, stat } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { ConfigError, ExportMismatchError } from "../base/errors.js";
import { syncFolder, writeDurable } from "../base/files.js";
import { makeFolders, replaceFolder, withStagingFolder } from "../base/folders.js";
import { type ExportDtype, type ExportManifest, MANIFEST_FILE, type Parity } from "../inference/manifest.js";
import { checksums, describeExport } from "./describeExport.js";
import type { ExportFormat, ExportSource } from "./exportFormat.js";
import type { GoldenScores } from "./golden/goldenScores.js";
import { checkParity, type GoldenImage, goldenSet } from "./golden/parity.js";
import { writeNotes } from "./notes.js";
import { chooseExact, keepsScores } from "./precision/chooseExact.js";

const GOLDEN_FILE = "golden.json";

type ChosenFormat = { readonly format: ExportFormat; readonly dtype: ExportDtype };

interface ExportOptions {
  /** Parent of the formats' folders, which have the formats' names. */
  readonly out: string;
  readonly formats: readonly ChosenFormat[];
  /** True where existing folders are replaced. */
  readonly force: boolean;
  /** Checked between formats. */
  readonly signal?: AbortSignal;
  readonly begin?: (format: ExportFormat) => void;
  /** Told where a type alone rounds too much. */
  readonly note?: (message: string) => void;
}

/** A folder that was written, read back and found to score the same. */
export interface Exported {
  readonly folder: string;
  readonly dtype: ExportDtype;
  /** Tensors that are float32 in spite of `dtype`. */
  readonly exact: readonly string[];
  readonly parity: Parity;
}

/**
 * Writes weights in several formats, has a runtime read each of them back, and gives the folders their names only when
 * all of them gave the golden scores. Until then they are staged, so that an interruption leaves nothing that looks whole;
 * the next export into the same folder removes what a killed process left.
 * @param golden  scores of the weights, by the engine they come from
 * @returns       in the order of `formats`; nothing where `signal` was aborted, and then nothing is written
 * @throws {ConfigError} where a folder exists and `force` was not given
 * @throws {ExportMismatchError} where an export does not give its golden scores
 * @throws {EngineError} where a format's runtime is not installed
 */
export async function exportModel(
  source: ExportSource,
  golden: GoldenScores,
  options: ExportOptions,
): Promise<Exported[]> {
  const { out, formats, force } = options;
  await checkTargets(out, formats, force);
  for (const { format } of formats) await format.check(source);
  const isMade = await makeFolders(out);
  try {
    return await withStagingFolder(out, (staging) => exportThrough(staging, { source, golden }, options));
  } finally {
    if (isMade) await rmdir(out).catch(() => {}); // fails where something was published
  }
}

type Weights = { readonly source: ExportSource; readonly golden: GoldenScores };

async function exportThrough(
  staging: string,
  weights: Weights,
  { out, formats, force, signal, begin, note = () => {} }: ExportOptions,
): Promise<Exported[]> {
  const exported: Exported[] = [];
  const set = goldenSet(weights.golden, weights.source);
  for (const { format, dtype } of formats) {
    await setImmediate(); // lets a signal be heard
    if (signal?.aborted === true) return [];
    begin?.(format);
    const job = { ...weights, format, dtype, set, note };
    const { parity, exact } = await writeChecked(path.join(staging, format.name), job);
    exported.push({ folder: path.join(out, format.name), dtype, exact: [...exact].sort(), parity });
  }
  await setImmediate();
  if (signal?.aborted === true) return [];
  for (const { folder } of exported) await publish(path.join(staging, path.basename(folder)), folder, force);
  return exported;
}

/** @throws {ConfigError} naming all folders that exist */
export async function checkTargets(out: string, formats: readonly ChosenFormat[], force: boolean): Promise<void> {
  if (force) return;
  const taken: string[] = [];
  for (const { format } of formats) {
    const folder = path.join(out, format.name);
    if ((await stat(folder).catch(() => null)) !== null) taken.push(folder);
  }
  if (taken.length === 0) return;
  throw new ConfigError(`export: ${taken.join(", ")}: there already; name another --out, or --force to replace`);
}

/** Weights, a format, and the images that it is compared on. */
interface Job extends Weights, ChosenFormat {
  readonly set: readonly GoldenImage[];
  readonly note: (message: string) => void;
}

/**
 * Writes and checks a format. Where its type rounds too much, the tensors that matter most stay float32, and it is
 * written once more. @throws {ExportMismatchError} where that does not do, naming a type that does
 */
async function writeChecked(staged: string, job: Job): Promise<Checked> {
  const { format, dtype } = job;
  try {
    return await writeOnce(staged, job, new Set());
  } catch (error) {
    if (!(error instanceof ExportMismatchError) || dtype === format.dtypes[0]) throw error;
    job.note(`${format.name}: ${dtype} alone rounds too much; looking for the tensors to keep in float32`);
    const exact = chooseExact(job);
    if (exact === null) throw mismatchWithAdvice(error, job);
    await rm(staged, { recursive: true });
    return await writeOnce(staged, job, exact).catch((again: unknown) => {
      throw again instanceof ExportMismatchError ? mismatchWithAdvice(again, job) : again;
    });
  }
}

function mismatchWithAdvice({ message }: ExportMismatchError, job: Job): ExportMismatchError {
  const { format, dtype } = job;
  const isHalfFitting = dtype !== "f16" && format.dtypes.includes("f16") && keepsScores({ ...job, dtype: "f16" });
  return new ExportMismatchError(`${message}; export it with --dtype ${isHalfFitting ? "f16" : format.dtypes[0]}`);
}

type Checked = { readonly parity: Parity; readonly exact: ReadonlySet<string> };

async function writeOnce(staged: string, job: Job, exact: ReadonlySet<string>): Promise<Checked> {
  const { source, golden, format, dtype, set } = job;
  const storage = { dtype, exact };
  await mkdir(staged);
  await format.write(staged, source, storage);
  await writeJson(path.join(staged, GOLDEN_FILE), golden);
  const description = describeExport(format.name, storage, source);
  await writeNotes(staged, format, { description, source });
  const manifest: ExportManifest = { ...description, files: await checksums(staged) };
  await writeJson(path.join(staged, MANIFEST_FILE), manifest);
  const readBack = await format.open(staged, source);
  try {
    const parity = await checkParity(readBack, set, { format: format.name, dtype });
    await writeJson(path.join(staged, MANIFEST_FILE), { ...manifest, parity });
    await syncFolder(staged);
    return { parity, exact };
  } finally {
    await readBack.close();
  }
}

function writeJson(file: string, contents: GoldenScores | ExportManifest): Promise<void> {
  return writeDurable(file, (handle) => handle.writeFile(`${JSON.stringify(contents, null, 1)}\n`));
}

/** Without `force`, a folder that appeared meanwhile stays. */
async function publish(staged: string, folder: string, force: boolean): Promise<void> {
  if (force) await replaceFolder(staged, folder);
  else await rename(staged, folder);
  await syncFolder(path.dirname(folder));
}
