/** Where a config's file is. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { ConfigError } from "../base/errors.js";
import { PACKAGE_ROOT } from "../base/packageInfo.js";
import { nearestName } from "../base/text.js";

const CONFIG_ENDING = /\.ya?ml$/;

/**
 * The absolute path of a config: a path as it is, a bare name from the current folder, else its `configs/`, else
 * the package's.
 *
 * @throws {ConfigError} saying where it looked and which configs there are
 */
export function findConfig(name: string, currentFolder: string): string {
  const isBareName = !/[\\/]/.test(name);
  const folders = isBareName ? [currentFolder, ...configFolders(currentFolder)] : [currentFolder];
  const candidates = folders.map((folder) => resolve(folder, name));
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

/** Compared without their endings, which all share. */
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
