import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { ConfigError, StalledReadError } from "./errors.js";
import { ageMs, isCode } from "./files.js";
import { partsOf, processState, processToken } from "./processes.js";

/** Beginning of the name of a lock file of a folder, or of one file in it; the process's token follows. */
function prefixOf(file: string | null): string {
  return file === null ? ".running-" : `.${file}.running-`;
}

/** Interval at which a process touches its lock file. A step holds the thread, so it may come much later. */
const BEAT_MS = 60_000;

/** Age of another machine's lock file from which its process counts as gone: longer than any step. */
const FOREIGN_LIFETIME_MS = 15 * 60_000;

/**
 * Runs `work` while holding the lock of a folder, or of one `file` in it alone: two processes would write into each
 * other's logs and checkpoints. The lock is a file named after this process, so none is ever taken from another one: each
 * process writes its own and then looks for others. Two that start at once may both be refused; never do both continue.
 * The lock file of a killed process is removed by the next one.
 * @throws {ConfigError} where another process works on it; see `requireUnlocked`
 */
export async function withLock<T>(
  folder: string,
  work: () => Promise<T>,
  { file = null }: { readonly file?: string | null } = {},
): Promise<T> {
  const lock = path.join(folder, prefixOf(file) + processToken());
  await writeFile(lock, "");
  await writeFile(lock, String((await stat(lock)).ino)); // tells a copy of the folder from the original
  const beat = setInterval(() => {
    utimes(lock, new Date(), new Date()).catch(() => undefined); // the next beat tries again
  }, BEAT_MS);
  beat.unref();
  let isStalled = false;
  try {
    await requireUnlocked(folder, file);
    return await work();
  } catch (error) {
    isStalled = error instanceof StalledReadError;
    throw error;
  } finally {
    clearInterval(beat);
    if (!isStalled) await rm(lock, { force: true }); // else it might wait for the threads that hang
  }
}

/** Removes the lock files of dead processes. @throws {ConfigError} naming the first other process that is at work */
export async function requireUnlocked(folder: string, file: string | null = null): Promise<void> {
  const prefix = prefixOf(file);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix)) continue;
    const lock = path.join(folder, name);
    const token = name.slice(prefix.length);
    const problem = await describeHolder(lock, token);
    if (problem !== null)
      throw new ConfigError(
        `${path.join(folder, file ?? "")}: ${problem}. ${ELSEWHERE[file === null ? "folder" : "file"]}`,
      );
    if (token !== processToken()) await rm(lock, { force: true });
  }
}

/** Advice on where else another process could write to. */
const ELSEWHERE = {
  folder: "Give another run another folder (--out)",
  file: "Give other work another file (--out)",
} as const;

/** Message about the process that holds a lock file; null where that is this process, or none any more. */
async function describeHolder(file: string, token: string): Promise<string | null> {
  const state = processState(token);
  if (state === "own" || state === "dead") return null;
  const touched = await touchedMs(file);
  if (touched === null) return null;
  const { host, pid } = partsOf(token);
  if (state === "alive") return `process ${pid} is at work on it; wait for it, or stop it`;
  const silentMs = Math.max(0, ageMs(touched));
  if (silentMs > FOREIGN_LIFETIME_MS) return null;
  return (
    `process ${pid} of ${host} is at work on it, and showed itself ${Math.round(silentMs / 60_000)} min ago; ` +
    `wait for it, or, if it is no more, remove ${file}`
  );
}

/** Time at which a lock file was last touched; null where it is gone, or was copied with its folder. */
async function touchedMs(file: string): Promise<number | null> {
  try {
    const { ino, mtimeMs } = await stat(file);
    const made = await readFile(file, "utf8");
    return made === "" || made === String(ino) ? mtimeMs : null;
  } catch (error) {
    if (isCode(error, "ENOENT")) return null;
    throw error;
  }
}
