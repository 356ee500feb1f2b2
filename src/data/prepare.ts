import { DataError } from "../base/errors.js";
import type { DataConfig } from "./config.js";
import { decodeImage } from "./decode.js";
import { DEFAULT_MAX_MEGAPIXELS, DEFAULT_STALL_SECONDS, type DecodedImage } from "./image.js";
import { withWatchdog } from "./parallel.js";
import { resizeBilinear, sizeWithShorterSide } from "./resize.js";
import { WINDOW } from "./windows.js";

/** An image whose sides are both at least this is reduced until the shorter one is (the LIQE release). */
const LARGE_SIDE = 768;

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
  const image = await withWatchdog(decodeImage(file, options), options.stallSeconds, () => [file]);
  return prepareImage(image, options.small, file);
}

/**
 * The size rule: both sides at least 768, then the shorter becomes 768; a side below 224 is an error, or with
 * `small: "resize"` the shorter side becomes 224. Bilinear with antialiasing, proportions kept.
 *
 * @throws {DataError} below 224 pixels with `small: "error"`
 */
export function prepareImage(image: DecodedImage, small: ImageOptions["small"], file: string): DecodedImage {
  const { rows, cols } = preparedSize(image, small, file);
  return rows === image.rows && cols === image.cols ? image : resizeBilinear(image, rows, cols);
}

function preparedSize({ rows, cols }: DecodedImage, small: ImageOptions["small"], file: string) {
  const shorter = Math.min(rows, cols);
  if (shorter > LARGE_SIDE) return sizeWithShorterSide(rows, cols, LARGE_SIDE);
  if (shorter >= WINDOW) return { rows, cols };
  checkSmall(file, rows, cols, small);
  return sizeWithShorterSide(rows, cols, WINDOW);
}

/** @throws {DataError} below 224 pixels on a side with `small: "error"` */
export function checkSmall(file: string, rows: number, cols: number, small: ImageOptions["small"]): void {
  if (small === "resize" || Math.min(rows, cols) >= WINDOW) return;
  throw new DataError(
    `${file}: ${cols} x ${rows} pixels are less than ${WINDOW} on a side; ` +
      `leave it out, or enlarge such images with "small: resize" (data.small in a config, --small resize)`,
  );
}
