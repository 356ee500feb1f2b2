/** Largest magnitude of a symmetric int8: −128 is left out, so that both signs reach equally far. */
export const LARGEST_INT8 = 127;

/** Shares of a row's largest magnitude that are tried as the magnitude of 127: a few cut-off outliers may pay. */
const REACHES: readonly number[] = Array.from({ length: 21 }, (_, i) => 1 - 0.025 * i);

/** Rows of whole numbers from -127 to 127, each with the scale that gives its values back: value ≈ scale · integer. */
export interface QuantizedRows {
  readonly scales: Float32Array;
  readonly quantized: Int8Array<ArrayBuffer>;
}

/**
 * Symmetric int8 with the scale of each row that makes the sum of its squared errors least, among 21 from its largest
 * magnitude down to half of it; 1 for a row of zeros. @param values  [rows, ...], borrowed
 */
export function quantizeRows(values: Float32Array, rows: number): QuantizedRows {
  const width = values.length / rows;
  const scales = new Float32Array(rows);
  const quantized = new Int8Array(values.length);
  for (let row = 0; row < rows; row++) {
    const line = values.subarray(row * width, (row + 1) * width);
    const scale = bestScale(line);
    scales[row] = scale;
    line.forEach((value, i) => (quantized[row * width + i] = nearest(value, scale)));
  }
  return { scales, quantized };
}

/** Values that `quantizeRows` stands for. */
export function dequantizedRows({ scales, quantized }: QuantizedRows): Float32Array {
  const width = quantized.length / scales.length;
  return Float32Array.from(quantized, (integer, i) => integer * (scales[Math.floor(i / width)] ?? NaN));
}

function bestScale(line: Float32Array): number {
  const largest = line.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (largest === 0) return 1;
  let best = { scale: NaN, error: Infinity };
  for (const reach of REACHES) {
    const scale = Math.fround((reach * largest) / LARGEST_INT8);
    const error = squaredError(line, scale);
    if (error < best.error) best = { scale, error };
  }
  return best.scale;
}

function squaredError(line: Float32Array, scale: number): number {
  let sum = 0;
  for (let i = 0; i < line.length; i++) {
    const value = line[i] ?? NaN;
    const error = value - scale * nearest(value, scale);
    sum += error * error;
  }
  return sum;
}

/** Ties go away from zero, so that both signs round alike. */
function nearest(value: number, scale: number): number {
  const integer = Math.sign(value) * Math.round(Math.abs(value) / scale);
  return Math.max(-LARGEST_INT8, Math.min(LARGEST_INT8, integer));
}
