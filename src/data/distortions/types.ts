/** The 25 types of KADID-10k under the names of LIQE's lists, in a fixed order: equal seeds give equal choices. */
export const SYNTHETIC_TYPES = [
  "gaussian blur",
  "lens",
  "motion",
  "shifting",
  "diffusion",
  "oversaturation",
  "desaturation",
  "color quantization",
  "quantization",
  "jpeg2000 compression",
  "jpeg compression",
  "white noise",
  "white with color",
  "impulse",
  "multiplicative",
  "white noise with denoise",
  "brighten",
  "darken",
  "shifting the mean",
  "jitter",
  "noneccentricity patch",
  "pixelate",
  "color blocking",
  "sharpness",
  "contrast",
] as const;
export type SyntheticType = (typeof SYNTHETIC_TYPES)[number];

/**
 * Types that make some pictures better: a dark one brightened, a soft one sharpened, a pale one given colour, a noisy one
 * denoised. A higher level of these is surely worse only for a picture that was right before.
 */
export const CAN_MEND = [
  "oversaturation",
  "desaturation",
  "white noise with denoise",
  "brighten",
  "darken",
  "shifting the mean",
  "sharpness",
  "contrast",
] as const satisfies readonly SyntheticType[];

/** The others: whatever the picture was like, a higher level is worse. */
export const ONLY_HARM: readonly SyntheticType[] = SYNTHETIC_TYPES.filter(
  (type) => !(CAN_MEND as readonly SyntheticType[]).includes(type), // widened to look up
);
