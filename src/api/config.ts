/** Configs: found by name, read, changed by `--set a.b=value`, checked. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type Document, parseDocument } from "yaml";
import { z } from "zod";
import { ConfigError } from "../base/errors.js";
import { PACKAGE_ROOT } from "../base/packageInfo.js";
import { didYouMean, nearestName, plural, problemLines, reasonOf } from "../base/text.js";
import { PromptsConfig } from "../model/config.js";
import { RunConfig } from "../train/runConfig.js";

/** Number of aliases from which a YAML file counts as a bomb of them; our configs have none. */
const MOST_ALIASES = 100;

/** Most problems that are shown: a screen of them. */
const SHOWN = 20;

/** Most problems of YAML's syntax that are shown: each takes several lines, and the first often causes the others. */
const SHOWN_IN_YAML = 3;

interface LoadedConfig {
  /** Absolute path. */
  readonly file: string;
  readonly config: RunConfig;
}

/**
 * Finds, reads and checks a config.
 * @param name       path, or bare name to look up (see `findConfig`)
 * @param overrides  `path=value` each, as given to `--set`
 * @throws {ConfigError} where there is no such file, or listing every problem in it
 */
export function loadConfig(name: string, overrides: readonly string[] = []): LoadedConfig {
  const file = findConfig(name, process.cwd());
  return { file, config: parseConfig(readFileSync(file, "utf8"), name, overrides) };
}

/** Reads and checks a config of YAML 1.2, named `where` in messages. @throws {ConfigError} listing every problem */
export function parseConfig(text: string, where: string, overrides: readonly string[] = []): RunConfig {
  return checkConfig(parseYaml(text, where), where, overrides);
}

/** Checks a config as YAML or JSON give it. @throws {ConfigError} listing every problem, each as `path: problem` */
export function checkConfig(config: unknown, where: string, overrides: readonly string[] = []): RunConfig {
  const given = applyOverrides(config, overrides);
  const result = RunConfig.safeParse(given, { reportInput: true });
  if (result.success) return result.data;
  throw new ConfigError(listProblems(where, configProblems(RunConfig, result.error.issues), SHOWN));
}

/**
 * Reads a file of prompts: the keys of a config's section `prompts`, or a config with that section.
 * @throws {ConfigError} where there is no such file, or listing every problem in it
 */
export function readPrompts(file: string): PromptsConfig {
  const text = readTextFile(file);
  const given = parseYaml(text, file);
  const section = isContainer(given) && "prompts" in given ? given["prompts"] : given;
  const result = PromptsConfig.safeParse(section, { reportInput: true });
  if (result.success) return result.data;
  throw new ConfigError(listProblems(file, configProblems(PromptsConfig, result.error.issues), SHOWN));
}

function readTextFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read (${reasonOf(error)}); name a YAML file with a template of prompts`);
  }
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

/** Value of a document. Here alone yaml finds an alias without its anchor, or too many, and throws a ReferenceError. */
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
  return problemLines(`${where}: ${plural(problems.length, "problem")}`, shown, most);
}

/** Characters of a value from which messages cut it off. */
const LONGEST_VALUE = 60;

/** Lines on the issues of a `safeParse` with `reportInput`: path, problem, and for an unknown key the nearest known. */
function configProblems(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): string[] {
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [`${pathOf(issue.path)}: ${complaintOf(issue)}`];
    const known = keysAt(shape, issue.path);
    return issue.keys.map((key) => `${pathOf([...issue.path, key])}: unknown key${didYouMean(key, known)}`);
  });
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "(top level)" : path.join(".");
}

function complaintOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "custom") return issue.message;
  if (issue.code === "invalid_type" && issue.input === undefined) return `is missing; expected ${issue.expected}`;
  return `${expectation(issue)}, got ${shown(issue.input)}`;
}

/** Part after the colon of zod's "Too small: expected number to be >0", since the value follows. */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union") return issue.errors.flat().map(expectation).join(" or ");
  return issue.message.replace(/^[\w ]+: /, "").replace(/, received .*$/, "");
}

function shown(value: unknown): string {
  const isNumber = typeof value === "number"; // JSON has neither NaN nor infinity
  const text = value === undefined ? "nothing" : isNumber ? String(value) : JSON.stringify(value);
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}...`;
}

/** Names that the object at `path` may have. */
function keysAt(shape: z.core.JSONSchema.JSONSchema, path: readonly PropertyKey[]): string[] {
  let here: z.core.JSONSchema._JSONSchema | undefined = shape;
  for (const step of path) {
    if (typeof here !== "object") return [];
    here = typeof step === "number" && !Array.isArray(here.items) ? here.items : here.properties?.[String(step)];
  }
  return typeof here === "object" ? Object.keys(here.properties ?? {}) : [];
}

/**
 * Copy of `config` with each `path=value` put in, in order. Values are YAML; list items count from 0, as in
 * `data.databases.0.imagesPerStep=8`.
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

/** Changes `config` in place. @returns the problem where it cannot */
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

/** True for objects and lists; a list is indexed by digits. */
function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

const CONFIG_ENDING = /\.ya?ml$/;

/**
 * Absolute path of a config, whose ending may be left out: a path as it is, a bare name from the current folder, its `configs/` or the package's.
 * @throws {ConfigError} naming the searched places and the configs there are
 */
export function findConfig(name: string, currentFolder: string): string {
  const isBareName = !/[\\/]/.test(name);
  const folders = isBareName ? [currentFolder, ...configFolders(currentFolder)] : [currentFolder];
  const names = CONFIG_ENDING.test(name) ? [name] : [name, `${name}.yaml`, `${name}.yml`];
  const candidates = folders.flatMap((folder) => names.map((one) => resolve(folder, one)));
  const found = candidates.find((file) => existsSync(file) && statSync(file).isFile());
  if (found !== undefined) return found;
  const known = [...new Set(configFolders(currentFolder).flatMap(configsIn))];
  const lines = [
    `${name}: no such config${suggestion(name, known)}`,
    `looked for ${[...new Set(candidates)].join("\n       and ")}`,
    `configs here: ${known.join(", ")}`,
  ];
  throw new ConfigError(lines.join("\n"));
}

/** Suggestion of the nearest name, compared without the endings. */
function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(stem(name), known.map(stem));
  const file = known.find((candidate) => stem(candidate) === nearest);
  return file === undefined ? "" : `; did you mean "${file}"?`;
}

function stem(file: string): string {
  return basename(file).replace(CONFIG_ENDING, "");
}

function configFolders(currentFolder: string): string[] {
  return [join(currentFolder, "configs"), join(PACKAGE_ROOT, "configs")];
}

function configsIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => CONFIG_ENDING.test(name)) : [];
}

/** Key of configs that is not the same in all of them. */
export interface ConfigDifference {
  /** Path such as `data.databases.0.name`. */
  readonly key: string;
  /** In the order of the configs; undefined where one has no such key. */
  readonly values: readonly unknown[];
}

/** Keys in which configs differ, in the order of their first one. */
export function configDifferences(configs: readonly unknown[]): ConfigDifference[] {
  const flat = configs.map((config) => new Map(flattened(config, "")));
  const keys = [...new Set(flat.flatMap((config) => [...config.keys()]))];
  return keys.flatMap((key) => {
    const values = flat.map((config) => config.get(key));
    const isSame = new Set(values.map((value) => JSON.stringify(value))).size === 1;
    return isSame ? [] : [{ key, values }];
  });
}

function flattened(value: unknown, prefix: string): [string, unknown][] {
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) return [[prefix, value]];
  return Object.entries(value).flatMap(([key, inner]) => flattened(inner, prefix === "" ? key : `${prefix}.${key}`));
}
