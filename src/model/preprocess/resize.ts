/** The size at which windows are cut. Runs in a browser too. */
import { DataError } from "../../base/errors.js";
import type { DecodedImage, SizedImage } from "./image.js";
import { resizeBilinear, sizeWithShorterSide } from "./resizePart.js";
import { WINDOW } from "./windows.js";

/** An image whose sides are both at least this is reduced until the shorter one is (the LIQE release). */
export const LARGE_SIDE = 768;

/** What is done with an image below 224 pixels on a side. */
export type SmallImages = "error" | "resize";

/**
 * The size rule: both sides at least 768, then the shorter becomes 768; a side below 224 is an error, or with
 * `small: "resize"` the shorter side becomes 224. Bilinear with antialiasing, proportions kept.
 *
 * @throws {DataError} below 224 pixels with `small: "error"`
 */
export function prepareImage(image: DecodedImage, small: SmallImages, file: string): DecodedImage {
  return resized({ ...preparedSize(image, small, file), source: image });
}

/** The same, without resizing yet. @throws {DataError} below 224 pixels with `small: "error"` */
export function sizeImage(image: DecodedImage, small: SmallImages, file: string): SizedImage {
  return { ...preparedSize(image, small, file), source: image };
}

/** All of a picture at its size. */
export function resized({ rows, cols, source }: SizedImage): DecodedImage {
  return rows === source.rows && cols === source.cols ? source : resizeBilinear(source, rows, cols);
}

function preparedSize({ rows, cols }: DecodedImage, small: SmallImages, file: string) {
  const shorter = Math.min(rows, cols);
  if (shorter > LARGE_SIDE) return sizeWithShorterSide(rows, cols, LARGE_SIDE);
  if (shorter >= WINDOW) return { rows, cols };
  checkSmall(file, rows, cols, small);
  return sizeWithShorterSide(rows, cols, WINDOW);
}

/** @throws {DataError} below 224 pixels on a side with `small: "error"` */
export function checkSmall(file: string, rows: number, cols: number, small: SmallImages): void {
  if (small === "resize" || Math.min(rows, cols) >= WINDOW) return;
  throw new DataError(
    `${file}: ${cols} x ${rows} pixels are less than ${WINDOW} on a side; ` +
      `leave it out, or enlarge such images with "small: resize" (data.small in a config, --small resize)`,
  );
}
