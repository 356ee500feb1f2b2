import type { Random } from "../base/random.js";
import type { DecodedImage } from "./image.js";
import { evaluationWindows, trainingWindows, WINDOW, type Window } from "./windows.js";

/** Bytes of one crop, [224, 224, 3]. */
export const CROP_BYTES = WINDOW * WINDOW * 3;

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
  image: DecodedImage,
  crops: number,
  random: Random,
  out: Uint8Array,
  offset: number,
): void {
  const isFlipped = random.uniform() < 0.5;
  trainingWindows(image.rows, image.cols, crops, random).forEach((window, i) => {
    cutWindow(image, window, isFlipped, out, offset + i * CROP_BYTES);
  });
}

/** Copies one window of the image, or of its mirror image where `isFlipped`. */
function cutWindow(image: DecodedImage, { top, left }: Window, isFlipped: boolean, out: Uint8Array, offset: number) {
  const { cols, pixels } = image;
  const first = isFlipped ? cols - left - WINDOW : left;
  for (let row = 0; row < WINDOW; row++) {
    const from = ((top + row) * cols + first) * 3;
    const line = pixels.subarray(from, from + WINDOW * 3);
    const to = offset + row * WINDOW * 3;
    if (isFlipped) copyMirrored(line, out, to);
    else out.set(line, to);
  }
}

/** Copies a line of RGB pixels, last pixel first. */
function copyMirrored(line: Uint8Array, out: Uint8Array, to: number): void {
  for (let from = line.length - 3; from >= 0; from -= 3, to += 3) {
    out[to] = line[from] ?? NaN;
    out[to + 1] = line[from + 1] ?? NaN;
    out[to + 2] = line[from + 2] ?? NaN;
  }
}
