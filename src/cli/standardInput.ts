/** How `-`, which stands for a list on standard input, gets past yargs: that drops a lone dash among positionals. */

/** Stands for `-` in paths. No argument of a program can hold a NUL character, so no path is mistaken for it. */
export const STANDARD_INPUT = "\0-";

/** The arguments with each `-` replaced, for the commands that take it. */
export function withStandardInput(args: readonly string[]): readonly string[] {
  return args[0] === "predict" || args[0] === "compare"
    ? args.map((arg) => (arg === "-" ? STANDARD_INPUT : arg))
    : args;
}
