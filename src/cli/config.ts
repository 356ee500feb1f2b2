/** From `--config F --set a.b=value` to a checked config. */
import { readFileSync } from "node:fs";
import { type Document, parseDocument, stringify } from "yaml";
import { ConfigError } from "../base/errors.js";
import { configProblems } from "./configProblems.js";
import { findConfig } from "./findConfig.js";
import { applyOverrides } from "./overrides.js";
import { RunConfig } from "./runConfig.js";

/** Aliases to follow before a file counts as a bomb of them; our configs have none. */
const MOST_ALIASES = 100;

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
  const given = applyOverrides(parseYaml(text, where), overrides);
  const result = RunConfig.safeParse(given, { reportInput: true });
  if (result.success) return result.data;
  throw new ConfigError(listProblems(where, configProblems(RunConfig, result.error.issues)));
}

/** The config as a run's `config.yaml` keeps it: every value written out. `parseConfig` gives the same config back. */
export function formatConfig(config: RunConfig): string {
  return stringify(config, { aliasDuplicateObjects: false, lineWidth: 0 });
}

function parseYaml(text: string, where: string): unknown {
  const document = parseDocument(text, { version: "1.2", uniqueKeys: true });
  const problems = [...document.errors, ...document.warnings].map(({ message }) => message.trimEnd());
  if (problems.length > 0) throw new ConfigError(listProblems(where, problems));
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

function listProblems(where: string, problems: readonly string[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return [`${where}: ${count}`, ...problems.map((problem) => `  ${problem.replaceAll("\n", "\n  ")}`)].join("\n");
}
