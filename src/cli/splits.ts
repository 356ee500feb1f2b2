import { ConfigError } from "../base/errors.js";

/**
 * The splits that `--split` names: "3" → [3], "1-10" → [1, ..., 10].
 *
 * @throws {ConfigError} on anything else
 */
export function parseSplits(given: string): number[] {
  const [, first, last = first] = /^([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?$/.exec(given) ?? [];
  if (first === undefined || Number(last) < Number(first)) {
    throw new ConfigError(`--split: must be a split's number or a range such as 1-10, got "${given}"`);
  }
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
}
