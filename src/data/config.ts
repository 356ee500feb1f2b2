import path from "node:path";
import { z } from "zod";
import { DEFAULT_MAX_MEGAPIXELS } from "./image.js";

/** A list's file, relative to its database's folder; `{split}` stands for the split's number. */
const listFile = z.string().min(1);

const DatabaseConfig = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be letters, digits, dots, dashes and underscores: it names files")
      .describe("one of the known databases, or your own name for yours"),
    folder: z.string().min(1).optional().describe("relative to root; a known database's own folder, else the name"),
    train: listFile.optional(),
    val: listFile.optional(),
    test: listFile.optional(),
    imagesPerStep: z.int().min(2).describe("images of this database in each training step; one image forms no pair"),
  })
  .readonly();
export type DatabaseConfig = z.output<typeof DatabaseConfig>;

/** Which databases, where, and how their images are read. */
export const DataConfig = z
  .strictObject({
    root: z.string().min(1).default("IQA_Database").describe("folder of the databases, relative to the current one"),
    databases: z.array(DatabaseConfig).min(1).readonly(),
    small: z
      .enum(["error", "resize"])
      .default("error")
      .describe("what to do with an image below 224 pixels on a side: stop, or enlarge it"),
    maxMegapixels: z
      .number()
      .positive()
      .max(1000)
      .default(DEFAULT_MAX_MEGAPIXELS)
      .describe("larger images are refused before decoding"),
    cacheMB: z.int().nonnegative().default(1024).describe("memory for decoded training images; 0 decodes every time"),
  })
  .superRefine((data, context) => {
    data.databases.forEach(({ name }, i) => {
      if (data.databases.findIndex((other) => other.name === name) < i) {
        context.addIssue({ code: "custom", path: ["databases", i, "name"], message: `"${name}" is named twice` });
      }
    });
  })
  .readonly();
export type DataConfig = z.output<typeof DataConfig>;

/**
 * The same config with an absolute root, as a run's own `config.yaml` keeps it. Folders stay relative to the root and
 * lists to their folder, so that a moved root (`--set data.root=...`) moves them along.
 */
export function withAbsoluteRoot(config: DataConfig, currentFolder: string): DataConfig {
  return { ...config, root: path.resolve(currentFolder, config.root) };
}
