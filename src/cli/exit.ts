/** End of the process, also where some of its threads wait for files that never come. */
import { spawn } from "node:child_process";
import { describeError, exitCodeOf } from "./exitCodes.js";

/** Time for pending work to end by itself after a command. */
const LINGER_MS = 2000;

/** Time for the process to end after it was told to. */
const KILL_AFTER_MS = 5000;

/** Time between two releases: a thread that was freed may begin to wait for the next pipe. */
const RELEASE_EVERY_MS = 50;

/**
 * Program that runs beside the ending process. Opening a named pipe's other end frees a thread that waits in open(); any
 * other hanging thread is ended with its process. (`ppid` changes once that process has ended.)
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
 * Ends the process with its exit code where something is still pending after two seconds, and by SIGKILL where that
 * hangs. Node waits for pending reads, and the C library's exit() for the threads that do them, so a hanging network
 * folder would keep the process from ever ending.
 * @param files  files that threads may be waiting for
 */
export function leave(files: readonly string[]): void {
  const timer = setTimeout(() => {
    const args = ["--eval", HELPER, "--", String(process.pid), ...files];
    spawn(process.execPath, args, { detached: true, stdio: "ignore" }).unref();
    process.exit();
  }, LINGER_MS);
  timer.unref(); // with nothing pending the process ends before
}

/** Listens, once a process, for write errors of standard output and standard error. */
export function handleBrokenPipe(): void {
  if (!process.stdout.listeners("error").includes(endOutput)) process.stdout.on("error", endOutput);
  if (!process.stderr.listeners("error").includes(goOn)) process.stderr.on("error", goOn);
}

/** Ends silently where `liqe ... | head` closed the output; any other failure, such as a full disk, is an error. */
function endOutput(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  process.stderr.write(`standard output: ${describeError(error, false)}\n`);
  process.exit(exitCodeOf(error));
}

/** Ignores a closed standard error and a log's full disk: no reason to stop days of work. */
function goOn(): void {}
