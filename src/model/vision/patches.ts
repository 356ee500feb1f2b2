import * as tf from "../../engine/tf.js";
import { type PixelStatistics, pixelsOf, type VisionArchitecture } from "../architecture/architecture.js";
import { PATCH_KERNEL } from "./patchKernelBytes.js";

/** Mean and deviation of CLIP's training images, RGB in [0, 1] (OpenAI CLIP, clip.py). */
export const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
export const CLIP_STD = [0.26862954, 0.26130258, 0.27577711] as const;

const SIGLIP_HALVES = [0.5, 0.5, 0.5] as const;

/** Mean and deviation of pixels, RGB in [0, 1]; SigLIP's bring them to [-1, 1] (big_vision, `value_range(-1,1)`). */
export const PIXELS: Readonly<Record<PixelStatistics, { readonly mean: Rgb; readonly std: Rgb }>> = {
  "CLIP's": { mean: CLIP_MEAN, std: CLIP_STD },
  "SigLIP's": { mean: SIGLIP_HALVES, std: SIGLIP_HALVES },
};
type Rgb = readonly [number, number, number];

const CHANNELS = 3;
const LEVELS = 256;

/**
 * Patches of crops on the device, [crops·cells, stride·stride·3], given.
 * @param pixels  [crops, imageSize, imageSize, 3], RGB, 0 to 255, borrowed
 * @param memory  memory of the tensor's numbers, borrowed for as long as it lives; by default new
 */
export function patchTensor(pixels: Uint8Array, vision: VisionArchitecture, memory?: Float32Array): tf.Tensor2D {
  const [stride = 1] = stemStrides(vision);
  const values = imagePatches(pixels, vision, memory);
  const columns = stride * stride * CHANNELS;
  return tf.tensor2d(values, [values.length / columns, columns]);
}

/** Crops encoded at once, laid out as the image encoder takes them. */
export interface PatchBatch {
  /** [crops·cells, stride·stride·3] */
  readonly patches: tf.Tensor2D;
  readonly crops: number;
}

/** Crops of a step, [crops, imageSize, imageSize, 3], borrowed, in batches of at most `size`, given; `memory`: of all. */
export function patchBatches(
  pixels: Uint8Array,
  vision: VisionArchitecture,
  { size, memory }: { readonly size: number; readonly memory?: Float32Array | undefined },
): PatchBatch[] {
  const cropSize = vision.imageSize ** 2 * CHANNELS;
  return Array.from({ length: Math.ceil(pixels.length / cropSize / size) }, (_, i) => {
    const [start, end] = [i * size * cropSize, (i + 1) * size * cropSize];
    const piece = pixels.subarray(start, end);
    return { patches: patchTensor(piece, vision, memory?.subarray(start, end)), crops: piece.length / cropSize };
  });
}

/** Side of the cells that a ResNet reads: two by two pixels, so that its first convolution, of stride 2, steps by one. */
export const RESNET_CELL = 2;

/** Strides of the stem from pixels to tokens: one for CLIP's patch, several for the hierarchy; a ResNet's cells. */
export function stemStrides(vision: VisionArchitecture): readonly number[] {
  if (vision.kind === "resnet") return [RESNET_CELL];
  if (vision.kind === "siglip") return [vision.patchSize];
  return vision.stem === "patch" ? [vision.patchSize] : vision.stem.map(({ stride }) => stride);
}

/**
 * Pixels of crops, normalized for the encoder and ordered for the stem: each token's pixels are adjacent, inside them each
 * cell's of the last level, and so on down to the `stride` x `stride` x 3 pixels of the first. Every level of the stem
 * is then a matrix product over consecutive numbers, without data movement between them.
 * @param pixels   [crops, imageSize, imageSize, 3], RGB, 0 to 255, borrowed
 * @param patches  written to: as many numbers as there are bytes; by default new memory
 * @returns        `patches`: [crops·tokens·cells, stride·stride·3] of the first level, flat, float32
 */
export function imagePatches(
  pixels: Uint8Array,
  vision: VisionArchitecture,
  patches: Float32Array = new Float32Array(pixels.length),
): Float32Array {
  const { numbers: perCrop, lookUp } = geometryOf(vision, stemStrides(vision));
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

/** Looks one crop's bytes up in a table, run after run: `pixels` [starts · length] → `to`, of as many numbers. */
type LookUp = (pixels: Uint8Array, to: Float32Array) => void;

/** Numbers of a crop and its lookup, by image size, strides and statistics. */
const geometries = new Map<string, { readonly numbers: number; readonly lookUp: LookUp }>();

function geometryOf(vision: VisionArchitecture, strides: readonly number[]) {
  const { imageSize } = vision;
  const statistics = pixelsOf(vision);
  const key = [statistics, imageSize, ...strides].join();
  const known = geometries.get(key);
  if (known !== undefined) return known;
  const runs = findRuns(imageSize, strides);
  const table = LEVEL_VALUES[statistics];
  const lookUp = compiledLookUp(table, runs) ?? plainLookUp(table, runs);
  const geometry = { numbers: runs.starts.length * runs.length, lookUp };
  geometries.set(key, geometry);
  return geometry;
}

/** A crop's patches as runs of pixels that are adjacent both in the crop and in the patches. */
export interface PixelRuns {
  /** Start of each run in the crop, in the patches' order. */
  readonly starts: Int32Array;
  /** Numbers of each run, the same for all. */
  readonly length: number;
}

function findRuns(imageSize: number, strides: readonly number[]): PixelRuns {
  const sides = strides.map((_, level) => strides.slice(0, level + 1).reduce((product, stride) => product * stride, 1));
  const starts: number[] = [];
  /** Visits the cell of `level` whose corner is (top, left), level by level down to the rows of the first. */
  const visit = (top: number, left: number, level: number) => {
    const step = sides[level - 1] ?? 1;
    const stride = strides[level] ?? NaN;
    for (let row = 0; row < stride; row++) {
      if (level === 0) starts.push(((top + row) * imageSize + left) * CHANNELS);
      else for (let col = 0; col < stride; col++) visit(top + row * step, left + col * step, level - 1);
    }
  };
  const side = sides.at(-1) ?? NaN;
  for (let top = 0; top < imageSize; top += side) {
    for (let left = 0; left < imageSize; left += side) visit(top, left, strides.length - 1);
  }
  return { starts: Int32Array.from(starts), length: (strides[0] ?? NaN) * CHANNELS };
}

/** (level / 255 − mean) / std of red's levels, then green's, blue's; rounded to float32 at each step as in PyTorch. */
function levelValues(statistics: PixelStatistics): Float32Array {
  return Float32Array.from({ length: CHANNELS * LEVELS }, (_, i) => {
    const channel = Math.floor(i / LEVELS);
    const [mean, std] = [PIXELS[statistics].mean, PIXELS[statistics].std].map((of) => Math.fround(of[channel] ?? NaN));
    return Math.fround(Math.fround(Math.fround((i % LEVELS) / (LEVELS - 1)) - (mean ?? NaN)) / (std ?? NaN));
  });
}

const LEVEL_VALUES = { "CLIP's": levelValues("CLIP's"), "SigLIP's": levelValues("SigLIP's") };
const [GREEN, BLUE] = [LEVELS, 2 * LEVELS];

/** Lookup in JavaScript; equal to the compiled one, bit for bit. */
function plainLookUp(table: Float32Array, { starts, length }: PixelRuns): LookUp {
  return (pixels, patches) => {
    let to = 0;
    for (const start of starts) {
      for (let from = start; from < start + length; from += CHANNELS, to += CHANNELS) {
        patches[to] = table[pixels[from] as number] as number; // inside both, for whole crops
        patches[to + 1] = table[GREEN + (pixels[from + 1] as number)] as number;
        patches[to + 2] = table[BLUE + (pixels[from + 2] as number)] as number;
      }
    }
  };
}

/** Part of WebAssembly that is used here: neither Node's types nor the language's have it. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
      readonly CompileError: new () => Error;
    }
  | undefined;

/** Exports of patchKernel.wat. */
interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly lookUp: (starts: number, runs: number, length: number, pixels: number, to: number) => void;
}

const PAGE = 65_536;

/**
 * Lookup in WebAssembly: less than half of JavaScript's time (docs/performance.md, Reading images). It uses 5 bytes of
 * memory for each number of a crop. Null where there is no WebAssembly, or a page's security policy forbids it.
 * @param table  [3 channels, 256]
 */
export function compiledLookUp(table: Float32Array, { starts, length }: PixelRuns): LookUp | null {
  const kernel = openKernel();
  if (kernel === null) return null;
  const numbers = starts.length * length;
  const startsAt = table.byteLength;
  const toAt = startsAt + starts.byteLength;
  const pixelsAt = toAt + numbers * Float32Array.BYTES_PER_ELEMENT;
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
    return exports as Kernel; // the source's exports
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof EvalError) return null; // Safari has the latter
    throw error;
  }
}

/** Matrix [out, rows·cols·in] of a convolution's [out, in, rows, cols], in the patches' order. */
export function pixelsLast(kernel: tf.Tensor4D): tf.Tensor2D {
  const out = kernel.shape[0];
  return tf.reshape<tf.Rank.R2>(tf.transpose(kernel, [0, 2, 3, 1]), [out, kernel.size / out]);
}
