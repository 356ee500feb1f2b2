import { rename } from "node:fs/promises";
import path from "node:path";
import { withPartial } from "./partialFolder.js";

/**
 * Fills a folder beside `target` and gives it that name when all of it is there; when `fill` fails, it is removed, and
 * when the process is killed, the next one that makes a folder there does it.
 */
export async function fillWhole(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  await withPartial(path.dirname(target), async (folder) => {
    await fill(folder);
    await rename(folder, target); // replaces an empty folder, refuses one that is not
  });
}
