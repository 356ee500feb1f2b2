import path from "node:path";
import type { DatabaseConfig, DataConfig } from "./config.js";
import { knownDatabase } from "./databases/registry.js";
import type { Subset } from "./sample.js";

/** Where a database's files are, absolute; nothing is looked at. */
export interface DatabaseLayout {
  readonly name: string;
  readonly folder: string;
  readonly lists: Readonly<Record<Subset, string>>;
  /** MOS deviations; may not be there. */
  readonly deviations: string;
  /** A list of all images, split or not; may not be there. */
  readonly whole: string;
  /** Where one list is parted by content: that list, and where the split is written down; null else. */
  readonly drawn: { readonly list: string; readonly record: string } | null;
}

/**
 * Lists named in the config come first; else `splits2/<split>/<prefix>_<subset>_clip.txt` in the database's folder, as
 * published, where the prefix is a known database's name and a user's folder's own name.
 */
export function layOut(database: DatabaseConfig, root: DataConfig["root"], split: number): DatabaseLayout {
  const known = knownDatabase(database.name);
  const folder = path.resolve(root, database.folder ?? known?.folder ?? database.name);
  const prefix = known === undefined ? path.basename(folder) : database.name;
  const listOf = (subset: Subset) => {
    const published = path.join("splits2", String(split), `${prefix}_${subset}_clip.txt`);
    return path.resolve(folder, database[subset]?.replaceAll("{split}", String(split)) ?? published);
  };
  return {
    name: database.name,
    folder,
    lists: { train: listOf("train"), val: listOf("val"), test: listOf("test") },
    deviations: path.join(folder, "splits2", `${prefix}_all.txt`),
    whole: path.join(folder, "splits2", `${prefix}_all_clip.txt`),
    drawn:
      database.list === undefined
        ? null
        : {
            list: path.resolve(folder, database.list),
            record: path.join(folder, "splits2", String(split), `${prefix}_contents.json`),
          },
  };
}
