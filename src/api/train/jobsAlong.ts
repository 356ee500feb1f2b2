import { resolve } from "node:path";
import { ConfigError } from "../../base/errors.js";
import { EngineConfig } from "../../engine/config.js";
import { splitFolder } from "../../train/checkpoint/runFolder.js";
import type { RunConfig } from "../../train/runConfig.js";
import { applyOverrides, checkConfig, configDifferences, loadConfig } from "../config.js";
import {
  type Asked,
  autoWhere,
  isRecord,
  isResume,
  type TrainOptions,
  type TrainSource,
  withAbsolutePaths,
} from "./jobs.js";

/**
 * Splits that a process other than the first one trains along with it: those of the first, with this one's own folders of
 * images and cache.
 * @param source  config that it was given as well; undefined where it goes by the first one's alone
 */
export function jobsAlong(first: Asked, source: TrainSource | undefined, { set = [], out }: TrainOptions): Asked {
  const runFolder = out === undefined ? first.folder : resolve(out);
  const jobs = first.jobs.map((job) => {
    const given = source === undefined || isResume(source) ? job.config : source;
    const own = typeof given === "string" ? loadConfig(given, set).config : checkConfig(given, "rank 0's config", set);
    const { data, engine, model } = withAbsolutePaths(own);
    requireSameConfig(job.config, withAbsolutePaths(own));
    const config = { ...job.config, data, model, engine: { ...engine, threads: "auto" as const } }; // which runs
    return { ...job, folder: splitFolder(runFolder, job.split), config };
  });
  return { ...first, folder: runFolder, jobs };
}

/** Keys that each process has its own of. */
const OWN_KEYS =
  /^(?:data\.(?:root|pixelCacheDir|pixelCacheGB|cacheMB|stallSeconds)|engine\.threads|model\.weights)(?:\.|$)/;

/** @throws {ConfigError} naming the keys in which this process was given another config than the first one */
function requireSameConfig(first: RunConfig, own: RunConfig): void {
  const all = configDifferences([autoWhere(own, first), own]).map(({ key }) => key);
  const keys = all.filter((key) => !OWN_KEYS.test(key));
  if (keys.length === 0) return;
  throw new ConfigError(`--config: differs from that of rank 0 in ${keys.join(", ")}; give all processes the same one`);
}

/** Engine settings that a process other than the first one was given; undefined where it was given none. */
export function ownEngine(source: TrainSource | undefined, { set = [] }: TrainOptions): EngineConfig | undefined {
  if (typeof source === "string") return loadConfig(source, set).config.engine;
  const own = applyOverrides({}, set.filter((one) => one.startsWith("engine."))); // prettier-ignore
  if (!isRecord(own) || own["engine"] === undefined) return undefined;
  const { success, data, error } = EngineConfig.safeParse(own["engine"]);
  if (success) return data;
  throw new ConfigError(`--set engine: ${error.issues[0]?.message ?? "is refused"}`);
}
