import type { KnownDatabase } from "./knownDatabase.js";

/**
 * The 24 distortions of TID2013, in the order of the numbers in its file names (`i<content>_<number>_<level>.bmp`;
 * N. Ponomarenko et al., "Image database TID2013", 2015, table 1), as types of LIQE's table: the same distortion where
 * it has one, else the one whose class is nearest. Transmission errors of a codec count as that codec, as fast fading
 * does in LIQE's table.
 */
const TID2013_TYPES = [
  "white noise", // additive Gaussian noise
  "white with color", // more noise in the colour components
  "noise", // spatially correlated noise
  "noise", // masked noise
  "noise", // high-frequency noise
  "impulse",
  "quantization", // quantization noise
  "gaussian blur",
  "white noise with denoise", // image denoising
  "jpeg compression",
  "jpeg2000 compression",
  "jpeg compression", // JPEG transmission errors
  "jpeg2000 compression", // JPEG 2000 transmission errors
  "noneccentricity patch",
  "color blocking", // local block-wise distortions
  "shifting the mean",
  "contrast",
  "color", // change of colour saturation
  "multiplicative",
  "noise", // comfort noise
  "noise", // lossy compression of noisy images
  "color quantization",
  "color", // chromatic aberrations
  "other", // sparse sampling and reconstruction
] as const;

function tid2013Type(image: string): string | null {
  const [, number] = /_(\d\d)_\d\.bmp$/i.exec(image) ?? [];
  return TID2013_TYPES[Number(number) - 1] ?? null;
}

const TELLS_NOTHING = () => null;

/** Databases that LIQE does not use; `liqe data prepare` makes their lists. */
export const OTHER_DATABASES = {
  tid2013: {
    title: "TID2013",
    folder: "tid2013",
    images: 3000,
    mosRange: [0, 9],
    address: "https://www.ponomarenko.info/tid2013.htm",
    typeOfPath: tid2013Type,
  },
  spaq: {
    title: "SPAQ",
    folder: "SPAQ",
    images: 11_125,
    mosRange: [0, 100],
    address: "https://github.com/h4nwei/SPAQ",
    typeOfPath: TELLS_NOTHING,
  },
  agiqa3k: {
    title: "AGIQA-3K",
    folder: "AGIQA-3K",
    images: 2982,
    mosRange: [0, 5],
    address: "https://github.com/lcysyzxdxc/AGIQA-3k-Database",
    typeOfPath: TELLS_NOTHING,
  },
  pipal: {
    title: "PIPAL (its training images)",
    folder: "PIPAL",
    images: 23_200,
    mosRange: [-Infinity, Infinity], // Elo ratings have no ends
    address: "https://github.com/HaomingCai/PIPAL-dataset",
    typeOfPath: TELLS_NOTHING,
  },
} as const satisfies Readonly<Record<string, KnownDatabase>>;
