import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { isCode } from "./files.js";

/** Process start where a system has no /proc. */
const UNKNOWN = "none";

/** Token of this process, `<host>.<namespace>-<process id>-<start>`: process ids are reused, an id with its start is not. */
export function processToken(): string {
  return [hostWord(), process.pid, startOf(String(process.pid))].join("-");
}

/** `elsewhere`: of another machine, whose processes cannot be asked. */
type ProcessState = "own" | "alive" | "dead" | "elsewhere";

/** State of the process that a token names; anything that is no token counts as dead. */
export function processState(token: string): ProcessState {
  if (token === processToken()) return "own";
  const { host, pid, started } = partsOf(token);
  if (host !== hostWord()) return host === "" ? "dead" : "elsewhere";
  const now = startOf(pid);
  if (started === UNKNOWN || now === UNKNOWN) return stateById(pid); // other users' processes may be hidden
  return started === now ? "alive" : "dead";
}

/** Host, process id and start in a token; all empty where it is no token. */
export function partsOf(token: string): { readonly host: string; readonly pid: string; readonly started: string } {
  const [host = "", pid = "", started = "", ...more] = token.split("-");
  return more.length === 0 && /^\d+$/.test(pid) && started !== ""
    ? { host, pid, started }
    : { host: "", pid: "", started: "" };
}

let cachedHost: string | undefined;

/**
 * Name of the machine, and eight digits of the boot and the namespace of process ids: containers with equal host names
 * do not see each other's processes, and an id of one means another process, or none, in the other.
 */
function hostWord(): string {
  const space = createHash("sha256")
    .update(bootId() + processSpace())
    .digest("hex")
    .slice(0, 8);
  return (cachedHost ??= `${hostname().replaceAll(/[^A-Za-z0-9.]/g, "_")}.${space}`);
}

/** Id of this boot of the system; empty where it tells none. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
  } catch {
    return "";
  }
}

/** Namespace that this process's id counts in, as `pid:[4026531836]`; empty where the system has none. */
function processSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/** Start of a process in clock ticks since boot (field 22 of proc(5)'s `stat`). */
function startOf(pid: string): string {
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1) ?? "";
    return afterName.split(" ")[19] ?? UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

/** State by the id alone, for systems that do not tell when a process started. */
function stateById(pid: string): ProcessState {
  try {
    process.kill(Number(pid), 0); // signal 0 only asks
    return "alive";
  } catch (error) {
    return isCode(error, "EPERM") ? "alive" : "dead";
  }
}
