/** The cubic's free parameter as PyTorch has it. */
const CUBIC = -0.75;

/**
 * Interpolates an image position embedding to another grid: bicubic, half-pixel centres, edges repeated, as
 * `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)`. The class's row stays as it is.
 *
 * @param values [1 + from·from, width], row-major, borrowed
 * @returns [1 + to·to, width], given
 */
export function resizePositions(values: Float32Array, from: number, to: number): Float32Array {
  const width = values.length / (1 + from * from);
  const resized = new Float32Array((1 + to * to) * width);
  resized.set(values.subarray(0, width));
  const taps = Array.from({ length: to }, (_, i) => cubicTaps(((i + 0.5) * from) / to - 0.5, from));
  for (const [row, rowTaps] of taps.entries()) {
    for (const [col, colTaps] of taps.entries()) {
      const target = (1 + row * to + col) * width;
      for (const [r, rowWeight] of rowTaps) {
        for (const [c, colWeight] of colTaps) {
          const source = (1 + r * from + c) * width;
          const weight = rowWeight * colWeight;
          for (let k = 0; k < width; k++) {
            resized[target + k] = (resized[target + k] ?? NaN) + weight * (values[source + k] ?? NaN);
          }
        }
      }
    }
  }
  return resized;
}

/** The four neighbours of a place between grid points and their weights (Keys 1981). */
function cubicTaps(place: number, size: number): (readonly [number, number])[] {
  const first = Math.floor(place);
  return [-1, 0, 1, 2].map((step) => {
    const index = Math.min(size - 1, Math.max(0, first + step));
    return [index, cubic(Math.abs(place - (first + step)))];
  });
}

function cubic(x: number): number {
  if (x <= 1) return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
  return x < 2 ? ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC : 0;
}
