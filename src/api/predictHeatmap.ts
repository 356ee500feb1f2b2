/** `liqe predict --heatmap DIR`: a picture of each image's scores, window by window. */
import path from "node:path";
import { ConfigError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import { explain } from "../base/text.js";
import { encodePng } from "../data/images/encode.js";
import type { ImageOptions } from "../data/images/loadImage.js";
import { loadImage } from "../data/images/loadImage.js";
import { heatmap } from "../evaluate/heatmap.js";
import type { ScoredCrops } from "../evaluate/scoring/scoreImages.js";

/**
 * Makes the folder, and what writes an image's heatmap into it and says where.
 *
 * @throws {ConfigError} where the folder cannot be made
 */
export async function heatmapWriter(folder: string, images: ImageOptions) {
  await makeFolders(folder).catch((error: unknown) => {
    throw new ConfigError(`--heatmap ${folder}: cannot be made (${explain(error)}); name a folder you may write to`);
  });
  return async (file: string, crops: ScoredCrops): Promise<string> => {
    const target = heatmapFile(folder, file);
    await makeFolders(path.dirname(target));
    await writeFileAtomic(target, await encodePng(heatmap(await loadImage(file, images), crops)));
    return target;
  };
}

/**
 * Below the folder, the image's own path with ".png" behind it: from the current directory where it is in that, else
 * from the root. So no two images share one.
 */
export function heatmapFile(folder: string, file: string): string {
  const absolute = path.resolve(file);
  const inside = path.relative(process.cwd(), absolute);
  const isInside = inside !== ".." && !inside.startsWith(`..${path.sep}`);
  return path.join(folder, `${isInside ? inside : absolute}.png`);
}
