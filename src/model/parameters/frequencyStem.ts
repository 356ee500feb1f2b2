/** Luminance and two colour differences, orthonormal. */
const OPPONENTS = [
  [1, 1, 1].map((part) => part / Math.sqrt(3)),
  [1, -1, 0].map((part) => part / Math.SQRT2),
  [1, 1, -2].map((part) => part / Math.sqrt(6)),
] as const;

/** Photographs have less of a frequency the higher it is, and little of colour's: these gains bring all to about 1. */
const MEAN_GAIN = [0.25, 0.8, 0.8] as const;
const FREQUENCY_GAIN = [0.75, 2.25, 2.25] as const;

/**
 * First weights for a stem's first level that learns low-level quality: each output is one frequency (discrete cosine)
 * of luminance or of a colour difference, scaled so that in photographs all are of like size. With random weights the
 * layer norm that follows sees little but a patch's mean colour, and noise, blur and blocks drown in it.
 *
 * @param stride  side of a patch in pixels
 * @returns       [3·stride·stride, 3, stride, stride], flat
 */
export function frequencyStem(stride: number): Float32Array {
  const weights: number[] = [];
  OPPONENTS.forEach((colour, kind) => {
    for (let vertical = 0; vertical < stride; vertical++) {
      for (let horizontal = 0; horizontal < stride; horizontal++) {
        const order = vertical + horizontal;
        const gain = order === 0 ? (MEAN_GAIN[kind] ?? NaN) : (FREQUENCY_GAIN[kind] ?? NaN) * order;
        for (const part of colour) {
          for (let row = 0; row < stride; row++) {
            for (let col = 0; col < stride; col++) {
              weights.push(gain * part * cosine(vertical, row, stride) * cosine(horizontal, col, stride));
            }
          }
        }
      }
    }
  });
  return Float32Array.from(weights);
}

/** The orthonormal discrete cosine transform (DCT-II): entry `position` of basis vector `frequency`. */
function cosine(frequency: number, position: number, size: number): number {
  const norm = Math.sqrt((frequency === 0 ? 1 : 2) / size);
  return norm * Math.cos((Math.PI * (2 * position + 1) * frequency) / (2 * size));
}
