import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterEach } from "vitest";
import { mapImage } from "./images.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A new folder that is gone after the test, with these files in it; their paths are relative to it. */
export function createFolderAtomically(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const folder = mkdtempSync(path.join(tmpdir(), "liqe-data-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), content);
  }
  return folder;
}

/** A PNG of a map of its own pixels (see `mapImage`). */
export async function pngOf(rows: number, cols: number, tint = 0): Promise<Buffer> {
  return sharp(mapImage(rows, cols, tint).pixels, { raw: { width: cols, height: rows, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer();
}

/** Lines of a published list: image, MOS, distortion, scenes. */
export function tsv(...rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((row) => `${row.join("\t")}\n`).join("");
}
