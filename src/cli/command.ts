/** Definition of a command of `liqe`, and its interface to `main.ts`. */
import { foldColumns, wrapText } from "../base/text.js";
import type { ArgumentsCamelCase, Argv } from "yargs";
import { flagOption } from "./options.js";

export interface CommandSpec<Options> {
  /** Word and positional arguments, without the group's word: `predict <paths..>`, `synthesize`, `status`. */
  readonly command: string;
  /** Line for the list of commands. */
  readonly describe: string;
  /** Declares the options and at least one `.example()`; runs for the help too, so it loads nothing heavy. */
  readonly builder: (yargs: Argv) => Argv<Options>;
  /**
   * Does the work, and imports heavy modules (the engine, sharp, zod) only then. Results go to standard output, progress
   * and notices to standard error. Failures are thrown (see `exitCodes.ts`); work that is done with reservations sets
   * `process.exitCode`, as `predict` does after unreadable images.
   */
  readonly handler: (args: ArgumentsCamelCase<Options>) => Promise<void>;
  /**
   * Folders that the command writes to, of one that reads what others made and can do so in a sandbox: it has `--isolate`.
   */
  readonly writes?: (args: ArgumentsCamelCase<Options>) => readonly string[];
}

/** Command as `main.ts` sees it, its options unknown. */
export interface Command {
  readonly command: string;
  readonly describe: string;
  readonly register: (parent: Argv) => Argv;
}

/** Command for the table in `commandTable.ts`. */
export function defineCommand<Options>(spec: CommandSpec<Options>): Command & CommandSpec<Options> {
  const { writes } = spec;
  if (writes === undefined) return { ...spec, register: (parent) => parent.command({ ...spec }) };
  const builder = (yargs: Argv) => spec.builder(yargs).option("isolate", flagOption(ISOLATE));
  const handler = async (args: ArgumentsCamelCase<Options>) => {
    if (args["isolate"] !== true) return spec.handler(args);
    const { runIsolated } = await import("./isolate.js");
    await runIsolated(writes(args));
  };
  return { ...spec, register: (parent) => parent.command({ ...spec, builder, handler }) };
}

const ISOLATE = "in a sandbox: no network, and nothing to write to but the output (Linux, bubblewrap)";

/** Prints a report on standard output, as JSON or as text for people. */
export function printReport<T>(report: T, { json }: { readonly json: boolean }, describe: (report: T) => string): void {
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : describe(report));
}

/** Signs a line of standard output: a terminal's; any number in a file or a pipe. */
export function outputColumns(): number {
  return process.stdout.isTTY ? process.stdout.columns : Infinity;
}

/** Rows in columns as wide as their widest cells, the heading first; what a terminal has no room for comes below. */
export function table(rows: readonly (readonly string[])[]): string {
  return `${foldColumns(rows, 1, outputColumns())}\n`;
}

/** Lines of which each begins with a name and two blanks or more: broken for a terminal, the rest below what follows the name. */
export function wrapFacts(text: string): string {
  const indent = (line: string) => /^(?:\S.*?)?\s{2,}/.exec(line)?.[0].length ?? 0;
  return text.split("\n").map((line) => wrapText(line, outputColumns(), indent(line))).join("\n"); // prettier-ignore
}
