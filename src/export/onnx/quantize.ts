/** The largest magnitude of a symmetric int8: −128 is left out, so that both signs reach equally far. */
const LARGEST = 127;

/**
 * Symmetric int8 with a scale a row: value ≈ scale · integer, ties away from zero. A row of zeros has scale 1.
 *
 * @param values  [rows, ...], row-major, borrowed
 */
export function quantizeRows(values: Float32Array, rows: number): { scales: Float32Array; quantized: Int8Array } {
  const width = values.length / rows;
  const scales = new Float32Array(rows);
  const quantized = new Int8Array(values.length);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let i = row * width; i < (row + 1) * width; i++) largest = Math.max(largest, Math.abs(values[i] ?? NaN));
    const scale = largest === 0 ? 1 : Math.fround(largest / LARGEST);
    scales[row] = scale;
    for (let i = row * width; i < (row + 1) * width; i++) {
      const value = values[i] ?? NaN;
      quantized[i] = Math.max(-LARGEST, Math.min(LARGEST, Math.sign(value) * Math.round(Math.abs(value) / scale)));
    }
  }
  return { scales, quantized };
}
