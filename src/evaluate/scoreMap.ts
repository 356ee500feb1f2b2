import { WINDOW } from "../model/preprocess/crops.js";
import type { CropScore, ScoredCrops } from "./scoring/scoreImages.js";

/** Where in an image the model sees what quality. */
export interface ScoreMap {
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
