/** What becomes of a command whose output cannot be written any more. */
import { describeError, exitCodeOf } from "./exitCodes.js";

/** Listens once a process for what standard output and standard error cannot take. */
export function guardStreams(): void {
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
