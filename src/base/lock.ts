import { readFileSync } from "node:fs";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { ConfigError, StalledReadError } from "./errors.js";
import { ageMs } from "./files.js";

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
 * @throws {ConfigError} where another process works on the folder; see `requireUnlocked`
 */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const mark = path.join(folder, PREFIX + processToken());
  await writeFile(mark, "");
  await writeFile(mark, String((await stat(mark)).ino)); // by which a copy is known
  const beat = setInterval(() => {
    utimes(mark, new Date(), new Date()).catch(() => undefined); // it will be shown later, or taken for gone
  }, BEAT_MS);
  beat.unref();
  let isStalled = false;
  try {
    await requireUnlocked(folder);
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
export async function requireUnlocked(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const file = path.join(folder, name);
    const mark = name.slice(PREFIX.length);
    const problem = await whoWorks(file, mark);
    if (problem !== null) throw new ConfigError(`${folder}: ${problem}. Give another run another folder (--out)`);
    if (mark !== processToken()) await rm(file, { force: true });
  }
}

/** Null where the mark is our own, or nobody's any more. */
async function whoWorks(file: string, mark: string): Promise<string | null> {
  const state = processState(mark);
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

/** `elsewhere`: of another machine, whose processes cannot be asked. */
type ProcessState = "own" | "alive" | "dead" | "elsewhere";

/** What a system without /proc has for a process's start. */
const UNKNOWN = "none";

/** `<host>-<process id>-<its start>` of this process: ids come again, an id with its start does not. */
export function processToken(): string {
  return [hostWord(), process.pid, startOf(String(process.pid))].join("-");
}

/** What became of the process that a mark names. Anything else than a mark names a dead one. */
export function processState(mark: string): ProcessState {
  if (mark === processToken()) return "own";
  const { host, pid, started } = partsOf(mark);
  if (host !== hostWord()) return host === "" ? "dead" : "elsewhere";
  const now = startOf(pid);
  if (started === UNKNOWN || now === UNKNOWN) return stateById(pid); // other users' processes may be hidden
  return started === now ? "alive" : "dead";
}

/** The machine and the process id in a mark, for people. */
export function partsOf(mark: string): { readonly host: string; readonly pid: string; readonly started: string } {
  const [host = "", pid = "", started = "", ...more] = mark.split("-");
  return more.length === 0 && /^\d+$/.test(pid) && started !== ""
    ? { host, pid, started }
    : { host: "", pid: "", started: "" };
}

function hostWord(): string {
  return hostname().replaceAll(/[^A-Za-z0-9.]/g, "_");
}

/** When a process started, in clock ticks since boot (field 22 of proc(5)'s `stat`); "none" where there is none. */
function startOf(pid: string): string {
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1) ?? "";
    return afterName.split(" ")[19] ?? UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

/** Where nothing says when a process started: whether there is one of that id, ours or another's. */
function stateById(pid: string): ProcessState {
  try {
    process.kill(Number(pid), 0); // signal 0 is none
    return "alive";
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM" ? "alive" : "dead";
  }
}
