/** Whether a run may write where it is told to: asked before hours of work end in it. */
import { constants, existsSync, statSync } from "node:fs";
import { access, mkdtemp, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ConfigError } from "../../base/errors.js";
import { isNoSpace } from "../../base/files.js";
import { STAGING_PREFIX } from "../../base/folders.js";
import { explain } from "../../base/text.js";

/**
 * Makes a folder in the nearest one that is there and removes it again: permissions alone do not tell of file systems
 * that are read-only or take no folders. A dry run, which writes nothing, asks for the permissions.
 *
 * @throws {ConfigError} where the run's folder cannot be made or written to
 */
export async function checkWritable(folder: string, { dryRun }: { readonly dryRun: boolean }): Promise<void> {
  const there = nearestFolder(folder);
  const problem = statSync(there).isDirectory() ? await refusalOf(there, dryRun) : "is a file";
  if (problem === null) return;
  throw new ConfigError(`${folder}: cannot be the run's folder: ${there} ${problem}; give another one (--out)`);
}

async function refusalOf(there: string, dryRun: boolean): Promise<string | null> {
  try {
    if (dryRun) await access(there, constants.W_OK);
    else await rmdir(await mkdtemp(join(there, STAGING_PREFIX)));
    return null;
  } catch (error) {
    if (isNoSpace(error)) throw error; // which has an exit code of its own
    return `must not be written to (${explain(error)})`;
  }
}

/** The folder itself, or the first above it that is there. */
export function nearestFolder(folder: string): string {
  return existsSync(folder) ? folder : nearestFolder(dirname(folder));
}
