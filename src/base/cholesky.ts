/** Cholesky's method for symmetric positive definite matrices, in float64. */

/** Cholesky factor: lower triangle of a square matrix, row after row. */
export type Factor = { readonly size: number; readonly lower: Float64Array };

/** L with LLᵀ = A, from A's lower triangle; undefined where A is not positive definite in float64. */
export function cholesky(a: Float64Array, size: number): Factor | undefined {
  const lower = new Float64Array(size * size);
  const at = (i: number, j: number): number => lower[i * size + j] ?? NaN;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const whole = a[i * size + j] ?? NaN;
      let left = whole;
      for (let k = 0; k < j; k++) left -= at(i, k) * at(j, k);
      if (i === j && !(left > Number.EPSILON * whole)) return undefined;
      lower[i * size + j] = i === j ? Math.sqrt(left) : left / at(j, j);
    }
  }
  return { size, lower };
}

/** x with Lx = b. */
export function solveLower({ size, lower }: Factor, b: Float64Array): Float64Array {
  const x = b.slice();
  for (let i = 0; i < size; i++) {
    let left = x[i] ?? NaN;
    for (let k = 0; k < i; k++) left -= (lower[i * size + k] ?? NaN) * (x[k] ?? NaN);
    x[i] = left / (lower[i * size + i] ?? NaN);
  }
  return x;
}

/** x with LLᵀx = b. */
export function solveFactored(factor: Factor, b: Float64Array): Float64Array {
  const { size, lower } = factor;
  const x = solveLower(factor, b);
  for (let i = size - 1; i >= 0; i--) {
    let left = x[i] ?? NaN;
    for (let k = i + 1; k < size; k++) left -= (lower[k * size + i] ?? NaN) * (x[k] ?? NaN);
    x[i] = left / (lower[i * size + i] ?? NaN);
  }
  return x;
}
