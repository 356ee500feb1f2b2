/** A word that says which process something in a shared folder belongs to, so that what a dead one left is known. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** `elsewhere`: of another machine, whose processes cannot be asked. */
export type ProcessState = "own" | "alive" | "dead" | "elsewhere";

/** What a system without /proc has for a process's start. */
const UNKNOWN = "none";

/** `<host>-<process id>-<its start>` of this process: ids come again, an id with its start does not. */
export function ownMark(): string {
  return [hostWord(), process.pid, startOf(String(process.pid))].join("-");
}

/** What became of the process that a mark names. Anything else than a mark names a dead one. */
export function stateOfMark(mark: string): ProcessState {
  if (mark === ownMark()) return "own";
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
