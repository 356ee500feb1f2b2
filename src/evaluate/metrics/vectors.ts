/**
 * Sums over images in plain loops: the bootstrap runs them thousands of times, and callbacks cost several times as
 * much. Image i counts `weights[i]` times, once where there are no weights.
 */
type Weights = Float64Array | undefined;

/** f of each value. */
export function mapNumbers(values: ArrayLike<number>, f: (value: number) => number): Float64Array {
  const mapped = new Float64Array(values.length);
  for (let i = 0; i < mapped.length; i++) mapped[i] = f(values[i] ?? NaN);
  return mapped;
}

export function mean(values: ArrayLike<number>, weights?: Weights): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const weight = weights === undefined ? 1 : (weights[i] ?? NaN);
    sum += weight * (values[i] ?? NaN);
    total += weight;
  }
  return sum / total;
}

export function dot(a: Float64Array, b: Float64Array, weights?: Weights): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    sum += (weights === undefined ? 1 : (weights[i] ?? NaN)) * (a[i] ?? NaN) * (b[i] ?? NaN);
  }
  return sum;
}

/** A copy less its mean. */
export function centered(values: ArrayLike<number>, weights?: Weights): Float64Array {
  const middle = mean(values, weights);
  const out = new Float64Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = (values[i] ?? NaN) - middle;
  return out;
}

/** Mean and population standard deviation. */
export function meanAndDeviation(values: ArrayLike<number>): [number, number] {
  const deviations = centered(values);
  return [mean(values), Math.sqrt(dot(deviations, deviations) / values.length)];
}

/** Middle value, of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}
