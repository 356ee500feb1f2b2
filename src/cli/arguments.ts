import { ConfigError } from "../base/errors.js";
import { STANDARD_INPUT } from "../base/text.js";

/** Arguments with each `-`, which yargs drops among positionals, replaced for the commands that take it. */
export function withStandardInput(args: readonly string[]): readonly string[] {
  return args[0] === "predict" || args[0] === "compare"
    ? args.map((arg) => (arg === "-" ? STANDARD_INPUT : arg))
    : args;
}

/** Arguments with `--sort -quality` as one, since yargs takes a value with a dash for an option. */
export function withSortOrder(args: readonly string[]): readonly string[] {
  const at = args.indexOf("--sort");
  const order = args[at + 1];
  if (at < 0 || order?.startsWith("-") !== true) return args;
  return [...args.slice(0, at), `--sort=${order}`, ...args.slice(at + 2)];
}

/** Splits by `--split`: "3" → [3], "1-10" → [1, ..., 10]. @throws {ConfigError} on anything else */
export function parseSplits(given: string): number[] {
  const [, first, last = first] = /^([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?$/.exec(given) ?? [];
  if (first === undefined || Number(last) < Number(first)) {
    throw new ConfigError(`--split: must be a split's number or a range such as 1-10, got "${given}"`);
  }
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
}

/** Shard by `--shard`: "0/4" → the first of four. @throws {ConfigError} on anything else */
export function parseShard(given: string): { readonly index: number; readonly count: number } {
  const [, index, count] = /^(\d{1,9})\/(\d{1,9})$/.exec(given) ?? [];
  if (index !== undefined && Number(index) < Number(count)) return { index: Number(index), count: Number(count) };
  throw new ConfigError(
    `--shard: must be i/n with i from 0 to n - 1, such as 0/4 for the first of four, got "${given}"`,
  );
}
