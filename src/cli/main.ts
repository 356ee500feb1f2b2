/** `liqe`: reads the command line, runs one command, and turns what went wrong into a message and an exit code. */
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

/** Wider help is hard to read. */
const WIDEST_HELP = 110;

/**
 * Runs one command line, without `node` and the script's name. Sets `process.exitCode` and never throws: every error
 * becomes a message on standard error. LIQE_DEBUG=1 adds stacks.
 *
 * @returns files that threads may still be waiting for: to be handed to `leave`
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
    const error = thrown instanceof UsageError ? await usageProblem(thrown, args) : thrown;
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

async function usageProblem(error: UsageError, args: readonly string[]): Promise<ConfigError> {
  const help = await helpOf(args);
  return new ConfigError(explainUsage(error.message, args, help));
}

/** The help of the command that `args` calls, without its options and positionals, of which one may be wrong. */
async function helpOf(args: readonly string[]): Promise<string> {
  const words = args.slice(0, 2).filter((word) => !word.startsWith("-"));
  const commands = await commandsFor(args);
  return new Promise((resolve) => {
    void parser(commands).parse([...words, "--help"], {}, (_error, _argv, output) => {
      resolve(output);
    });
  });
}
