import type { DecodedImage } from "../model/preprocess/image.js";
import type { Rgb } from "./colorScale.js";
import { colorAt } from "./colorScale.js";
import { drawNumber, NUMBER_ROWS, numberCols } from "./digits.js";
import { scoreMap } from "./scoreMap.js";
import type { CropScore, ScoredCrops } from "./scoring/scoreImages.js";

/** The range of qualities that colours stand for. */
export interface ColorRange {
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
export function heatmap(image: DecodedImage, crops: ScoredCrops): DecodedImage {
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

function paintMap(image: DecodedImage, crops: ScoredCrops, { low, high }: ColorRange, out: Uint8Array): void {
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
function paintLegend({ rows, cols, pixels }: DecodedImage, { low, high }: ColorRange): void {
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
