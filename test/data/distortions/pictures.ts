import sharp from "sharp";
import type { DecodedImage } from "../../../src/model/preprocess/image.js";

/** The raccoon among our example photographs, made small: fur, leaves and dark gaps. */
export async function photograph(rows = 128, cols = 160): Promise<DecodedImage> {
  const pixels = await sharp("examples/photos/raccoon.jpg").resize(cols, rows, { fit: "cover" }).raw().toBuffer();
  return { rows, cols, pixels: new Uint8Array(pixels) };
}

/** Whether two pictures are equal; for pictures of a size where `toEqual` takes a second. */
export function isSame(a: DecodedImage, b: DecodedImage): boolean {
  return a.rows === b.rows && a.cols === b.cols && Buffer.compare(a.pixels, b.pixels) === 0;
}

/** One grey value for each pixel, row by row. */
export function greyPicture(rows: readonly (readonly number[])[]): DecodedImage {
  const pixels = Uint8Array.from(rows.flat().flatMap((value) => [value, value, value]));
  return { rows: rows.length, cols: rows[0]?.length ?? 0, pixels };
}

/** A picture of one colour. */
export function plain(rows: number, cols: number, color: readonly [number, number, number]): DecodedImage {
  return { rows, cols, pixels: Uint8Array.from(Array.from({ length: rows * cols }, () => color).flat()) };
}

/** The red samples, row by row. */
export function reds({ pixels }: DecodedImage): number[] {
  return [...pixels].filter((_, i) => i % 3 === 0);
}

export function meanSquaredError(a: DecodedImage, b: DecodedImage): number {
  let sum = 0;
  for (let i = 0; i < a.pixels.length; i++) sum += ((a.pixels[i] ?? NaN) - (b.pixels[i] ?? NaN)) ** 2;
  return sum / a.pixels.length;
}
