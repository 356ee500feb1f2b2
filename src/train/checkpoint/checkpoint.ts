import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { CheckpointError } from "../../base/errors.js";
import { sha256OfFile, syncFolder, writeDurable } from "../../base/files.js";
import { ASIDE_PREFIX, replaceFolder, STAGING_PREFIX } from "../../base/folders.js";
import type { NamedArrays } from "../../model/parameters/parameters.js";
import { readSafetensors, writeSafetensors } from "../../model/weights/safetensors.js";
import { CHECKPOINT_FILES, holdsCheckpoint, RUN_FILES } from "./runFolder.js";
import { parseTrainingState, type TrainingState } from "./state.js";

/** What a checkpoint holds. Without an optimizer it can be evaluated and exported, but not resumed. */
export interface Checkpoint {
  /** To score with: what training came to or, where weights are averaged, their averages. */
  readonly weights: NamedArrays;
  /** Where weights are averaged, the trained ones as they were before: what training goes on from. Null otherwise. */
  readonly raw: NamedArrays | null;
  readonly state: TrainingState;
  readonly optimizer: NamedArrays | null;
}

const Manifest = z.strictObject({
  files: z.record(z.string(), z.strictObject({ bytes: z.int().nonnegative(), sha256: z.string().length(64) })),
});

const UUID_LENGTH = 36;

/** What readers of other packages expect to find in the header. */
const FORMAT_NOTE = { format: "pt" };

/**
 * Writes a checkpoint under a name that is not its own, waits for the disk, then renames. A reader never meets half a
 * checkpoint, and the one that was there before stays until the new one is whole.
 *
 * @throws the file system's own error; what was there before is untouched
 */
export async function saveCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  await withStaged(path.dirname(folder), checkpoint, (staged) => replaceFolder(staged, folder));
}

/** The new checkpoint becomes `last`, and the one that was, `previous`: at every instant one of them is whole. */
export async function saveLast(runFolder: string, checkpoint: Checkpoint): Promise<void> {
  const last = path.join(runFolder, RUN_FILES.last);
  await withStaged(runFolder, checkpoint, async (staged) => {
    if (holdsCheckpoint(last)) await replaceFolder(last, path.join(runFolder, RUN_FILES.previous));
    await replaceFolder(staged, last);
  });
}

/** Hands over a whole checkpoint under a passing name; whatever fails, nothing of it is left behind. */
async function withStaged(
  parent: string,
  checkpoint: Checkpoint,
  publish: (staged: string) => Promise<void>,
): Promise<void> {
  await mkdir(parent, { recursive: true });
  const staged = path.join(parent, `${STAGING_PREFIX}${randomUUID()}`);
  try {
    await mkdir(staged);
    await writeFileList(staged, checkpoint);
    await publish(staged);
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    throw error;
  }
}

async function writeFileList(folder: string, { weights, raw, state, optimizer }: Checkpoint): Promise<void> {
  const file = (name: string) => path.join(folder, name);
  await writeDurable(file(CHECKPOINT_FILES.model), (handle) => writeSafetensors(handle, weights, FORMAT_NOTE));
  if (raw) await writeDurable(file(CHECKPOINT_FILES.raw), (handle) => writeSafetensors(handle, raw, FORMAT_NOTE));
  if (optimizer) await writeDurable(file(CHECKPOINT_FILES.optimizer), (handle) => writeSafetensors(handle, optimizer));
  await writeText(file(CHECKPOINT_FILES.state), JSON.stringify(state, null, 1));
  const manifest: z.output<typeof Manifest> = { files: {} };
  for (const name of (await readdir(folder)).sort()) {
    manifest.files[name] = { bytes: (await stat(file(name))).size, sha256: await sha256OfFile(file(name)) };
  }
  await writeText(file(CHECKPOINT_FILES.manifest), JSON.stringify(manifest, null, 1));
  await syncFolder(folder);
}

async function writeText(file: string, text: string): Promise<void> {
  await writeDurable(file, async (handle) => {
    await handle.writeFile(`${text}\n`);
  });
}

/** @throws {CheckpointError} where a file is missing, cut short or changed; names the file */
export async function loadCheckpoint(folder: string, { withOptimizer = true } = {}): Promise<Checkpoint> {
  await verify(folder);
  const file = (name: string) => path.join(folder, name);
  const state = parseTrainingState(file(CHECKPOINT_FILES.state), await readJson(file(CHECKPOINT_FILES.state)));
  const toGoOn = async (name: string) =>
    withOptimizer && (await exists(file(name))) ? readSafetensors(file(name)) : null;
  return {
    state,
    weights: await readSafetensors(file(CHECKPOINT_FILES.model)),
    raw: await toGoOn(CHECKPOINT_FILES.raw),
    optimizer: await toGoOn(CHECKPOINT_FILES.optimizer),
  };
}

/** What a run goes on from. */
interface LastCheckpoint {
  readonly checkpoint: Checkpoint;
  /** Why it is not `last`; null where it is. */
  readonly notice: string | null;
}

/** The newest whole checkpoint to go on from: `last`, else `previous`; null where the run has none yet. */
export async function loadLast(
  runFolder: string,
  options?: { readonly withOptimizer: boolean },
): Promise<LastCheckpoint | null> {
  const candidates = [RUN_FILES.last, RUN_FILES.previous].map((name) => path.join(runFolder, name));
  const problems: string[] = [];
  for (const folder of candidates) {
    if (!(await exists(folder))) continue;
    try {
      const checkpoint = await loadCheckpoint(folder, options);
      const notice = problems.length === 0 ? null : `${problems.join("; ")}; going on from ${folder}`;
      return { checkpoint, notice };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new CheckpointError(`${problems.join("; ")}; no whole checkpoint is left in the run`);
  return null;
}

/**
 * Moves a `last` that was found damaged out of the way: with the next save it would take the place of `previous`, which
 * is whole. The damaged one of an earlier time is removed.
 */
export async function setAsideDamaged(runFolder: string): Promise<void> {
  const damaged = path.join(runFolder, RUN_FILES.damaged);
  await rm(damaged, { recursive: true, force: true });
  await rename(path.join(runFolder, RUN_FILES.last), damaged);
  await syncFolder(runFolder);
}

/**
 * Removes what killed saves left behind; a checkpoint that had made way for one that never came gets its name back.
 * Only the run's own process may call this.
 */
export async function sweepStaging(runFolder: string): Promise<void> {
  for (const name of await readdir(runFolder)) {
    if (!name.startsWith(STAGING_PREFIX)) continue;
    const passing = path.join(runFolder, name);
    const former = formerName(name);
    if (former !== null && holdsCheckpoint(passing) && !(await exists(path.join(runFolder, former)))) {
      await rename(passing, path.join(runFolder, former));
    } else await rm(passing, { recursive: true, force: true });
  }
}

/** The name of a checkpoint that was put aside; null for any other passing name. */
function formerName(passing: string): string | null {
  return passing.startsWith(ASIDE_PREFIX) ? passing.slice(ASIDE_PREFIX.length, -(UUID_LENGTH + 1)) : null;
}

async function verify(folder: string): Promise<void> {
  const manifestFile = path.join(folder, CHECKPOINT_FILES.manifest);
  const manifest = Manifest.safeParse(await readJson(manifestFile));
  if (!manifest.success) throw new CheckpointError(`${manifestFile}: is not a checkpoint's manifest`);
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.data.files)) {
    const file = path.join(folder, path.basename(name));
    const found = (await exists(file)) ? (await stat(file)).size : null;
    if (found === null) throw new CheckpointError(`${file}: is missing`);
    if (found !== bytes) throw new CheckpointError(`${file}: has ${found} bytes, ${bytes} were written`);
    if ((await sha256OfFile(file)) !== sha256) throw new CheckpointError(`${file}: was changed since it was written`);
  }
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    const why = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    throw new CheckpointError(`${file}: ${why}`, { cause: error });
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
