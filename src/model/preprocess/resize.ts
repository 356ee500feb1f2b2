import { DataError } from "../../base/errors.js";
import { DEFAULT_MAX_MEGAPIXELS, type Image, LARGEST_WINDOW, type Region, type SizedImage, WINDOW } from "./image.js";

/** Largest shorter side of an image, in pixels; a larger image is reduced to it (the LIQE release). */
export const MAX_SHORTER_SIDE = LARGEST_WINDOW;

/** Treatment of images below the model's window on a side. */
export type SmallImages = "error" | "resize";

/** Rule for images below a window. */
export interface SizeRule {
  readonly small: SmallImages;
  /** Side of the model's window in pixels; 224 by default. */
  readonly window?: number | undefined;
}

/**
 * Image at the model's size, not yet resized: a shorter side above 768 becomes 768; one below the model's window is an
 * error, or with `small: "resize"` becomes as long as that. Proportions are kept.
 * @throws {DataError} below the window with `small: "error"`
 */
export function sizeImage(image: Image, rule: SizeRule, file: string): SizedImage {
  return { ...modelSize(image, rule, file), source: image };
}

/** The whole image at its size. */
export function resized({ rows, cols, source }: SizedImage): Image {
  return rows === source.rows && cols === source.cols ? source : resizeBilinear(source, rows, cols);
}

type Size = Pick<Image, "rows" | "cols">;

function modelSize({ rows, cols }: Size, rule: SizeRule, file: string): Size {
  const { window = WINDOW } = rule;
  const shorter = Math.min(rows, cols);
  if (shorter > MAX_SHORTER_SIDE) return sizeWithShorterSide(rows, cols, MAX_SHORTER_SIDE);
  if (shorter >= window) return { rows, cols };
  checkSmall({ rows, cols }, rule, file);
  return sizeWithShorterSide(rows, cols, window);
}

/** @throws {DataError} below the window on a side, with `small: "resize"` only where enlarging would take too much memory */
export function checkSmall({ rows, cols }: Size, { small, window = WINDOW }: SizeRule, file: string): void {
  if (Math.min(rows, cols) >= window) return;
  if (small === "resize") {
    checkEnlarged({ rows, cols }, window, file);
    return;
  }
  throw new DataError(
    `${file}: ${cols} x ${rows} pixels are less than ${window} on a side; ` +
      `leave it out, or enlarge such images with "small: resize" (data.small in a config, --small resize)`,
  );
}

/** A strip of a few pixels' height becomes as many times longer: 10,000 x 2 pixels would be 1,120,000 x 224. */
function checkEnlarged(size: Size, window: number, file: string): void {
  const { rows, cols } = sizeWithShorterSide(size.rows, size.cols, window);
  if (rows * cols <= DEFAULT_MAX_MEGAPIXELS * 1e6) return;
  const what = `${size.cols} x ${size.rows} pixels, enlarged to ${cols} x ${rows}, are more than ${DEFAULT_MAX_MEGAPIXELS} megapixels`;
  throw new DataError(`${file}: ${what}; leave it out, or crop it`);
}

/** Weights are whole numbers of 2^-22: eight bits are left for the pixel and two for overshoot (Pillow, Resample.c). */
const WEIGHT_BITS = 22;
/** Sum of an output's weights. */
export const PILLOW_WEIGHT_ONE = 2 ** WEIGHT_BITS;
const HALF = 2 ** (WEIGHT_BITS - 1);

/** First input position and weights of each output position. */
interface Taps {
  /** Most weights of an output. */
  readonly width: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [outputs, width] */
  readonly weights: Int32Array;
}

/**
 * Bilinear resizing with the filter widened where the image shrinks (no aliasing), as Pillow's `resize(..., BILINEAR)`
 * and torchvision's `Resize` of a PIL image: columns, then rows, rounded after each. Pixel-exact to Pillow.
 * @param region  part of the resized image to compute, by default all of it; its pixels are the same
 */
export function resizeBilinear(
  image: Image,
  rows: number,
  cols: number,
  region: Region = { top: 0, left: 0, rows, cols },
): Image {
  const down = triangleTaps(image.rows, rows);
  const bottom = region.top + region.rows - 1;
  const first = down.first[region.top] ?? 0;
  const end = (down.first[bottom] ?? 0) + (down.count[bottom] ?? 0);
  const isSameWidth = cols === image.cols && region.cols === cols;
  const rowsOfIt = { ...image, rows: end - first, pixels: image.pixels.subarray(first * image.cols * 3) };
  const narrow = isSameWidth ? rowsOfIt : resizeCols(rowsOfIt, triangleTaps(image.cols, cols), region);
  return rows === image.rows && region.rows === rows ? narrow : resizeRows(narrow, down, region);
}

/** Size with a shorter side of `side`, the longer one cut to whole pixels as torchvision does. */
export function sizeWithShorterSide(rows: number, cols: number, side: number): Size {
  return rows <= cols
    ? { rows: side, cols: Math.trunc((side * cols) / rows) }
    : { rows: Math.trunc((side * rows) / cols), cols: side };
}

/** Triangle filter of half-width max(1, from / to) around each output's center, normalized, in fixed point. */
function triangleTaps(from: number, to: number): Taps {
  const scale = from / to;
  const support = Math.max(1, scale);
  const inverse = 1 / support; // Pillow multiplies, and the last bit shows
  const width = Math.ceil(support) * 2 + 1;
  const taps = { width, first: new Int32Array(to), count: new Int32Array(to), weights: new Int32Array(to * width) };
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(from, Math.trunc(center + support + 0.5)) - first;
    const raw = Array.from({ length: count }, (_, k) =>
      Math.max(0, 1 - Math.abs((k + first - center + 0.5) * inverse)),
    );
    const sum = raw.reduce((a, b) => a + b, 0);
    taps.first[i] = first;
    taps.count[i] = count;
    raw.forEach((weight, k) => (taps.weights[i * width + k] = Math.trunc(0.5 + (weight / sum) * PILLOW_WEIGHT_ONE)));
  }
  return taps;
}

/* In the two loops below every index is inside its array; `?? 0` is for the type alone. */

/** Resizes the width, row by row, the order in memory. */
function resizeCols({ rows, cols, pixels }: Image, taps: Taps, region: Region): Image {
  const { width, first, count, weights } = taps;
  const out = new Uint8Array(rows * region.cols * 3);
  const right = region.left + region.cols;
  for (let row = 0, at = 0; row < rows; row++) {
    const start = row * cols * 3;
    for (let x = region.left; x < right; x++, at += 3) {
      let from = start + (first[x] ?? 0) * 3;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      const end = x * width + (count[x] ?? 0);
      for (let k = x * width; k < end; k++, from += 3) {
        const weight = weights[k] ?? 0;
        red = (red + Math.imul(pixels[from] ?? 0, weight)) | 0;
        green = (green + Math.imul(pixels[from + 1] ?? 0, weight)) | 0;
        blue = (blue + Math.imul(pixels[from + 2] ?? 0, weight)) | 0;
      }
      out[at] = red >> WEIGHT_BITS;
      out[at + 1] = green >> WEIGHT_BITS;
      out[at + 2] = blue >> WEIGHT_BITS;
    }
  }
  return { rows, cols: region.cols, pixels: out };
}

/** Resizes the height of an image that begins at the region's first input row: four input rows in each pass. */
function resizeRows({ cols, pixels }: Image, all: Taps, region: Region): Image {
  const { width, first, count, weights } = all;
  const skipped = first[region.top] ?? 0;
  const stride = cols * 3;
  const out = new Uint8Array(region.rows * stride);
  const sums = new Int32Array(stride);
  for (let y = region.top; y < region.top + region.rows; y++) {
    const taps = count[y] ?? 0;
    sums.fill(HALF);
    for (let k = 0; k < taps; k += 4) {
      const tap = (n: number) => (k + n < taps ? (weights[y * width + k + n] ?? 0) : 0);
      const row = (n: number) => ((first[y] ?? 0) - skipped + Math.min(k + n, taps - 1)) * stride;
      const [w0, w1, w2, w3] = [tap(0), tap(1), tap(2), tap(3)];
      const [r0, r1, r2, r3] = [row(0), row(1), row(2), row(3)];
      for (let i = 0; i < stride; i++) {
        sums[i] =
          ((sums[i] ?? 0) +
            Math.imul(pixels[r0 + i] ?? 0, w0) +
            Math.imul(pixels[r1 + i] ?? 0, w1) +
            Math.imul(pixels[r2 + i] ?? 0, w2) +
            Math.imul(pixels[r3 + i] ?? 0, w3)) |
          0;
      }
    }
    const start = (y - region.top) * stride;
    for (let i = 0; i < stride; i++) out[start + i] = (sums[i] ?? 0) >> WEIGHT_BITS;
  }
  return { rows: region.rows, cols, pixels: out };
}
