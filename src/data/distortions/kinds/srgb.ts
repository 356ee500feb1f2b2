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

/** The sample, 0 to 255, that stands for linear light; clipped to 0 to 1. */
export function srgbOf(linear: number): number {
  return LINEAR_TO_SRGB[Math.round(LINEAR_STEPS * Math.min(1, Math.max(0, linear)))] ?? 0;
}
