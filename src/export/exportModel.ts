import { mkdir, rename, rmdir, stat } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { ConfigError } from "../base/errors.js";
import { syncFolder, writeDurable } from "../base/files.js";
import { makeFolders, replaceFolder, withStagingFolder } from "../base/folders.js";
import { checksums, describeExport, LICENSE_FILE, licenseNotes, writeManifest } from "./describeExport.js";
import type { ExportFormat, ExportSource } from "./exportFormat.js";
import type { ExportDtype } from "./exportManifest.js";
import type { GoldenScores } from "./golden/goldenScores.js";
import { GOLDEN_FILE } from "./golden/goldenScores.js";
import type { Parity } from "./golden/parity.js";
import { checkParity } from "./golden/parity.js";
import { exportReadme, README_FILE } from "./readme.js";

interface ExportOptions {
  /** Gets a folder for each format, under the format's name. */
  readonly out: string;
  readonly formats: readonly { readonly format: ExportFormat; readonly dtype: ExportDtype }[];
  /** Whether folders that are there already make way. */
  readonly force: boolean;
  /** Looked at between formats. */
  readonly signal?: AbortSignal;
  /** Told when a format is begun. */
  readonly begin?: (format: ExportFormat) => void;
}

/** A folder that was written, read back and found to score the same. */
export interface Exported {
  readonly folder: string;
  readonly dtype: ExportDtype;
  readonly parity: Parity;
}

/**
 * Writes weights in several formats, has a runtime read each of them back, and gives the folders their names only when
 * all of them gave the golden scores. Until then they lie under a passing name, so that whatever interrupts this leaves
 * nothing that looks whole; what a killed process left there, the next export into the same folder clears away.
 *
 * @param golden  what the weights say, by the engine they come from
 * @returns       in the order of `formats`; nothing where `signal` was aborted, and then nothing is left either
 * @throws {ConfigError} where a folder is there already and `force` was not given
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
    return await withStagingFolder(out, (staging) => exportThrough(staging, source, golden, options));
  } finally {
    if (isMade) await rmdir(out).catch(() => {}); // not where something was published
  }
}

async function exportThrough(
  staging: string,
  source: ExportSource,
  golden: GoldenScores,
  { out, formats, force, signal, begin }: ExportOptions,
): Promise<Exported[]> {
  const exported: Exported[] = [];
  for (const { format, dtype } of formats) {
    await setImmediate(); // a signal is heard between two operations
    if (signal?.aborted === true) return [];
    begin?.(format);
    const parity = await writeChecked(path.join(staging, format.name), format, dtype, source, golden);
    exported.push({ folder: path.join(out, format.name), dtype, parity });
  }
  await setImmediate();
  if (signal?.aborted === true) return [];
  for (const { folder } of exported) await publish(path.join(staging, path.basename(folder)), folder, force);
  return exported;
}

/** @throws {ConfigError} naming all folders that are in the way */
export async function checkTargets(out: string, formats: ExportOptions["formats"], force: boolean): Promise<void> {
  if (force) return;
  const taken: string[] = [];
  for (const { format } of formats) {
    const folder = path.join(out, format.name);
    const isThere = await stat(folder).then(
      () => true,
      () => false,
    );
    if (isThere) taken.push(folder);
  }
  if (taken.length === 0) return;
  throw new ConfigError(`export: ${taken.join(", ")}: there already; name another --out, or --force to replace`);
}

async function writeChecked(
  staged: string,
  format: ExportFormat,
  dtype: ExportDtype,
  source: ExportSource,
  golden: GoldenScores,
): Promise<Parity> {
  await mkdir(staged);
  await format.write(staged, source, dtype);
  const writeText = (name: string, text: string) =>
    writeDurable(path.join(staged, name), (handle) => handle.writeFile(text));
  await writeText(GOLDEN_FILE, `${JSON.stringify(golden, null, 1)}\n`);
  await writeText(LICENSE_FILE, licenseNotes(source));
  const description = describeExport(format.name, dtype, source);
  await writeText(README_FILE, exportReadme(format, description));
  const manifest = { ...description, files: await checksums(staged) };
  await writeManifest(staged, manifest);
  const readBack = await format.open(staged, source);
  try {
    const parity = await checkParity(format.name, readBack, golden, dtype);
    await writeManifest(staged, { ...manifest, parity });
    await syncFolder(staged);
    return parity;
  } finally {
    await readBack.close();
  }
}

/** Where `force` was not given, a folder that came into being meanwhile stays. */
async function publish(staged: string, folder: string, force: boolean): Promise<void> {
  if (force) await replaceFolder(staged, folder);
  else await rename(staged, folder);
  await syncFolder(path.dirname(folder));
}
