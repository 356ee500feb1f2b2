import type { Field, RgbImage } from "../field.js";
import { linearOf, srgbOf } from "./srgb.js";

/** Chromaticity of the white point D65 as X/Y and Z/Y (CIE 15, 2-degree observer). */
const WHITE_X = 0.95047;
const WHITE_Z = 1.08883;

/** sRGB to CIE L*a*b*: [rows, cols, 3], L* 0 to 100, a* and b* about ±100. */
export function toLab({ rows, cols, pixels }: RgbImage): Field {
  const values = new Float32Array(pixels.length);
  for (let p = 0; p < pixels.length; p += 3) {
    const r = linearOf(pixels[p] ?? 0);
    const g = linearOf(pixels[p + 1] ?? 0);
    const b = linearOf(pixels[p + 2] ?? 0);
    const x = compress((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / WHITE_X);
    const y = compress(0.2126729 * r + 0.7151522 * g + 0.072175 * b);
    const z = compress((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / WHITE_Z);
    values[p] = 116 * y - 16;
    values[p + 1] = 500 * (x - y);
    values[p + 2] = 200 * (y - z);
  }
  return { rows, cols, channels: 3, values };
}

/** CIE L*a*b* to sRGB; colours that sRGB does not hold are clipped sample by sample. */
export function fromLab({ rows, cols, values }: Field): RgbImage {
  const pixels = new Uint8Array(values.length);
  for (let p = 0; p < values.length; p += 3) {
    const fy = ((values[p] ?? 0) + 16) / 116;
    const x = WHITE_X * expand(fy + (values[p + 1] ?? 0) / 500);
    const y = expand(fy);
    const z = WHITE_Z * expand(fy - (values[p + 2] ?? 0) / 200);
    pixels[p] = srgbOf(3.2404542 * x - 1.5371385 * y - 0.4985314 * z);
    pixels[p + 1] = srgbOf(-0.969266 * x + 1.8760108 * y + 0.041556 * z);
    pixels[p + 2] = srgbOf(0.0556434 * x - 0.2040259 * y + 1.0572252 * z);
  }
  return { rows, cols, pixels };
}

/** f of CIE 15: a cube root with a straight foot. */
function compress(t: number): number {
  return t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116;
}

/** The inverse of f. */
function expand(f: number): number {
  return f > 6 / 29 ? f * f * f : (116 * f - 16) * (27 / 24389);
}
