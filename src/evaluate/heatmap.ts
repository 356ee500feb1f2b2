/** Heatmaps of an image's windows. Numbers are drawn without a font: libvips would need one of the system's. */
import { extentOf } from "../base/collections.js";
import { type Image, lumaOf } from "../model/preprocess/image.js";
import type { ScoredCrops } from "./scoring/scoreImages.js";

type Rgb = readonly [number, number, number];

/** A narrower range of qualities would paint noise as if it meant something. */
const NARROWEST_RANGE = 0.5;
/** Opacity of the colors over the gray image. */
const OPACITY = 0.6;
/** Dots of each sign, three across and five down. */
const SIGNS: Readonly<Record<string, string>> = {
  "0": "### #.# #.# #.# ###",
  "1": ".#. ##. .#. .#. ###",
  "2": "### ..# ### #.. ###",
  "3": "### ..# ### ..# ###",
  "4": "#.# #.# ### ..# ..#",
  "5": "### #.. ### ..# ###",
  "6": "### #.. ### #.# ###",
  "7": "### ..# ..# ..# ..#",
  "8": "### #.# ### #.# ###",
  "9": "### #.# ### ..# ###",
  ".": "... ... ... ... .#.",
  "-": "... ... ### ... ...",
};
/** Pixels along a dot's side. */
const DOT = 3;
const SIGN_COLS = 4 * DOT;
const NUMBER_ROWS = 5 * DOT;
/** Pixels around the legend's parts. */
const MARGIN = 6;
const LEGEND_ROWS = NUMBER_ROWS + 2 * MARGIN;
const INK: Rgb = [255, 255, 255];
const PAPER = 24;

/**
 * The image in gray under the colors of its windows' scores, with a legend below. Pixels in no window stay gray.
 * @param image  as the windows were cut from it
 * @returns      as wide as the image, `LEGEND_ROWS` higher
 */
export function heatmap(image: Image, crops: ScoredCrops): Image {
  const { rows, cols } = image;
  if (rows !== crops.rows || cols !== crops.cols) {
    throw new RangeError(`heatmap: an image of ${cols} x ${rows} for scores of ${crops.cols} x ${crops.rows}`);
  }
  const pixels = new Uint8Array((rows + LEGEND_ROWS) * cols * 3).fill(PAPER);
  pixels.set(paintedMap(image, crops));
  paintLegend({ rows, cols, pixels }, colorRange(crops.scores));
  return { rows: rows + LEGEND_ROWS, cols, pixels };
}

type ColorRange = { readonly low: number; readonly high: number };

/** From the lowest score to the highest, widened about its middle where that is little. */
export function colorRange(scores: ScoredCrops["scores"]): ColorRange {
  const { least: low, most: high } = extentOf(scores.map(({ quality }) => quality));
  const middle = (low + high) / 2;
  const half = Math.max(high - low, NARROWEST_RANGE) / 2;
  return { low: middle - half, high: middle + half };
}

/** Color of a quality in the range of the scores. */
export function colorScale(scores: ScoredCrops["scores"]): (quality: number) => Rgb {
  const { low, high } = colorRange(scores);
  return (quality) => colorAt((quality - low) / (high - low));
}

function paintedMap(image: Image, crops: ScoredCrops): Uint8Array {
  const colorOf = colorScale(crops.scores);
  const out = new Uint8Array(image.pixels.length);
  scoreMap(crops).forEach((quality, pixel) => {
    const at = 3 * pixel;
    const gray = lumaOf(image.pixels[at] ?? 0, image.pixels[at + 1] ?? 0, image.pixels[at + 2] ?? 0);
    const color = Number.isNaN(quality) ? null : colorOf(quality);
    for (let c = 0; c < 3; c++) {
      out[at + c] = color === null ? gray : Math.round((1 - OPACITY) * gray + OPACITY * color[c as 0 | 1 | 2]); // 0 to 2
    }
  });
  return out;
}

/** Quality by pixel, [rows, cols]: the mean over the windows that the pixel is in; NaN where it is in none. */
export function scoreMap({ rows, cols, window, scores }: ScoredCrops): Float32Array {
  const sums = new Float32Array(rows * cols);
  const counts = new Uint16Array(rows * cols);
  for (const { top, left, quality } of scores) {
    for (let row = top; row < top + window; row++) {
      for (let i = row * cols + left; i < row * cols + left + window; i++) {
        sums[i] = (sums[i] ?? NaN) + quality;
        counts[i] = (counts[i] ?? 0) + 1;
      }
    }
  }
  return sums.map((sum, i) => sum / (counts[i] ?? 0)); // 0 / 0 is NaN
}

function paintLegend({ rows, cols, pixels }: Image, { low, high }: ColorRange): void {
  const top = rows + MARGIN;
  const [lowest, highest] = [low.toFixed(2), high.toFixed(2)];
  const right = cols - MARGIN - numberCols(highest);
  drawNumber(lowest, { top, left: MARGIN }, { cols, pixels });
  drawNumber(highest, { top, left: right }, { cols, pixels });
  const first = 2 * MARGIN + numberCols(lowest);
  const last = right - MARGIN;
  for (let col = first; col < last; col++) {
    const color = colorAt((col - first) / (last - 1 - first));
    for (let row = top; row < top + NUMBER_ROWS; row++) pixels.set(color, (row * cols + col) * 3);
  }
}

function numberCols(text: string): number {
  return text.length * SIGN_COLS - DOT;
}

/** Draws digits, points and minus signs into RGB pixels, `cols` to a row. @throws {RangeError} for any other sign */
function drawNumber(
  text: string,
  { top, left }: { readonly top: number; readonly left: number },
  { cols, pixels }: Pick<Image, "cols" | "pixels">,
): void {
  Array.from(text).forEach((sign, i) => {
    const dots = SIGNS[sign];
    if (dots === undefined) throw new RangeError(`drawNumber: cannot draw "${sign}" of "${text}"`);
    dots.split(" ").forEach((line, down) => {
      Array.from(line).forEach((dot, across) => {
        if (dot !== "#") return;
        for (let row = 0; row < DOT; row++) {
          const start = (top + down * DOT + row) * cols + left + i * SIGN_COLS + across * DOT;
          for (let col = 0; col < DOT; col++) pixels.set(INK, (start + col) * 3);
        }
      });
    });
  });
}

/**
 * Nine points of matplotlib's viridis (S. van der Walt and N. Smith, 2015, CC0): from dark to light through equally
 * distant hues, which can be told apart by the color-blind and in gray print too.
 */
const VIRIDIS = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"].map(
  (hex): Rgb => [parseInt(hex.slice(0, 2), 16), parseInt(hex.slice(2, 4), 16), parseInt(hex.slice(4), 16)],
);

/** Color of a share from 0 (dark) to 1 (light); shares beyond count as the end. */
export function colorAt(share: number): Rgb {
  const position = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const index = Math.min(Math.floor(position), VIRIDIS.length - 2);
  const [from, to] = [VIRIDIS[index], VIRIDIS[index + 1]];
  if (from === undefined || to === undefined) throw new RangeError(`colorAt: needs a number, got ${share}`);
  const between = (a: number, b: number) => Math.round(a + (b - a) * (position - index));
  return [between(from[0], to[0]), between(from[1], to[1]), between(from[2], to[2])];
}
