/** What an export's manifest says of how its weights were trained. */
import path from "node:path";
import { sha256OfFile } from "../base/files.js";
import { layOut } from "../data/openDatabases.js";
import { SUBSETS } from "../data/sample.js";
import type { TrainingState } from "../train/checkpoint/state.js";
import { parseConfig } from "./config.js";
import type { WeightSource } from "./load.js";

/** A list as it was when the weights were exported. */
interface ListRecord {
  /** Relative to the database's folder where it lies in it. */
  readonly file: string;
  /** Null where it is not there any more. */
  readonly sha256: string | null;
}

interface DatabaseRecord {
  readonly name: string;
  readonly lists: Readonly<Record<string, ListRecord>>;
}

/**
 * Databases and their lists, split, config, seed, version and metrics. Folders of the machine that trained are left
 * out: of absolute paths only the last part stays.
 */
export async function trainingRecord(
  { config, seed, split, packageVersion, optimizerSteps, progress, engine }: TrainingState,
  source: WeightSource,
): Promise<Readonly<Record<string, unknown>>> {
  return {
    checkpoint: source.kind === "checkpoint" ? path.basename(source.folder) : path.basename(source.file),
    packageVersion,
    seed,
    split,
    epochs: progress.position.epoch,
    steps: optimizerSteps,
    engine,
    databases: await databaseRecords(config, split ?? 1),
    validation: progress.validation,
    config: withoutFolders(config),
  };
}

async function databaseRecords(saved: Readonly<Record<string, unknown>>, split: number): Promise<DatabaseRecord[]> {
  const { data } = parseConfig(JSON.stringify(saved), "the checkpoint's config"); // JSON is YAML too
  return Promise.all(
    data.databases.map(async (database) => {
      const { name, folder, lists } = layOut(database, data.root, split);
      const records = SUBSETS.map(async (subset) => [subset, await listRecord(lists[subset], folder)] as const);
      return { name, lists: Object.fromEntries(await Promise.all(records)) };
    }),
  );
}

async function listRecord(file: string, folder: string): Promise<ListRecord> {
  const inside = path.relative(folder, file);
  const isInside = !inside.startsWith("..") && !path.isAbsolute(inside);
  const sha256 = await sha256OfFile(file).catch(() => null);
  return { file: isInside ? inside.split(path.sep).join("/") : path.basename(file), sha256 };
}

/** The same value with every absolute path in it cut down to its last part. */
function withoutFolders(value: unknown): unknown {
  if (typeof value === "string") return path.isAbsolute(value) ? path.basename(value) : value;
  if (Array.isArray(value)) return value.map(withoutFolders);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutFolders(inner)]));
}
