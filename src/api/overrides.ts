/** `--set train.epochs=2`: values put into a config before it is checked, so that the schema judges them too. */
import { parseDocument } from "yaml";
import { ConfigError } from "../base/errors.js";

/**
 * A copy of `config` with each `path=value` put in, in order. Names in a path are separated by dots, and a number
 * counts in a list from 0: `data.databases.0.imagesPerStep=8`. Values are YAML, as in the file.
 *
 * @throws {ConfigError} listing every one that is not `path=value`, or whose path goes through a value
 */
export function applyOverrides(config: unknown, overrides: readonly string[]): unknown {
  const problems: string[] = [];
  const copy = structuredClone(config);
  for (const override of overrides) {
    const problem = applyOverride(copy, override);
    if (problem !== undefined) problems.push(`--set ${override}: ${problem}`);
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return copy;
}

/** Changes `config` in place; says what is wrong where it cannot. */
function applyOverride(config: unknown, override: string): string | undefined {
  const [, path, text] = /^([^=\s]+(?: [^=\s]+)*)=(.*)$/s.exec(override) ?? [];
  if (path === undefined || text === undefined) return "must be path=value, as in train.epochs=2";
  const value = parseDocument(text);
  if (value.errors.length > 0) return `the value is not YAML; put quotes around it, as in '${path}="..."'`;
  return setAt(config, path.split("."), value.toJS());
}

function setAt(config: unknown, path: readonly string[], value: unknown): string | undefined {
  let here = config;
  for (const [i, name] of path.entries()) {
    const parent = path.slice(0, i).join(".") || "the config";
    if (name === "" || name === "__proto__") return `"${name}" names no key`;
    if (!isContainer(here)) return `${parent} is a value and has no "${name}"`;
    if (Array.isArray(here) && !(Number(name) < here.length)) {
      return `${parent} is a list of ${here.length}, counted from 0, and has no "${name}"`;
    }
    if (i === path.length - 1) here[name] = value;
    else here = here[name] ??= {};
  }
  return undefined;
}

/** An object or a list; a list is indexed by digits, as an object by names. */
function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
