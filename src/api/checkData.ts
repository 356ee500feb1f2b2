import { existsSync } from "node:fs";
import path from "node:path";
import { CheckpointError, ConfigError } from "../base/errors.js";
import { checkDatabases, checkList } from "../data/audit/check.js";
import type { CheckReport } from "../data/audit/findings.js";
import { DEFAULT_IMAGE_OPTIONS } from "../data/images/loadImage.js";
import { presetArchitecture } from "../model/architecture/presets.js";
import type { ModelConfig } from "../model/config.js";
import { WINDOW } from "../model/preprocess/image.js";
import { PUBLISHED_LABELS } from "../model/prompts/labels.js";
import { openParameters } from "../model/weights/loadParameters.js";
import { CHECKPOINT_FILES } from "../train/checkpoint/runFolder.js";
import { loadConfig } from "./config.js";
import { findWeights } from "./openModel.js";
import { reporterOf, type WorkOptions } from "./work.js";

/** Options of `checkData`: the databases of a config, or one list, and the depth of the look. */
export interface CheckDataOptions extends Pick<WorkOptions, "onProgress"> {
  /** Config whose databases are checked: a path or a name from configs/. */
  readonly config?: string | undefined;
  /** Changes of the config, `path=value` each. */
  readonly set?: readonly string[];
  /** List in place of a config's; needs `images`. */
  readonly list?: string | undefined;
  /** Folder of the list's images. */
  readonly images?: string | undefined;
  /** Images of more are findings; the config's, else 64, by default. */
  readonly maxMegapixels?: number | undefined;
  /** False finds links that lead out of the images' folder; the config's, else true, by default. */
  readonly followLinks?: boolean | undefined;
  /** `pixels` (default) decodes every image; `headers` finds neither damage nor copies; `lists` opens no image. */
  readonly depth?: "lists" | "headers" | "pixels";
}

/**
 * Audits databases before their faults cost a day: missing and broken images, wrong lines, images in two lists.
 * @throws {@link ConfigError} where neither a config nor a list with its images is named
 * @throws {@link DataError} where a list cannot be read
 * @example
 * ```ts
 * import { checkData } from "liqe-train";
 *
 * const { findings, counts } = await checkData({ config: "kadid.yaml" });
 * const errors = findings.filter(({ severity }) => severity === "error");
 * console.log(counts, errors);
 * ```
 */
export async function checkData(options: CheckDataOptions): Promise<CheckReport> {
  const { config: name, set, list, images, maxMegapixels, followLinks = true, depth = "pixels" } = options;
  const { note, progress: report } = reporterOf(options);
  if (name !== undefined) {
    const { config } = loadConfig(name, set);
    const window = await windowOf(config.model, note);
    const allowed = { ...config.data, window, maxMegapixels: maxMegapixels ?? config.data.maxMegapixels };
    const links = options.followLinks ?? config.data.followLinks;
    return checkDatabases(config.data, {
      ...{ tables: config.prompts, depth, images: allowed, report },
      followLinks: links,
    });
  }
  if (list === undefined || images === undefined) {
    throw new ConfigError("data check: what? give --config FILE, or --list FILE with --images FOLDER");
  }
  const allowed = { ...DEFAULT_IMAGE_OPTIONS, ...(maxMegapixels === undefined ? {} : { maxMegapixels }) };
  return checkList(list, images, { tables: PUBLISHED_LABELS, depth, images: allowed, followLinks, report });
}

/**
 * Side of the windows of a config's model: by its weights where they are there and can be read, else by its preset, else
 * the usual one.
 */
async function windowOf(model: ModelConfig, note: (line: string) => void): Promise<number> {
  const { weights, preset, architecture: kind } = model;
  const usual = preset === undefined ? WINDOW : presetArchitecture(preset).vision.imageSize;
  if (weights === "none" || !existsSync(weights)) return usual;
  try {
    const source = await findWeights(weights);
    const file = source.kind === "file" ? source.file : path.join(source.folder, CHECKPOINT_FILES.model);
    const { architecture, close } = await openParameters(file, { kind });
    await close();
    return architecture.vision.imageSize;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    note(`images are held against windows of ${usual} pixels, as the weights cannot say theirs: ${error.message}`);
    return usual;
  }
}
