import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { ConfigError, StalledReadError } from "./errors.js";
import { ageMs } from "./fileAge.js";
import { ownMark, partsOf, stateOfMark } from "./processMark.js";

const PREFIX = ".running-";

/** How often a process shows that it is still there. A step holds the thread, so that it may come much later. */
const BEAT_MS = 60_000;

/** Another machine's process counts as gone when it has not shown itself for so long: longer than any step. */
const FOREIGN_LIFETIME_MS = 15 * 60_000;

/**
 * Does the work on one split's folder while no other process does: two would write into each other's logs and
 * checkpoints. The mark that says so is a file of this process's own name, so that none is ever taken from another one:
 * each writes its own and then looks for others. Two that start at once may both be refused; never do both go on.
 *
 * A process that was killed leaves its mark, which the next one removes.
 *
 * @throws {ConfigError} where another process works on the folder; see `refuseOthers`
 */
export async function marked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const mark = path.join(folder, PREFIX + ownMark());
  await writeFile(mark, "");
  await writeFile(mark, String((await stat(mark)).ino)); // by which a copy is known
  const beat = setInterval(() => {
    utimes(mark, new Date(), new Date()).catch(() => undefined); // it will be shown later, or taken for gone
  }, BEAT_MS);
  beat.unref();
  let isStalled = false;
  try {
    await refuseOthers(folder);
    return await work();
  } catch (error) {
    isStalled = error instanceof StalledReadError;
    throw error;
  } finally {
    clearInterval(beat);
    if (!isStalled) await rm(mark, { force: true }); // else it might wait for the same threads
  }
}

/**
 * Looks for other processes that work on a split's folder, and removes the marks of those that are no more.
 *
 * @throws {ConfigError} naming the first that is at work
 */
export async function refuseOthers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const file = path.join(folder, name);
    const mark = name.slice(PREFIX.length);
    const problem = await whoWorks(file, mark);
    if (problem !== null) throw new ConfigError(`${folder}: ${problem}. Give another run another folder (--out)`);
    if (mark !== ownMark()) await rm(file, { force: true });
  }
}

/** Null where the mark is our own, or nobody's any more. */
async function whoWorks(file: string, mark: string): Promise<string | null> {
  const state = stateOfMark(mark);
  if (state === "own" || state === "dead") return null;
  const shown = await shownMs(file);
  if (shown === null) return null;
  const { host, pid } = partsOf(mark);
  if (state === "alive") return `process ${pid} is at work on it; wait for it, or stop it`;
  const silentMs = Math.max(0, ageMs(shown));
  if (silentMs > FOREIGN_LIFETIME_MS) return null;
  return (
    `process ${pid} of ${host} is at work on it, and showed itself ${Math.round(silentMs / 60_000)} min ago; ` +
    `wait for it, or, if it is no more, remove ${file}`
  );
}

/** When the mark's process last showed itself; null where the mark has gone meanwhile, or came along in a copy. */
async function shownMs(file: string): Promise<number | null> {
  try {
    const { ino, mtimeMs } = await stat(file);
    const made = await readFile(file, "utf8");
    return made === "" || made === String(ino) ? mtimeMs : null;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
