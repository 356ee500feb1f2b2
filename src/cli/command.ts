/** How a command of `liqe` is written down, and what `main.ts` needs of it. */
import type { ArgumentsCamelCase, Argv } from "yargs";

export interface CommandSpec<Options> {
  /** Its word and positional arguments, without the group's: `predict <paths..>`, `synthesize`, `status`. */
  readonly command: string;
  /** One line for the list of commands: what it does for the user. */
  readonly describe: string;
  /** Declares the options, with one `.example()` at least; runs for this command's help too, so it loads nothing heavy. */
  readonly builder: (yargs: Argv) => Argv<Options>;
  /**
   * Does the work. Heavy modules (the engine, sharp, zod) are loaded in here with `await import(...)`. Results go to
   * standard output, progress and notices to standard error. It throws what `exitCodes.ts` knows, or, where the work
   * is done and yet not all is well, sets `process.exitCode` (`EXIT.data` after `predict` met unreadable images).
   */
  readonly handler: (args: ArgumentsCamelCase<Options>) => Promise<void>;
}

/** A command whose options nobody outside it needs to know. */
export interface Command {
  readonly command: string;
  readonly describe: string;
  readonly register: (parent: Argv) => Argv;
}

/**
 * A command of `liqe`, ready for the table in `main.ts`.
 *
 * A file of `commands/` exports one for each of its commands: `export const predictCommand = defineCommand({ ... })`,
 * and for a group `engineStatusCommand`, `engineInstallCommand`.
 */
export function defineCommand<Options>(spec: CommandSpec<Options>): Command & CommandSpec<Options> {
  return { ...spec, register: (parent) => parent.command({ ...spec }) };
}
