import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { CheckpointError } from "../base/errors.js";
import { sha256OfFile } from "../base/files.js";
import type { ExportManifest } from "../export/exportManifest.js";
import { EXPORT_MANIFEST, parseExportManifest } from "../export/exportManifest.js";
import type { LabelTables } from "../model/prompts/labels.js";

/** Prompts to ask in place of the published ones. */
export interface PromptChoice {
  readonly template: string;
  readonly labels: LabelTables;
}

/** Weight files of exports that hold both towers, the one to read first. */
const WEIGHT_FILES = ["model.safetensors", "liqe.pt"];

/** The manifest of an export in this folder; null where the folder is none. @throws {CheckpointError} for a broken one */
export async function exportManifestIn(folder: string): Promise<ExportManifest | null> {
  const file = path.join(folder, EXPORT_MANIFEST);
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null; // a checkpoint's reader will say so
  }
  const isExport = typeof json === "object" && json !== null && "manifestVersion" in json;
  return isExport ? parseExportManifest(file, json) : null;
}

/** The weight file of an export. @throws {CheckpointError} where it has none that both towers are in */
export function exportedFile(folder: string, { format, files }: ExportManifest): string {
  const name = WEIGHT_FILES.find((file) => file in files);
  if (name !== undefined) return path.join(folder, name);
  throw new CheckpointError(
    `${folder}: is an export as ${format}, which has the image tower and the prompts' features alone; ` +
      "name the run, or its export as safetensors or openai",
  );
}

/**
 * The prompts that an export's manifest, lying beside a weight file, says the file is to be asked; null where there is
 * none.
 *
 * @throws {CheckpointError} where the file is not the one that was exported
 */
export async function exportedPrompts(file: string): Promise<PromptChoice | null> {
  const manifest = await exportManifestIn(path.dirname(file));
  const written = manifest?.files[path.basename(file)];
  if (manifest === null || written === undefined) return null;
  const isWhole = (await stat(file)).size === written.bytes && (await sha256OfFile(file)) === written.sha256;
  if (!isWhole) throw new CheckpointError(`${file}: was changed since it was exported; export it again`);
  return { template: manifest.prompts.template, labels: manifest.prompts.tables };
}
