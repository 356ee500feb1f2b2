/** From `--config F --set a.b=value` to a checked config. */
import { readFileSync } from "node:fs";
import { type Document, parseDocument, stringify } from "yaml";
import { ConfigError } from "../base/errors.js";
import { count, problemLines } from "../base/text.js";
import { RunConfig } from "../train/runConfig.js";
import { configProblems } from "./configProblems.js";
import { findConfig } from "./findConfig.js";
import { applyOverrides } from "./overrides.js";

/** Aliases to follow before a file counts as a bomb of them; our configs have none. */
const MOST_ALIASES = 100;

/** As many problems as a screen shows. */
const SHOWN = 20;

/** Each comes with its lines of the file; what follows the first is often its consequence. */
const SHOWN_IN_YAML = 3;

export interface LoadedConfig {
  /** The file that was read, absolute. */
  readonly file: string;
  readonly config: RunConfig;
}

/**
 * Finds, reads and checks a config.
 *
 * @param name       a path, or a bare name to look up (see `findConfig`)
 * @param overrides  `path=value` each, as given to `--set`
 * @throws {ConfigError} where there is no such file, or listing every problem in it
 */
export function loadConfig(name: string, overrides: readonly string[] = []): LoadedConfig {
  const file = findConfig(name, process.cwd());
  return { file, config: parseConfig(readFileSync(file, "utf8"), name, overrides) };
}

/**
 * @param text   YAML 1.2
 * @param where  what messages call the file
 * @throws {ConfigError} listing every problem, each as `path: what is wrong`
 */
export function parseConfig(text: string, where: string, overrides: readonly string[] = []): RunConfig {
  return checkConfig(parseYaml(text, where), where, overrides);
}

/** The same for what was read already. @param config  as YAML or JSON give it, borrowed */
export function checkConfig(config: unknown, where: string, overrides: readonly string[] = []): RunConfig {
  const given = applyOverrides(config, overrides);
  const result = RunConfig.safeParse(given, { reportInput: true });
  if (result.success) return result.data;
  throw new ConfigError(listProblems(where, configProblems(RunConfig, result.error.issues), SHOWN));
}

/** The config as a run's `config.yaml` keeps it: every value written out. `parseConfig` gives the same config back. */
export function formatConfig(config: RunConfig): string {
  return stringify(config, { aliasDuplicateObjects: false, lineWidth: 0 });
}

function parseYaml(text: string, where: string): unknown {
  if (text.includes("\0"))
    throw new ConfigError(`${where}: is no text, and so no config; see configs/quickstart.yaml for one`);
  const document = parseDocument(text, { version: "1.2", uniqueKeys: true });
  const problems = [...document.errors, ...document.warnings].map(({ message }) => message.trimEnd());
  if (problems.length > 0) throw new ConfigError(listProblems(where, problems, SHOWN_IN_YAML));
  const value = followAliases(document, where);
  if (value === null) throw new ConfigError(`${where}: is empty; see configs/quickstart.yaml for an example`);
  return value;
}

/** yaml finds an alias without its anchor, or too many of them, only here; it throws a ReferenceError for both. */
function followAliases(document: Document.Parsed, where: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    if (error instanceof ReferenceError) throw new ConfigError(`${where}: ${error.message}`);
    throw error;
  }
}

function listProblems(where: string, problems: readonly string[], most: number): string {
  const shown = problems.map((problem) => problem.replaceAll("\n", "\n  "));
  return problemLines(`${where}: ${count(problems.length, "problem")}`, shown, most);
}
