import type { Image } from "../../../model/preprocess/image.js";
import type { Field } from "../field.js";
import type { RecipeTable } from "../types.js";
import { boxMean } from "./convolve.js";

export const COLOR_CHANGES = {
  diffusion: { apply: diffuseColor, strength: [1, 3, 6, 8, 12], mos: [4.5, 2.6, 1.75, 1.6, 1.35] },
  oversaturation: { apply: oversaturate, strength: [1.5, 2, 3, 6, 9], mos: [3.95, 3.3, 2.65, 1.8, 1.5] },
  desaturation: { apply: desaturate, strength: [0.6, 0.4, 0.2, 0, -0.4], mos: [3.1, 2.75, 2.35, 2.25, 2] },
} satisfies RecipeTable;

/**
 * Blurs and amplifies a* and b* and keeps the lightness: colors run.
 * KADID-10k's "color diffusion": a Gaussian of standard deviation 1.5·amount + 2, then times `amount`. The Gaussian is
 * three box means here, which differ from it by a few percent and cost the same at any width.
 */
function diffuseColor(image: Image, amount: number): Image {
  const lab = toLab(image);
  const radius = boxRadius(1.5 * amount + 2);
  const blurred = boxMean(boxMean(boxMean(lab, radius), radius), radius);
  const values = blurred.values;
  for (let p = 0; p < values.length; p += 3) {
    values[p] = lab.values[p] ?? 0;
    values[p + 1] = amount * (values[p + 1] ?? 0);
    values[p + 2] = amount * (values[p + 2] ?? 0);
  }
  return fromLab(blurred);
}

/** Radius of three box means in a row for a standard deviation: three boxes of width w have the variance (w² − 1)/4. */
function boxRadius(sigma: number): number {
  return Math.round((Math.sqrt(4 * sigma * sigma + 1) - 1) / 2);
}

/** Multiplies a* and b* by `factor`, above 1. */
function oversaturate(image: Image, factor: number): Image {
  const lab = toLab(image);
  for (let p = 0; p < lab.values.length; p += 3) {
    lab.values[p + 1] = factor * (lab.values[p + 1] ?? 0);
    lab.values[p + 2] = factor * (lab.values[p + 2] ?? 0);
  }
  return fromLab(lab);
}

/**
 * Multiplies the saturation of HSV by `factor`, below 1: 0 leaves gray, and below 0 colors turn into their complements.
 * With value v = max(r, g, b), scaling saturation moves each sample towards v: x' = v − factor·(v − x). A negative
 * factor would make v the smallest; HSV keeps it the largest and turns the hue by 180°: x' = v − |factor|·(x − smallest).
 */
function desaturate({ rows, cols, pixels }: Image, factor: number): Image {
  const paler = new Uint8Array(pixels.length);
  for (let p = 0; p < pixels.length; p += 3) {
    const r = pixels[p] ?? 0;
    const g = pixels[p + 1] ?? 0;
    const b = pixels[p + 2] ?? 0;
    const value = Math.max(r, g, b);
    const from = factor < 0 ? Math.min(r, g, b) : value;
    paler[p] = Math.round(value + factor * (r - from));
    paler[p + 1] = Math.round(value + factor * (g - from));
    paler[p + 2] = Math.round(value + factor * (b - from));
  }
  return { rows, cols, pixels: paler };
}

/** Chromaticity of the white point D65 as X/Y and Z/Y (CIE 15, 2-degree observer). */
const WHITE_X = 0.95047;
const WHITE_Z = 1.08883;

/** sRGB to CIE L*a*b*: [rows, cols, 3], L* 0 to 100, a* and b* about ±100. */
export function toLab({ rows, cols, pixels }: Image): Field {
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

/** CIE L*a*b* to sRGB; colors that sRGB does not hold are clipped sample by sample. */
export function fromLab({ rows, cols, values }: Field): Image {
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

/** Inverse of f. */
function expand(f: number): number {
  return f > 6 / 29 ? f * f * f : (116 * f - 16) * (27 / 24389);
}

/** Entries of the table from linear light to sRGB; their spacing is below one step of 8 bits everywhere. */
const LINEAR_STEPS = 16_384;

const SRGB_TO_LINEAR = Float32Array.from({ length: 256 }, (_, sample) => {
  const s = sample / 255;
  return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
});
const LINEAR_TO_SRGB = Uint8Array.from({ length: LINEAR_STEPS + 1 }, (_, step) => {
  const linear = step / LINEAR_STEPS;
  return Math.round(255 * (linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055));
});

/** Linear light, 0 to 1, of a sample of sRGB, 0 to 255. */
export function linearOf(sample: number): number {
  return SRGB_TO_LINEAR[sample] ?? 0;
}

/** Sample of sRGB, 0 to 255, of linear light, clipped to 0 to 1. */
export function srgbOf(linear: number): number {
  return LINEAR_TO_SRGB[Math.round(LINEAR_STEPS * Math.min(1, Math.max(0, linear)))] ?? 0;
}
