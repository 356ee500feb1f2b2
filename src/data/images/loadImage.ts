import { withWatchdog } from "../../base/concurrency.js";
import {
  type DecodedImage,
  DEFAULT_MAX_MEGAPIXELS,
  DEFAULT_STALL_SECONDS,
  type SizedImage,
} from "../../model/preprocess/image.js";
import { resized, sizeImage } from "../../model/preprocess/resize.js";
import type { DataConfig } from "../config.js";
import { decodeImage } from "./decode.js";

/** How images are read: the part of the data config that decides it. */
export type ImageOptions = Pick<DataConfig, "small" | "maxMegapixels" | "stallSeconds">;

/** What holds where there is no config. */
export const STRICT_IMAGES: ImageOptions = {
  small: "error",
  maxMegapixels: DEFAULT_MAX_MEGAPIXELS,
  stallSeconds: DEFAULT_STALL_SECONDS,
};

/**
 * Decodes an image and brings it to the size at which windows are cut.
 *
 * @throws {DataError}        where it cannot be used
 * @throws {StalledReadError} where it does not come within `stallSeconds`
 */
export async function loadImage(file: string, options: ImageOptions = STRICT_IMAGES): Promise<DecodedImage> {
  return resized(await loadSized(file, options));
}

/** The same, without resizing yet: a few windows of a large picture are a fifth of the work. */
export async function loadSized(file: string, options: ImageOptions): Promise<SizedImage> {
  const image = await withWatchdog(decodeImage(file, options), options.stallSeconds, () => [file]);
  return sizeImage(image, options.small, file);
}
