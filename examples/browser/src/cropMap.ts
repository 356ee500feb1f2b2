import type { CropScore } from "liqe-train/inference";
import { element, setText } from "./shared/elements.js";

/** Cells along the longer side of the map. */
const CELLS = 96;

/** The ramp covers at least so much of the scale, so that crops that differ little do not look as if they did. */
const LEAST_SPAN = 0.5;

/** Worst to best: orange over gray to blue, told apart without red and green. */
const RAMP = [
  [213, 94, 0],
  [240, 200, 120],
  [120, 170, 210],
  [0, 90, 160],
] as const;

/** Draws the mean quality of the crops that cover each place, and says the same in words. */
export function showCropMap(
  crops: readonly CropScore[],
  image: { readonly width: number; readonly height: number },
): void {
  const qualities = crops.map(({ quality }) => quality);
  const [low, high] = spread(Math.min(...qualities), Math.max(...qualities));
  const canvas = element("map", HTMLCanvasElement);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const cell = Math.ceil(Math.max(canvas.width, canvas.height) / CELLS); // whole pixels, so that no seam shows
  const scale = image.width / canvas.width;
  for (let top = 0; top < canvas.height; top += cell) {
    for (let left = 0; left < canvas.width; left += cell) {
      const quality = qualityAt(crops, (left + cell / 2) * scale, (top + cell / 2) * scale);
      if (quality === null) continue;
      context.fillStyle = colorOf((quality - low) / (high - low));
      context.fillRect(left, top, cell, cell);
    }
  }
  element("ramp", HTMLElement).style.background = `linear-gradient(to right, ${RAMP.map(css).join()})`;
  setText("map-low", low.toFixed(2));
  setText("map-high", high.toFixed(2));
  setText("map-text", describe(crops, image));
}

function spread(low: number, high: number): [number, number] {
  const missing = Math.max(0, LEAST_SPAN - (high - low)) / 2;
  return [low - missing, high + missing];
}

/** Null where no crop lies. */
function qualityAt(crops: readonly CropScore[], x: number, y: number): number | null {
  const over = crops.filter(
    ({ left, top, width, height }) => x >= left && x < left + width && y >= top && y < top + height,
  );
  if (over.length === 0) return null;
  return over.reduce((sum, { quality }) => sum + quality, 0) / over.length;
}

function colorOf(share: number): string {
  const place = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const first = Math.min(RAMP.length - 2, Math.floor(place));
  const mixed = [0, 1, 2].map((channel) => {
    const [from, to] = [RAMP[first]?.[channel] ?? 0, RAMP[first + 1]?.[channel] ?? 0];
    return Math.round(from + (to - from) * (place - first));
  });
  return css(mixed);
}

function css(color: readonly number[]): string {
  return `rgb(${color.join(" ")})`;
}

function describe(crops: readonly CropScore[], image: { readonly width: number; readonly height: number }): string {
  const sorted = [...crops].sort((a, b) => a.quality - b.quality);
  const [worst, best] = [sorted[0], sorted.at(-1)];
  if (worst === undefined || best === undefined || crops.length === 1) return "One crop covers the whole picture.";
  return (
    `${crops.length} crops: the worst ${worst.quality.toFixed(2)}, ${placeOf(worst, image)}; ` +
    `the best ${best.quality.toFixed(2)}, ${placeOf(best, image)}. What has no color is in none.`
  );
}

function placeOf({ left, top, width, height }: CropScore, image: { readonly width: number; readonly height: number }) {
  const third = (at: number, words: readonly string[]) => words[Math.min(2, Math.floor(at * 3))] ?? "";
  const down = third((top + height / 2) / image.height, ["top", "middle", "bottom"]);
  const across = third((left + width / 2) / image.width, ["left", "center", "right"]);
  return `${down} ${across}`;
}
