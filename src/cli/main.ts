/** `liqe`: reads the command line, runs one command, and turns an error into a message and an exit code. */
import { spawn } from "node:child_process";
import yargs, { type Argv } from "yargs";
import { ConfigError, StalledReadError } from "../base/errors.js";
import { packageVersion } from "../base/packageInfo.js";
import { withSortOrder, withStandardInput } from "./arguments.js";
import type { Command } from "./command.js";
import { commandsFor } from "./commandTable.js";
import { describeError, exitCodeOf } from "./exitCodes.js";
import { isLoudness, setLoudness } from "./loudness.js";
import { explainUsage, findMistake, UsageError } from "./usage.js";

/** First argument of the shell's question for completions, as yargs' script asks it. */
const COMPLETION = "--get-yargs-completions";

/** Columns of the help at most: wider text is hard to read. */
const WIDEST_HELP = 110;

/**
 * Runs one command line, without `node` and the script's name. Sets `process.exitCode` and never throws: every error
 * becomes a message on standard error, with its stack under LIQE_DEBUG=1.
 * @returns files that threads may still be waiting for, for `leave`
 */
export async function main(args: readonly string[]): Promise<readonly string[]> {
  handleBrokenPipe();
  try {
    setLoudness(args);
    const mistake = args[0] === COMPLETION ? null : findMistake(args); // the shell's words, half of one among them
    if (mistake !== null) throw new UsageError(mistake);
    await parser(await commandsFor(args)).parseAsync(withSortOrder(withStandardInput(args)));
    return [];
  } catch (thrown) {
    const isUsage = thrown instanceof UsageError;
    const error = isUsage ? new ConfigError(explainUsage(thrown.message, args, await helpOf(args))) : thrown;
    process.exitCode = exitCodeOf(error);
    process.stderr.write(`${describeError(error, process.env["LIQE_DEBUG"] === "1" || isLoudness("verbose"))}\n`);
    return error instanceof StalledReadError ? error.files : [];
  }
}

function parser(commands: readonly Command[]): Argv {
  const base = withRemarksAbove(yargs())
    .scriptName("liqe")
    .usage("$0 COMMAND\n\nTrains and evaluates blind image quality models (LIQE) on TensorFlow.js.")
    .locale("en") // `explainUsage` reads yargs' English
    .version(packageVersion())
    .alias({ help: "h", version: "v" })
    .option("quiet", { type: "boolean", describe: "no progress and no notices, errors alone" })
    .option("verbose", { type: "boolean", describe: "errors with the place in the program" })
    .conflicts("quiet", "verbose")
    .completion("completion", "print a script that completes commands and options in bash or zsh")
    .strict()
    .exitProcess(false)
    .demandCommand(1, "which command?")
    .example("$0 train --config quickstart.yaml", "train a small model on a small database")
    .example("$0 predict photo.jpg --checkpoint checkpoints/quickstart", "score a photograph")
    .epilogue("COMMAND --help has each command's options and an example.")
    .fail((complaint: string | null, error: Error | undefined) => {
      throw error === undefined || error.name === "YError" ? new UsageError(complaint ?? error?.message) : error;
    });
  base.wrap(Math.min(WIDEST_HELP, base.terminalWidth()));
  return commands.reduce<Argv>((parent, { register }) => register(parent), base);
}

/**
 * Parser whose examples stand in the help as a shell reads them: the remark as a comment above the command, which keeps its
 * line on a narrow terminal. In yargs' two columns a command is broken at half the width, between lines of its remark.
 */
function withRemarksAbove(base: Argv): Argv {
  const add = base.example.bind(base) as (text: string, remark: "") => Argv; // the one of its two forms with a text
  base.example = (command: string | readonly unknown[], remark?: string) => {
    if (typeof command !== "string") throw new Error("internal: example: takes one at a time");
    if (remark !== undefined && remark !== "") add(`# ${remark}`, "");
    return add(command, "");
  };
  return base;
}

/** Help of the command in `args`; options and positionals are left out, as one of them may be wrong. */
async function helpOf(args: readonly string[]): Promise<string> {
  const words = args.slice(0, 2).filter((word) => !word.startsWith("-"));
  const commands = await commandsFor(args);
  return new Promise((resolve) => {
    void parser(commands).parse([...words, "--help"], {}, (_error, _argv, output) => {
      resolve(output);
    });
  });
}

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
function handleBrokenPipe(): void {
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
