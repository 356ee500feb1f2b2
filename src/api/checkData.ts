import { ConfigError } from "../base/errors.js";
import { checkDatabases, checkList } from "../data/audit/check.js";
import type { CheckReport } from "../data/audit/findings.js";
import { PUBLISHED_LABELS } from "../model/prompts/labels.js";
import { loadConfig } from "./config.js";
import { reporterOf, type WorkOptions } from "./work.js";

/** Databases or a list to look at, and how closely. */
export interface CheckDataOptions extends Pick<WorkOptions, "onProgress"> {
  /** Config whose databases are checked: a path or a name from configs/. */
  readonly config?: string | undefined;
  readonly set?: readonly string[];
  /** A list in place of a config's, and the folder of its images. */
  readonly list?: string | undefined;
  readonly images?: string | undefined;
  /** `pixels` by default: every image is decoded. `headers` finds no damage and no copies, `lists` looks at no image. */
  readonly depth?: "lists" | "headers" | "pixels";
}

/**
 * Looks for faults of databases before they cost a day: missing and broken images, wrong lines, images in two lists.
 *
 * @throws {ConfigError} where neither a config nor a list is named; {DataError} where a list cannot be read
 */
export async function checkData(options: CheckDataOptions): Promise<CheckReport> {
  const { config: name, set, list, images, depth = "pixels" } = options;
  const report = reporterOf(options).progress;
  if (name !== undefined) {
    const { config } = loadConfig(name, set);
    return checkDatabases(config.data, { tables: config.prompts, depth, images: config.data, report });
  }
  if (list === undefined || images === undefined) {
    throw new ConfigError("data check: what? give --config FILE, or --list FILE with --images FOLDER");
  }
  return checkList(list, images, { tables: PUBLISHED_LABELS, depth, report });
}
