import type { VisionArchitecture } from "../architecture/architecture.js";
import { PATCH_KERNEL } from "./patchKernelBytes.js";

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
 * @param pixels   [crops, imageSize, imageSize, 3], RGB, 0 to 255, borrowed
 * @param patches  where they are written to, as many numbers as there are bytes; by default new memory
 * @returns        `patches`: [crops·tokens·cells, stride·stride·3] of the first level, flat, float32
 */
export function imagePatches(
  pixels: Uint8Array,
  vision: VisionArchitecture,
  patches: Float32Array = new Float32Array(pixels.length),
): Float32Array {
  const { numbers: perCrop, lookUp } = geometryOf(vision);
  if (pixels.length % perCrop !== 0) {
    throw new Error(`internal: imagePatches: ${pixels.length} bytes are not whole crops of ${perCrop}`);
  }
  if (patches.length !== pixels.length) {
    throw new Error(`internal: imagePatches: room for ${patches.length} numbers where there are ${pixels.length}`);
  }
  for (let crop = 0; crop < pixels.length; crop += perCrop) {
    lookUp(pixels.subarray(crop, crop + perCrop), patches.subarray(crop, crop + perCrop));
  }
  return patches;
}

const [GREEN, BLUE] = [LEVELS, 2 * LEVELS];

/**
 * (level / 255 − mean) / std of each level of red, then green, then blue, rounded to float32 after each step as PyTorch
 * does.
 */
const LEVEL_VALUES = Float32Array.from({ length: CHANNELS * LEVELS }, (_, i) => {
  const channel = Math.floor(i / LEVELS);
  const [mean, std] = [Math.fround(CLIP_MEAN[channel] ?? NaN), Math.fround(CLIP_STD[channel] ?? NaN)];
  return Math.fround(Math.fround(Math.fround((i % LEVELS) / (LEVELS - 1)) - mean) / std);
});

/** How a tower's crops become patches. */
interface Geometry {
  /** Of one crop. */
  readonly numbers: number;
  readonly lookUp: LookUp;
}

const known = new Map<string, Geometry>();

/** One for each order of pixels. */
function geometryOf(vision: VisionArchitecture): Geometry {
  const strides = stemStrides(vision);
  const key = [vision.imageSize, ...strides].join();
  const geometry = known.get(key) ?? openGeometry(findRuns(vision.imageSize, strides));
  known.set(key, geometry);
  return geometry;
}

function openGeometry(runs: PixelRuns): Geometry {
  const numbers = runs.starts.length * runs.length;
  return { numbers, lookUp: compiledLookUp(LEVEL_VALUES, runs) ?? plainLookUp(runs) };
}

/** The same in JavaScript, bit for bit. */
function plainLookUp({ starts, length }: PixelRuns): LookUp {
  return (pixels, patches) => {
    let to = 0;
    for (const start of starts) {
      for (let from = start; from < start + length; from += CHANNELS, to += CHANNELS) {
        patches[to] = LEVEL_VALUES[pixels[from] as number] as number; // inside both, for whole crops
        patches[to + 1] = LEVEL_VALUES[GREEN + (pixels[from + 1] as number)] as number;
        patches[to + 2] = LEVEL_VALUES[BLUE + (pixels[from + 2] as number)] as number;
      }
    }
  };
}

function findRuns(imageSize: number, strides: readonly number[]): PixelRuns {
  const starts: number[] = [];
  /** The square of `size` pixels whose corner is (top, left), level by level down to the rows of the first. */
  const visit = (top: number, left: number, size: number, level: number) => {
    const stride = strides[level] ?? NaN;
    const step = size / stride;
    for (let row = 0; row < stride; row++) {
      if (level === 0) starts.push(((top + row) * imageSize + left) * CHANNELS);
      else for (let col = 0; col < stride; col++) visit(top + row * step, left + col * step, step, level - 1);
    }
  };
  const side = strides.reduce((product, stride) => product * stride, 1);
  for (let top = 0; top < imageSize; top += side) {
    for (let left = 0; left < imageSize; left += side) visit(top, left, side, strides.length - 1);
  }
  return { starts: Int32Array.from(starts), length: (strides[0] ?? NaN) * CHANNELS };
}

/** A crop's patches as runs of pixels that stand side by side in the crop as in the patches. */
export interface PixelRuns {
  /** Where each run begins in the crop, in the patches' order. */
  readonly starts: Int32Array;
  /** Numbers of each run, the same for all. */
  readonly length: number;
}

/** Looks one crop's bytes up in a table, run after run: `pixels` [starts · length] → `to`, of as many numbers. */
export type LookUp = (pixels: Uint8Array, to: Float32Array) => void;

/** What of WebAssembly is used here: neither Node's types nor the language's have it. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
      readonly CompileError: new () => Error;
    }
  | undefined;

/** What patchKernel.wat exports. */
interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly lookUp: (starts: number, runs: number, length: number, pixels: number, to: number) => void;
}

const PAGE = 65_536;
const FLOAT = 4;

/**
 * The lookup in WebAssembly, which takes less than half of the time that JavaScript takes (docs/performance.md, Reading
 * images).
 * It works in 5 bytes of its own for each number of a crop.
 *
 * @param table  [3 channels, 256]
 * @returns      null where there is no WebAssembly, or a page's security policy forbids it
 */
export function compiledLookUp(table: Float32Array, { starts, length }: PixelRuns): LookUp | null {
  const kernel = openKernel();
  if (kernel === null) return null;
  const numbers = starts.length * length;
  const startsAt = table.byteLength;
  const toAt = startsAt + starts.byteLength;
  const pixelsAt = toAt + numbers * FLOAT;
  const { memory, lookUp } = kernel;
  memory.grow(Math.ceil((pixelsAt + numbers) / PAGE)); // the page that it begins with is room to spare
  new Float32Array(memory.buffer, 0, table.length).set(table);
  new Int32Array(memory.buffer, startsAt, starts.length).set(starts);
  const bytes = new Uint8Array(memory.buffer, pixelsAt, numbers);
  const floats = new Float32Array(memory.buffer, toAt, numbers);
  return (pixels, to) => {
    bytes.set(pixels);
    lookUp(startsAt, starts.length, length, pixelsAt, toAt);
    to.set(floats);
  };
}

function openKernel(): Kernel | null {
  if (typeof WebAssembly === "undefined") return null;
  const bytes = Uint8Array.from(atob(PATCH_KERNEL), (character) => character.charCodeAt(0));
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return exports as Kernel; // what the source says it exports
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof EvalError) return null; // Safari has the latter
    throw error;
  }
}
