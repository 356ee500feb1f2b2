import { DataError } from "../base/errors.js";
import type { Image } from "../model/preprocess/image.js";

/** `ImageData`, or any pixels in rows from the top: RGBA or RGB, by their number. */
export interface PixelImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray | Uint8Array;
}

/** An `ImageBitmap`, of `createImageBitmap(file)`. */
export interface BitmapImage {
  readonly width: number;
  readonly height: number;
  close(): void;
}

/** A canvas element or an `OffscreenCanvas`. */
export interface CanvasImage {
  readonly width: number;
  readonly height: number;
  getContext(kind: "2d"): unknown;
}

/** Image that can be scored. */
export type ImageInput = PixelImage | BitmapImage | CanvasImage;

/**
 * Pixels in the package's own form. Alpha is dropped, as in training: transparent pixels are scored in their own colors. A
 * page that wants them on a background draws the image there first.
 * @returns a copy: `image` is borrowed
 * @throws {DataError} where there are no pixels, or another number than width and height say
 */
export function pixelsOf(image: ImageInput): Image {
  const { width: cols, height: rows } = image;
  if (![rows, cols].every((side) => Number.isSafeInteger(side) && side > 0)) {
    throw new DataError(`score: image: has ${cols} x ${rows} pixels; wait until it is loaded`);
  }
  const { data } = "data" in image ? image : draw(image);
  if (data.BYTES_PER_ELEMENT !== 1) {
    throw new DataError(`score: image: data must be bytes, got a ${data.constructor.name}; convert it to 0 to 255`);
  }
  const channels = data.length / (rows * cols);
  if (channels !== 3 && channels !== 4) {
    throw new DataError(
      `score: image: ${cols} x ${rows} pixels have ${rows * cols * 4} bytes as RGBA and ${rows * cols * 3} as RGB, ` +
        `got ${data.length}`,
    );
  }
  return { rows, cols, pixels: channels === 3 ? Uint8Array.from(data) : withoutAlpha(data) };
}

function withoutAlpha(rgba: Uint8ClampedArray | Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from] ?? NaN;
    rgb[to++] = rgba[from + 1] ?? NaN;
    rgb[to++] = rgba[from + 2] ?? NaN;
  }
  return rgb;
}

/** The part of a canvas and its context that is used here, as there are no types of the browser's. */
type Canvas = { getContext(kind: "2d", options: { readonly willReadFrequently: boolean }): Context | null };
interface Context {
  drawImage(image: BitmapImage | CanvasImage, left: number, top: number): void;
  getImageData(left: number, top: number, width: number, height: number): PixelImage;
}
interface BrowserGlobals {
  readonly OffscreenCanvas?: new (width: number, height: number) => Canvas;
  readonly document?: { createElement(name: "canvas"): Canvas & { width: number; height: number } };
}

/** Pixels of an image that only a canvas can read. */
function draw(image: BitmapImage | CanvasImage): PixelImage {
  const { width, height } = image;
  const { OffscreenCanvas, document } = globalThis as BrowserGlobals;
  const canvas = OffscreenCanvas
    ? new OffscreenCanvas(width, height)
    : document && Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas?.getContext("2d", { willReadFrequently: true }); // keeps the canvas in memory, where pixels stay exact
  if (!context) {
    throw new DataError("score: image: there is no canvas here to read it with; give { width, height, data }");
  }
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height);
}
