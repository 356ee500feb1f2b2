/** Quality levels of LIQE (CVPR 2023, section 3), worst first; level k means the score k + 1. */
export const QUALITIES = ["bad", "poor", "fair", "good", "perfect"] as const;

/** Scenes of LIQE, in the order of the prompt grid. */
export const SCENES = [
  "animal",
  "cityscape",
  "human",
  "indoor",
  "landscape",
  "night",
  "plant",
  "still_life",
  "others",
] as const;

/** Classes of distortion of LIQE, each with the fine-grained types that the published lists use for it. */
export const DISTORTION_TYPES = {
  "jpeg2000 compression": ["jpeg2000 compression", "fastfading"],
  "jpeg compression": ["jpeg compression"],
  noise: [
    "noise",
    "white noise",
    "fnoise",
    "white with color",
    "impulse",
    "multiplicative",
    "white noise with denoise",
    "realistic noise",
  ],
  blur: ["blur", "gaussian blur", "lens", "motion", "shifting", "realistic blur"],
  color: ["color", "diffusion", "oversaturation", "desaturation"],
  contrast: ["contrast", "sharpness", "realistic contrast change"],
  overexposure: ["overexposure", "brighten"],
  underexposure: ["underexposure", "darken"],
  spatial: ["spatial", "jitter", "noneccentricity patch", "pixelate", "color blocking"],
  quantization: ["quantization", "color quantization"],
  other: ["other", "shifting the mean", "other realistic"],
} as const;

type Distortion = keyof typeof DISTORTION_TYPES;

/** Distortion classes, in the order of the prompt grid. */
export const DISTORTIONS = Object.keys(DISTORTION_TYPES) as readonly Distortion[]; // keys of a literal

/** Label tables of one prompt grid: the published ones, or a user's own (`prompts:` in the config). */
export interface LabelTables {
  readonly qualities: readonly string[];
  readonly scenes: readonly string[];
  /** Class → its fine-grained types, including the class's own name. */
  readonly distortions: Readonly<Record<string, readonly string[]>>;
}

export const PUBLISHED_LABELS: LabelTables = { qualities: QUALITIES, scenes: SCENES, distortions: DISTORTION_TYPES };
