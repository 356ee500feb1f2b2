import { z } from "zod";
import { SYNTHETIC_TYPES, type SyntheticType } from "../distortions/types.js";

export const KINDS = ["single", "composition", "camera"] as const;

/**
 * Types that make some pictures better: a dark one brightened, a soft one sharpened, a pale one given color, a noisy one
 * denoised. A higher level of these is surely worse only for a picture that was right before.
 */
export const MAY_IMPROVE = [
  "oversaturation",
  "desaturation",
  "white noise with denoise",
  "brighten",
  "darken",
  "shifting the mean",
  "sharpness",
  "contrast",
] as const satisfies readonly SyntheticType[];

/** Types whose higher level is worse for any picture. */
export const ALWAYS_WORSE: readonly SyntheticType[] = SYNTHETIC_TYPES.filter(
  (type) => !(MAY_IMPROVE as readonly SyntheticType[]).includes(type), // widened to look up
);

/** Config of images that are distorted anew in each step, with labels and ranks of their own; none by default. */
export const AugmentConfig = z
  .strictObject({
    contents: z
      .int()
      .nonnegative()
      .default(0)
      .describe("images of each step that are distorted anew and added to it; 0: none"),
    versions: z
      .int()
      .min(2)
      .max(5)
      .default(3)
      .describe("levels at which each of them is added; of two, the lower one ranks above"),
    kinds: z
      .array(z.enum(KINDS))
      .min(1)
      .default([...KINDS])
      .readonly()
      .describe("one distortion, two or three on top of each other, or a camera with one stage at fault; drawn evenly"),
    types: z
      .array(z.enum(SYNTHETIC_TYPES))
      .min(1)
      .default([...ALWAYS_WORSE])
      .readonly()
      .describe("distortions to draw from; by default those that no picture gains by"),
    labelFrom: z
      .int()
      .min(1)
      .max(6)
      .default(2)
      .describe("level from which a version carries the label of its distortion; weaker ones have none; 6: never"),
    weight: z
      .number()
      .nonnegative()
      .default(1)
      .describe("what the ranking pairs count in the quality loss, where each database counts 1"),
  })
  .readonly();
export type AugmentConfig = z.output<typeof AugmentConfig>;
