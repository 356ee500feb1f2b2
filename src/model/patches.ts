import type { VisionArchitecture } from "./architecture.js";

/** Mean and deviation of CLIP's training images, RGB in [0, 1] (OpenAI CLIP, clip.py). */
export const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
export const CLIP_STD = [0.26862954, 0.26130258, 0.27577711] as const;

const CHANNELS = 3;
const LEVELS = 256;

/** The stem's strides from pixels to tokens: one for CLIP's patch, several for the hierarchy. */
export function stemStrides(vision: VisionArchitecture): readonly number[] {
  return vision.stem === "patch" ? [vision.patchSize] : vision.stem.map((stage) => stage.stride);
}

/**
 * Pixels of crops, normalised for CLIP and ordered for the stem: each token's pixels stand together, inside them
 * each cell's of the last level, and so on down to the `stride` x `stride` x 3 pixels of the first. Every level of
 * the stem is then a matrix product over consecutive numbers, with no movement between them.
 *
 * @param pixels  [crops, imageSize, imageSize, 3], RGB, 0 to 255, borrowed
 * @returns       [crops·tokens·cells, stride·stride·3] of the first level, flat, float32
 */
export function imagePatches(pixels: Uint8Array, vision: VisionArchitecture): Float32Array {
  const order = pixelOrder(vision);
  const perCrop = order.length;
  if (pixels.length % perCrop !== 0) {
    throw new Error(`internal: imagePatches: ${pixels.length} bytes are not whole crops of ${perCrop}`);
  }
  const patches = new Float32Array(pixels.length);
  const [red, green, blue] = NORMALISED;
  for (let crop = 0; crop < pixels.length; crop += perCrop) {
    for (let i = 0; i < perCrop; i += CHANNELS) {
      const from = crop + (order[i] ?? 0); // a pixel's channels stand together in both
      patches[crop + i] = red[pixels[from] ?? 0] ?? NaN;
      patches[crop + i + 1] = green[pixels[from + 1] ?? 0] ?? NaN;
      patches[crop + i + 2] = blue[pixels[from + 2] ?? 0] ?? NaN;
    }
  }
  return patches;
}

/** For red, green and blue: (level / 255 − mean) / std of each level, rounded to float32 after each step as PyTorch does. */
const NORMALISED = [normalisedLevels(0), normalisedLevels(1), normalisedLevels(2)] as const;

function normalisedLevels(channel: 0 | 1 | 2): Float32Array {
  const [mean, std] = [Math.fround(CLIP_MEAN[channel]), Math.fround(CLIP_STD[channel])];
  return Float32Array.from({ length: LEVELS }, (_, level) =>
    Math.fround(Math.fround(Math.fround(level / (LEVELS - 1)) - mean) / std),
  );
}

const orders = new Map<string, Int32Array>();

/** For each number of a crop's patches, where its pixel stands in the crop. One table for each geometry. */
function pixelOrder(vision: VisionArchitecture): Int32Array {
  const strides = stemStrides(vision);
  const key = [vision.imageSize, ...strides].join();
  const known = orders.get(key);
  if (known) return known;
  const order = new Int32Array(vision.imageSize ** 2 * CHANNELS);
  let next = 0;
  const side = strides.reduce((product, stride) => product * stride, 1);
  /** Writes the square of `size` pixels whose corner is (top, left), level by level. */
  const write = (top: number, left: number, size: number, level: number) => {
    if (level < 0) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        order[next++] = (top * vision.imageSize + left) * CHANNELS + channel;
      }
      return;
    }
    const stride = strides[level] ?? 1;
    const step = size / stride;
    for (let row = 0; row < stride; row++) {
      for (let col = 0; col < stride; col++) write(top + row * step, left + col * step, step, level - 1);
    }
  };
  for (let top = 0; top < vision.imageSize; top += side) {
    for (let left = 0; left < vision.imageSize; left += side) write(top, left, side, strides.length - 1);
  }
  orders.set(key, order);
  return order;
}
