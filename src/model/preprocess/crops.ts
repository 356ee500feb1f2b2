import type { Random } from "../../base/random.js";
import { copyMirrored, plainBytes } from "./copyPixels.js";
import type { DecodedImage, SizedImage } from "./image.js";
import { type Region, resizeBilinear } from "./resizePart.js";
import { evaluationWindows, trainingWindows, WINDOW, type Window } from "./windows.js";

const LINE_BYTES = WINDOW * 3;
/** Bytes of one crop, [224, 224, 3]. */
export const CROP_BYTES = WINDOW * LINE_BYTES;

/**
 * The crops an image is scored by, in the order of `evaluationWindows`.
 *
 * @returns [min(crops, windows), 224, 224, 3], RGB
 * @throws {RangeError} for an image below 224 pixels on a side: prepare it first
 */
export function evaluationCrops(image: DecodedImage, crops: number): Uint8Array {
  const windows = evaluationWindows(image.rows, image.cols, crops);
  const out = new Uint8Array(windows.length * CROP_BYTES);
  windows.forEach((window, i) => {
    cutWindow(image, window, false, out, i * CROP_BYTES);
  });
  return out;
}

/**
 * Cuts random crops of a training image into `out` at byte `offset`: one flip for the image with probability 1/2, then
 * windows on the grid of the flipped image.
 *
 * @param out  [..., 224, 224, 3], written to
 */
export function cutTrainingCrops(
  image: SizedImage,
  crops: number,
  random: Random,
  out: Uint8Array,
  offset: number,
): void {
  const isFlipped = random.uniform() < 0.5;
  trainingWindows(image.rows, image.cols, crops, random).forEach((window, i) => {
    const left = isFlipped ? image.cols - window.left - WINDOW : window.left;
    const part = cutRegion(image, { top: window.top, left, rows: WINDOW, cols: WINDOW });
    cutWindow(part.image, part, isFlipped, out, offset + i * CROP_BYTES);
  });
}

/** Where a region's pixels are: in the picture itself, or in one that was made of the region alone. */
function cutRegion({ rows, cols, source }: SizedImage, region: Region): Window & { readonly image: DecodedImage } {
  const { top, left } = region;
  if (rows === source.rows && cols === source.cols) return { image: source, top, left };
  return { image: resizeBilinear(source, rows, cols, region), top: 0, left: 0 };
}

/** Copies one window of the image, mirrored where `isFlipped`. */
function cutWindow(image: DecodedImage, { top, left }: Window, isFlipped: boolean, out: Uint8Array, offset: number) {
  const { cols } = image;
  const pixels = plainBytes(image.pixels);
  for (let row = 0; row < WINDOW; row++) {
    const from = ((top + row) * cols + left) * 3;
    const to = offset + row * LINE_BYTES;
    if (isFlipped) copyMirrored(pixels, from, LINE_BYTES, out, to);
    else out.set(pixels.subarray(from, from + LINE_BYTES), to);
  }
}
