/** Points to fit; `weights` says how often each stands, once where there are none. */
export interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly weights?: Float64Array | undefined;
}

/** The squared error of a fit at one place, and its quadratic model there; J is the curve's Jacobian. */
export interface Linearization {
  readonly parameters: Float64Array;
  /** Σ weight·(y − curve)². */
  readonly squaredError: number;
  /** JᵀWJ, lower triangle, row after row. */
  readonly normal: Float64Array;
  /** JᵀW(y − curve): the direction of descent. */
  readonly gradient: Float64Array;
}

/** A curve; `partials` receives the derivatives of the returned value by the parameters. */
export type Curve = (parameters: Float64Array, x: number, partials: Float64Array) => number;

export function linearizeCurve(curve: Curve, parameters: Float64Array, { x, y, weights }: Points): Linearization {
  const size = parameters.length;
  const normal = new Float64Array(size * size);
  const gradient = new Float64Array(size);
  const partials = new Float64Array(size);
  let squaredError = 0;
  for (let i = 0; i < x.length; i++) {
    const weight = weights === undefined ? 1 : (weights[i] ?? NaN);
    if (weight === 0) continue;
    const residual = (y[i] ?? NaN) - curve(parameters, x[i] ?? NaN, partials);
    squaredError += weight * residual * residual;
    for (let j = 0; j < size; j++) {
      const weighted = weight * (partials[j] ?? NaN);
      gradient[j] = (gradient[j] ?? NaN) + weighted * residual;
      for (let k = 0; k <= j; k++) {
        normal[j * size + k] = (normal[j * size + k] ?? NaN) + weighted * (partials[k] ?? NaN);
      }
    }
  }
  return { parameters, squaredError, normal, gradient };
}

/** The norms of the Jacobian's columns. */
export function columnNorms({ normal, gradient }: Linearization): Float64Array {
  return gradient.map((_, j) => Math.sqrt(normal[j * gradient.length + j] ?? NaN));
}
