/** How the process ends though some of its threads wait for files that never come. */
import { spawn } from "node:child_process";
import { describeError, exitCodeOf } from "./exitCodes.js";

/** How long what is still under way when a command is through may take to end by itself. */
const LINGER_MS = 2000;

/** How long the process may take to end once it was told to. */
const KILL_AFTER_MS = 5000;

/** A thread that was freed may begin to wait for the next pipe. */
const RELEASE_EVERY_MS = 50;

/**
 * Runs beside the process that ends. Opening a named pipe's other end frees a thread that waits in open(); any other
 * hanging thread is ended with its process. (`ppid` is no more the process once that has ended.)
 */
const HELPER = `
const { close, constants, open } = require("node:fs");
const [parent, ...files] = process.argv.slice(1);
const release = (file) =>
  open(file, constants.O_WRONLY | constants.O_NONBLOCK, (error, handle) => error ?? close(handle, () => {}));
setInterval(() => files.forEach(release), ${RELEASE_EVERY_MS});
setTimeout(() => {
  if (process.ppid === Number(parent)) process.kill(process.ppid, "SIGKILL");
  process.kill(process.pid, "SIGKILL");
}, ${KILL_AFTER_MS});
`;

/**
 * Call it when all is done. Node waits for pending reads before it ends, and the C library, in exit(), for the threads
 * that do them: a hanging network folder would keep a command that gave up on it, and said so, from ever ending. Where
 * something is still pending after two seconds, the process ends with its exit code; where even that hangs, by SIGKILL.
 *
 * @param files  that threads may be waiting for
 */
export function leave(files: readonly string[]): void {
  const timer = setTimeout(() => {
    const args = ["--eval", HELPER, "--", String(process.pid), ...files];
    spawn(process.execPath, args, { detached: true, stdio: "ignore" }).unref();
    process.exit();
  }, LINGER_MS);
  timer.unref(); // with nothing pending the process ends before
}

/** Listens once a process for what standard output and standard error cannot take. */
export function handleBrokenPipe(): void {
  if (!process.stdout.listeners("error").includes(endOutput)) process.stdout.on("error", endOutput);
  if (!process.stderr.listeners("error").includes(goOn)) process.stderr.on("error", goOn);
}

/** `liqe ... | head` closes our output early: no error of ours, and nobody is left to read one. A full disk is one. */
function endOutput(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  process.stderr.write(`standard output: ${describeError(error, false)}\n`);
  process.exit(exitCodeOf(error));
}

/** Whoever read the notices is gone, or the log's disk is full: no reason to stop days of work. */
function goOn(): void {}
