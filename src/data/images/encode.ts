import sharp from "sharp";
import type { Image } from "../../model/preprocess/image.js";
import { resizeBilinear } from "../../model/preprocess/resize.js";

export async function encodePng(image: Image): Promise<Buffer> {
  return raw(image).png().toBuffer();
}

/** Encodes a picture as WebP, its sides at most `longestSide`. @param quality  1 to 100; from 90 losses hardly show */
export async function encodeWebp(image: Image, longestSide: number, quality: number): Promise<Buffer> {
  return raw(reduced(image, longestSide)).webp({ quality, smartSubsample: true }).toBuffer();
}

function reduced(image: Image, longestSide: number): Image {
  const scale = longestSide / Math.max(image.rows, image.cols);
  const scaled = (side: number) => Math.max(1, Math.round(side * scale));
  return scale >= 1 ? image : resizeBilinear(image, scaled(image.rows), scaled(image.cols));
}

function raw({ rows, cols, pixels }: Image) {
  return sharp(pixels, { raw: { width: cols, height: rows, channels: 3 } });
}
