import type { Image } from "../../../model/preprocess/image.js";
import { fromLab, toLab } from "./colorSpaces.js";
import { boxMean } from "./convolve.js";

/**
 * Colours run: a* and b* are blurred and amplified, the lightness stays.
 *
 * KADID-10k's "color diffusion": a Gaussian of standard deviation 1.5·amount + 2, then times `amount`. The Gaussian is
 * three box means here, which differ from it by a few percent and cost the same at any width.
 */
export function diffuseColor(image: Image, amount: number): Image {
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

/** Three boxes of width w have the variance (w² − 1)/4. */
function boxRadius(sigma: number): number {
  return Math.round((Math.sqrt(4 * sigma * sigma + 1) - 1) / 2);
}

/** a* and b* times `factor`, above 1. */
export function oversaturate(image: Image, factor: number): Image {
  const lab = toLab(image);
  for (let p = 0; p < lab.values.length; p += 3) {
    lab.values[p + 1] = factor * (lab.values[p + 1] ?? 0);
    lab.values[p + 2] = factor * (lab.values[p + 2] ?? 0);
  }
  return fromLab(lab);
}

/**
 * The saturation of HSV times `factor`, below 1: 0 leaves grey, and below 0 colours turn into their complements.
 *
 * With value v = max(r, g, b), scaling saturation moves each sample towards v: x' = v − factor·(v − x). A negative
 * factor would leave v the smallest sample; HSV keeps v the largest and turns the hue by half a circle instead, which
 * is x' = v − |factor|·(x − smallest).
 */
export function desaturate({ rows, cols, pixels }: Image, factor: number): Image {
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
