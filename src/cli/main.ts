/** `liqe`: reads the command line, runs one command, and turns an error into a message and an exit code. */
import yargs, { type Argv } from "yargs";
import { ConfigError, StalledReadError } from "../base/errors.js";
import { packageVersion } from "../base/packageInfo.js";
import { withStandardInput } from "./arguments.js";
import type { Command } from "./command.js";
import { commandsFor } from "./commandTable.js";
import { handleBrokenPipe } from "./exit.js";
import { describeError, exitCodeOf } from "./exitCodes.js";
import { emptyValue, explainUsage, optionGivenTwice, UsageError } from "./usage.js";

export { leave } from "./exit.js";

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
    const twice = optionGivenTwice(args);
    if (twice !== undefined) throw new UsageError(`${twice} is given twice; which one counts?`);
    const empty = emptyValue(args);
    if (empty !== undefined) throw new UsageError(empty === "" ? 'one argument is ""' : `${empty} needs a value`);
    await parser(await commandsFor(args)).parseAsync(withStandardInput(args));
    return [];
  } catch (thrown) {
    const isUsage = thrown instanceof UsageError;
    const error = isUsage ? new ConfigError(explainUsage(thrown.message, args, await helpOf(args))) : thrown;
    process.exitCode = exitCodeOf(error);
    process.stderr.write(`${describeError(error, process.env["LIQE_DEBUG"] === "1")}\n`);
    return error instanceof StalledReadError ? error.files : [];
  }
}

function parser(commands: readonly Command[]): Argv {
  const base = yargs()
    .scriptName("liqe")
    .usage("$0 COMMAND\n\nTrains and evaluates blind image quality models (LIQE) on TensorFlow.js.")
    .locale("en") // `explainUsage` reads yargs' English
    .version(packageVersion())
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
  return commands.reduce((parent, { register }) => register(parent), base);
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
