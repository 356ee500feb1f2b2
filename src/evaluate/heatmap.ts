/** Numbers on pictures, drawn without a font: libvips would need one of the system's, and there may be none. */
import type { Image } from "../model/preprocess/image.js";
import { WINDOW } from "../model/preprocess/image.js";
import type { CropScore, ScoredCrops } from "./scoring/scoreImages.js";

/** Dots of each sign, three across and five down. */
const DOTS: Readonly<Record<string, string>> = {
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

/** Pixels that a number takes across. */
function numberCols(text: string): number {
  return text.length * SIGN_COLS - DOT;
}

/** Writes digits, points and minus signs into RGB pixels, `cols` to a row. @throws {RangeError} for any other sign */
function drawNumber(
  { cols, pixels }: { readonly cols: number; readonly pixels: Uint8Array },
  text: string,
  top: number,
  left: number,
  ink: Rgb,
): void {
  Array.from(text).forEach((sign, i) => {
    const dots = DOTS[sign];
    if (dots === undefined) throw new RangeError(`drawNumber: cannot draw "${sign}" of "${text}"`);
    dots.split(" ").forEach((line, down) => {
      Array.from(line).forEach((dot, across) => {
        if (dot !== "#") return;
        for (let row = 0; row < DOT; row++) {
          const start = (top + down * DOT + row) * cols + left + i * SIGN_COLS + across * DOT;
          for (let col = 0; col < DOT; col++) pixels.set(ink, (start + col) * 3);
        }
      });
    });
  });
}

type Rgb = readonly [number, number, number];

/**
 * Dark to light through equally distant hues, told apart by the colour-blind and in grey print too: nine points of
 * matplotlib's viridis (S. van der Walt and N. Smith, 2015, CC0).
 */
const VIRIDIS: readonly Rgb[] = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 145, 140],
  [40, 174, 128],
  [94, 201, 98],
  [173, 220, 48],
  [253, 231, 37],
];

/** The colour of a share from 0 (dark) to 1 (light); what lies beyond counts as the end. */
export function colorAt(share: number): Rgb {
  const position = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const index = Math.min(Math.floor(position), VIRIDIS.length - 2);
  const [from, to] = [VIRIDIS[index], VIRIDIS[index + 1]];
  if (from === undefined || to === undefined) throw new RangeError(`colorAt: needs a number, got ${share}`);
  const between = (a: number, b: number) => Math.round(a + (b - a) * (position - index));
  return [between(from[0], to[0]), between(from[1], to[1]), between(from[2], to[2])];
}

/** The range of qualities that colours stand for. */
interface ColorRange {
  readonly low: number;
  readonly high: number;
}

/** A narrower range would paint noise as if it meant something. */
const NARROWEST_RANGE = 0.5;
/** Of the colour, over the picture in grey. */
const OPACITY = 0.6;
/** Pixels around the legend's parts. */
const MARGIN = 6;
const LEGEND_ROWS = NUMBER_ROWS + 2 * MARGIN;
const INK: Rgb = [255, 255, 255];
const PAPER = 24;

/**
 * The picture in grey under the colours of its windows' scores, with a legend below: lowest colour, highest colour.
 * What is in no window stays grey.
 *
 * @param image  as the windows were cut from it
 * @returns      as wide as the image, `LEGEND_ROWS` higher
 */
export function heatmap(image: Image, crops: ScoredCrops): Image {
  const { rows, cols } = image;
  if (rows !== crops.rows || cols !== crops.cols) {
    throw new RangeError(`heatmap: an image of ${cols} x ${rows} for scores of ${crops.cols} x ${crops.rows}`);
  }
  const range = colorRange(crops.scores);
  const pixels = new Uint8Array((rows + LEGEND_ROWS) * cols * 3).fill(PAPER);
  paintMap(image, crops, range, pixels);
  paintLegend({ rows, cols, pixels }, range);
  return { rows: rows + LEGEND_ROWS, cols, pixels };
}

/** From the lowest score to the highest, widened about its middle where that is little. */
export function colorRange(scores: readonly CropScore[]): ColorRange {
  const qualities = scores.map(({ quality }) => quality);
  const low = Math.min(...qualities);
  const high = Math.max(...qualities);
  const middle = (low + high) / 2;
  const half = Math.max(high - low, NARROWEST_RANGE) / 2;
  return { low: middle - half, high: middle + half };
}

function paintMap(image: Image, crops: ScoredCrops, { low, high }: ColorRange, out: Uint8Array): void {
  scoreMap(crops).qualities.forEach((quality, pixel) => {
    const grey = luma(image.pixels, 3 * pixel);
    const color = Number.isNaN(quality) ? null : colorAt((quality - low) / (high - low));
    for (let c = 0; c < 3; c++) {
      out[3 * pixel + c] = color === null ? grey : Math.round((1 - OPACITY) * grey + OPACITY * color[c as 0 | 1 | 2]); // 0 to 2
    }
  });
}

/** Y' of ITU-R BT.601. */
function luma(pixels: Uint8Array, at: number): number {
  return 0.299 * (pixels[at] ?? 0) + 0.587 * (pixels[at + 1] ?? 0) + 0.114 * (pixels[at + 2] ?? 0);
}

/** Below row `rows`: the lowest number, the colours from low to high, the highest number. */
function paintLegend({ rows, cols, pixels }: Image, { low, high }: ColorRange): void {
  const canvas = { cols, pixels };
  const top = rows + MARGIN;
  const [lowest, highest] = [low.toFixed(2), high.toFixed(2)];
  const right = cols - MARGIN - numberCols(highest);
  drawNumber(canvas, lowest, top, MARGIN, INK);
  drawNumber(canvas, highest, top, right, INK);
  const first = 2 * MARGIN + numberCols(lowest);
  const last = right - MARGIN;
  for (let col = first; col < last; col++) {
    const color = colorAt((col - first) / (last - 1 - first));
    for (let row = top; row < top + NUMBER_ROWS; row++) pixels.set(color, (row * cols + col) * 3);
  }
}

/** Where in an image the model sees what quality. */
interface ScoreMap {
  readonly rows: number;
  readonly cols: number;
  /** [rows, cols]: the mean over the windows that a pixel is in; NaN where it is in none. */
  readonly qualities: Float32Array;
}

export function scoreMap({ rows, cols, scores }: ScoredCrops): ScoreMap {
  const sums = new Float32Array(rows * cols);
  const counts = new Uint16Array(rows * cols);
  for (const score of scores) addWindow(score, cols, sums, counts);
  return { rows, cols, qualities: sums.map((sum, i) => sum / (counts[i] ?? 0)) }; // 0 / 0 is NaN
}

function addWindow({ top, left, quality }: CropScore, cols: number, sums: Float32Array, counts: Uint16Array): void {
  for (let row = top; row < top + WINDOW; row++) {
    for (let i = row * cols + left; i < row * cols + left + WINDOW; i++) {
      sums[i] = (sums[i] ?? NaN) + quality;
      counts[i] = (counts[i] ?? 0) + 1;
    }
  }
}
