import sharp from "sharp";
import type { DecodedImage } from "../../model/preprocess/image.js";
import { resizeBilinear } from "../../model/preprocess/resize.js";

/** Encodes a picture as PNG, without loss. */
export async function encodePng(image: DecodedImage): Promise<Buffer> {
  return raw(image).png().toBuffer();
}

/**
 * Encodes a picture as WebP, reduced until no side is longer than `longestSide`; never enlarged.
 *
 * @param quality  1 to 100; at 90 and more its losses are hard to see
 */
export async function encodeWebp(image: DecodedImage, longestSide: number, quality: number): Promise<Buffer> {
  return raw(reduced(image, longestSide)).webp({ quality, smartSubsample: true }).toBuffer();
}

function reduced(image: DecodedImage, longestSide: number): DecodedImage {
  const scale = longestSide / Math.max(image.rows, image.cols);
  const scaled = (side: number) => Math.max(1, Math.round(side * scale));
  return scale >= 1 ? image : resizeBilinear(image, scaled(image.rows), scaled(image.cols));
}

function raw({ rows, cols, pixels }: DecodedImage) {
  return sharp(pixels, { raw: { width: cols, height: rows, channels: 3 } });
}
