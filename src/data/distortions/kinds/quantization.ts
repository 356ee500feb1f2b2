import { extentOf, pushAll } from "../../../base/collections.js";
import type { Image } from "../../../model/preprocess/image.js";
import { mapSamples } from "../field.js";
import type { RecipeTable } from "../types.js";

export const QUANTIZATIONS = {
  "color quantization": { apply: quantizeColors, strength: [64, 48, 32, 16, 8], mos: [4.1, 3.95, 3.7, 3.2, 2.4] },
  quantization: { apply: quantizeSamples, strength: [20, 16, 13, 10, 7], mos: [4.15, 3.9, 3.65, 3.35, 2.8] },
} satisfies RecipeTable;

/**
 * Rounds each sample to one of `levels` evenly spaced values from 0 to 255.
 * KADID-10k's "quantization" has as many levels; it spaces them by the picture's histogram (Otsu's thresholds).
 */
function quantizeSamples(image: Image, levels: number): Image {
  const step = 255 / (Math.round(levels) - 1);
  return mapSamples(image, (sample) => step * Math.round(sample / step));
}

/** Bits of each sample by which colors are counted: 32 x 32 x 32 bins. */
const BITS = 5;
const BINS = 2 ** (3 * BITS);

/**
 * Reduces a picture to `colors` colors of its own, without dithering.
 * Sets of similar colors are split in two, again and again, the one with the greatest spread first and through its
 * mean (a variance-based median cut; KADID-10k quantizes by minimum variance, too). Each pixel gets its set's mean.
 */
function quantizeColors({ rows, cols, pixels }: Image, colors: number): Image {
  const histogram = countColors(pixels);
  const sets = splitColors(histogram, Math.round(colors));
  const palette = new Uint8Array(3 * BINS);
  for (const set of sets) {
    const mean = set.statistics.map(({ mean }) => Math.round(mean));
    for (const bin of set.bins) palette.set(mean, 3 * bin);
  }
  const quantized = new Uint8Array(pixels.length);
  for (let p = 0; p < pixels.length; p += 3) {
    const from = 3 * binOf(pixels, p);
    quantized[p] = palette[from] ?? 0;
    quantized[p + 1] = palette[from + 1] ?? 0;
    quantized[p + 2] = palette[from + 2] ?? 0;
  }
  return { rows, cols, pixels: quantized };
}

interface Histogram {
  readonly counts: Float64Array;
  /** Sums of red, green and blue in each bin: [3, bins]. */
  readonly sums: readonly Float64Array[];
}

interface ColorSet {
  readonly bins: readonly number[];
  readonly statistics: readonly { readonly mean: number; readonly spread: number }[];
  /** Greatest of the spreads: the sum of squared distances from the mean along that axis. */
  readonly spread: number;
}

function binOf(pixels: Uint8Array, p: number): number {
  const shift = 8 - BITS;
  const r = (pixels[p] ?? 0) >> shift;
  const g = (pixels[p + 1] ?? 0) >> shift;
  const b = (pixels[p + 2] ?? 0) >> shift;
  return (((r << BITS) | g) << BITS) | b;
}

function countColors(pixels: Uint8Array): Histogram {
  const counts = new Float64Array(BINS);
  const [red, green, blue] = [new Float64Array(BINS), new Float64Array(BINS), new Float64Array(BINS)];
  for (let p = 0; p < pixels.length; p += 3) {
    const bin = binOf(pixels, p);
    counts[bin] = (counts[bin] ?? 0) + 1;
    red[bin] = (red[bin] ?? 0) + (pixels[p] ?? 0);
    green[bin] = (green[bin] ?? 0) + (pixels[p + 1] ?? 0);
    blue[bin] = (blue[bin] ?? 0) + (pixels[p + 2] ?? 0);
  }
  return { counts, sums: [red, green, blue] };
}

function splitColors(histogram: Histogram, colors: number): ColorSet[] {
  const used = Array.from(histogram.counts.keys()).filter((bin) => (histogram.counts[bin] ?? 0) > 0);
  const sets = [colorSet(histogram, used)];
  while (sets.length < colors) {
    sets.sort((a, b) => a.spread - b.spread);
    const widest = sets.pop();
    if (widest === undefined) break;
    const halves = splitSet(histogram, widest);
    pushAll(sets, halves);
    if (halves.length === 1) break; // nothing left to split: fewer colors than asked for
  }
  return sets;
}

function colorSet({ counts, sums }: Histogram, bins: readonly number[]): ColorSet {
  const statistics = sums.map((sum) => {
    let [count, total, squares] = [0, 0, 0];
    for (const bin of bins) {
      const inBin = counts[bin] ?? 0;
      const ofBin = sum[bin] ?? 0;
      count += inBin;
      total += ofBin;
      squares += (ofBin * ofBin) / inBin;
    }
    return { mean: total / count, spread: squares - (total * total) / count };
  });
  return { bins, statistics, spread: extentOf(statistics.map(({ spread }) => spread)).most };
}

function splitSet(histogram: Histogram, set: ColorSet): ColorSet[] {
  const axis = set.statistics.findIndex(({ spread }) => spread === set.spread);
  const mean = set.statistics[axis]?.mean ?? 0;
  const value = (bin: number) => (histogram.sums[axis]?.[bin] ?? 0) / (histogram.counts[bin] ?? 1);
  const low = set.bins.filter((bin) => value(bin) <= mean);
  const high = set.bins.filter((bin) => value(bin) > mean);
  if (low.length === 0 || high.length === 0) return [{ ...set, spread: 0 }];
  return [colorSet(histogram, low), colorSet(histogram, high)];
}
