/**
 * Least squares as SciPy's `curve_fit` does it by default: MINPACK's LMDIF (J. J. Moré, B. S. Garbow and K. E. Hillstrom,
 * User Guide for MINPACK-1, 1980), with forward differences and pivoted orthogonal factors. A list can have several
 * minima, and which one a search finds from a start depends on each of its steps: so these are MINPACK's.
 */

/** Curve to fit: its parameters' values at x. */
type Curve = (parameters: Float64Array, x: number) => number;

/** Points to fit, of any scale. */
interface RawPoints {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

/** SciPy's `ftol` and `xtol`. */
const TOLERANCE = 1.49012e-8;
/** SciPy's `factor`: radius of the first trust region, in lengths of the start. */
const FIRST_RADIUS = 100;
/** SciPy's `maxfev` for four parameters; the release allows more, which only a search along an endless valley uses. */
const MAX_EVALUATIONS = 1000;
const DIFFERENCE = Math.sqrt(Number.EPSILON);
/** Smallest normal number. */
const DWARF = 2 ** -1022;

interface Found {
  readonly parameters: Float64Array;
  readonly iterations: number;
  /** False where the parameters are only the best that the search has seen: SciPy has an error then. */
  readonly hasArrived: boolean;
}

export function minpackFit(curve: Curve, points: RawPoints, start: Float64Array): Found {
  const residuals = (parameters: Float64Array) => {
    const left = new Float64Array(points.x.length);
    for (let i = 0; i < left.length; i++) left[i] = curve(parameters, points.x[i] ?? NaN) - (points.y[i] ?? NaN);
    return left;
  };
  let here: Place = placeAt(start, residuals);
  let region: Region = { diagonal: new Float64Array(start.length), radius: 0, damping: 0 };
  let evaluations = 1;
  for (let iteration = 1; ; iteration++) {
    const columns = differences(here, residuals);
    evaluations += start.length;
    const norms = columns.map(euclidean);
    const factor = triangularize(columns, here.residual);
    const found = (hasArrived: boolean): Found => ({ parameters: here.parameters, iterations: iteration, hasArrived });
    if (iteration === 1) region = firstRegion(here.parameters, norms);
    if (isStationary(factor, norms, here.norm)) return found(true);
    region.diagonal = region.diagonal.map((largest, j) => Math.max(largest, norms[j] ?? NaN));
    for (let isTaken = false; !isTaken;) {
      const { next, isFinished, ratio } = tryStep(here, factor, { region, residuals, isFirst: iteration === 1 });
      evaluations++;
      isTaken = ratio >= 1e-4;
      if (isTaken) here = next;
      if (isFinished(here)) return found(Number.isFinite(here.norm));
      if (evaluations >= MAX_EVALUATIONS || !Number.isFinite(region.radius)) return found(false);
    }
  }
}

type Residuals = (parameters: Float64Array) => Float64Array;

interface Place {
  readonly parameters: Float64Array;
  readonly residual: Float64Array;
  readonly norm: number;
}

function placeAt(parameters: Float64Array, residuals: Residuals): Place {
  const residual = residuals(parameters);
  return { parameters, residual, norm: euclidean(residual) };
}

/** Columns of the Jacobian. */
function differences({ parameters, residual }: Place, residuals: Residuals): Float64Array[] {
  return Array.from(parameters, (value, j) => {
    const step = DIFFERENCE * Math.abs(value) || DIFFERENCE;
    const moved = residuals(parameters.with(j, value + step));
    for (let i = 0; i < moved.length; i++) moved[i] = ((moved[i] ?? NaN) - (residual[i] ?? NaN)) / step;
    return moved;
  });
}

/** Trust region: steps of at most `radius` in units of `diagonal`; `damping` is the last step's. */
interface Region {
  diagonal: Float64Array;
  radius: number;
  damping: number;
}

function firstRegion(parameters: Float64Array, norms: readonly number[]): Region {
  const diagonal = Float64Array.from(norms, (norm) => norm || 1);
  return { diagonal, radius: FIRST_RADIUS * (scaledNorm(parameters, diagonal) || 1), damping: 0 };
}

/** R of QR = J with its columns in `order`, and Qᵀ of the residual. */
interface Factor {
  /** Row after row. */
  readonly upper: Float64Array;
  readonly order: readonly number[];
  readonly rotated: Float64Array;
}

/** Householder's factors, at each step of the column with the largest remainder; columns are used up. */
function triangularize(columns: Float64Array[], right: Float64Array, isPivoted = true): Factor {
  const size = columns.length;
  const order = columns.map((_, j) => j);
  const rotated = right.slice();
  const upper = new Float64Array(size * size);
  const remainder = (column: Float64Array, from: number) => euclidean(column.subarray(from));
  for (let j = 0; j < size; j++) {
    if (isPivoted) swapLargest(columns, order, j);
    const column = columns[j] ?? new Float64Array();
    for (let i = 0; i < j; i++) upper[i * size + j] = column[i] ?? NaN;
    const norm = (column[j] ?? 0) < 0 ? -remainder(column, j) : remainder(column, j);
    if (norm === 0) continue;
    for (let i = j; i < column.length; i++) column[i] = (column[i] ?? NaN) / norm;
    column[j] = (column[j] ?? NaN) + 1;
    for (const other of [...columns.slice(j + 1), rotated]) reflect(other, column, j);
    upper[j * size + j] = -norm;
  }
  return { upper, order, rotated };
}

function swapLargest(columns: Float64Array[], order: number[], from: number): void {
  const norms = columns.map((column, k) => (k < from ? -1 : euclidean(column.subarray(from))));
  const largest = norms.indexOf(norms.reduce((a, b) => Math.max(a, b)));
  const best = largest < 0 ? from : largest; // norms that are NaN
  for (const list of [columns, order] as unknown[][]) [list[from], list[best]] = [list[best], list[from]];
}

function reflect(values: Float64Array, mirror: Float64Array, from: number): void {
  let sum = 0;
  for (let i = from; i < values.length; i++) sum += (mirror[i] ?? NaN) * (values[i] ?? NaN);
  const share = sum / (mirror[from] ?? NaN);
  for (let i = from; i < values.length; i++) values[i] = (values[i] ?? NaN) - share * (mirror[i] ?? NaN);
}

/** True where no column of the Jacobian has any part in the residual. */
function isStationary({ upper, order, rotated }: Factor, norms: readonly number[], norm: number): boolean {
  if (norm === 0) return true;
  return order.every((column, j) => {
    const size = norms[column] ?? NaN;
    return size === 0 || columnTimes(upper, rotated, j) === 0;
  });
}

/** Product of column j of an upper triangle with a vector. */
function columnTimes(upper: Float64Array, vector: Float64Array, j: number): number {
  const size = Math.sqrt(upper.length);
  let sum = 0;
  for (let i = 0; i <= j; i++) sum += (upper[i * size + j] ?? NaN) * (vector[i] ?? NaN);
  return sum;
}

interface Step {
  readonly region: Region;
  readonly residuals: Residuals;
  readonly isFirst: boolean;
}

/** Tries the region's best step, and fits the region to how far the quadratic model held. */
function tryStep(here: Place, factor: Factor, { region, residuals, isFirst }: Step) {
  const step = stepWithin(factor, region).map((s) => -s);
  const length = scaledNorm(step, region.diagonal);
  if (isFirst) region.radius = Math.min(region.radius, length);
  const next = placeAt(here.parameters.map((p, j) => p + (step[j] ?? NaN)), residuals); // prettier-ignore
  const gained = 0.1 * next.norm < here.norm ? 1 - (next.norm / here.norm) ** 2 : -1;
  const byModel = (modelNorm(factor, step) / here.norm) ** 2;
  const byDamping = region.damping * (length / here.norm) ** 2;
  const promised = byModel + 2 * byDamping;
  const slope = -(byModel + byDamping);
  const ratio = promised === 0 ? 0 : gained / promised;
  if (ratio <= 0.25) {
    const shrink = gained >= 0 ? 0.5 : (0.5 * slope) / (slope + 0.5 * gained);
    const by = 0.1 * next.norm >= here.norm || shrink < 0.1 ? 0.1 : shrink;
    region.radius = by * Math.min(region.radius, 10 * length);
    region.damping /= by;
  } else if (region.damping === 0 || ratio >= 0.75) {
    region.radius = 2 * length;
    region.damping /= 2;
  }
  const isFinished = ({ parameters }: Place): boolean =>
    (Math.abs(gained) <= TOLERANCE && promised <= TOLERANCE && ratio <= 2) ||
    region.radius <= TOLERANCE * scaledNorm(parameters, region.diagonal);
  return { next, ratio, isFinished };
}

/** Length of J·step. */
function modelNorm({ upper, order }: Factor, step: Float64Array): number {
  const size = order.length;
  const product = new Float64Array(size);
  order.forEach((column, j) => {
    for (let i = 0; i <= j; i++) product[i] = (product[i] ?? 0) + (upper[i * size + j] ?? NaN) * (step[column] ?? NaN);
  });
  return euclidean(product);
}

/** LMPAR: Newton's method on the damping at which the step's length is the region's radius within a tenth. */
function stepWithin(factor: Factor, region: Region): Float64Array {
  const { upper, order, rotated } = factor;
  const { diagonal, radius } = region;
  const size = order.length;
  const free = solveFree(factor);
  let step = inOrder(free, order);
  let length = scaledNorm(step, diagonal);
  let excess = length - radius;
  if (excess <= 0.1 * radius) {
    region.damping = 0;
    return step;
  }
  const isSingular = order.some((_, j) => upper[j * size + j] === 0);
  let low = isSingular ? 0 : excess / radius / newtonSize(upper, factor, { step, length, diagonal }) ** 2;
  const steepest = euclidean(Float64Array.from(order, (column, j) => columnTimes(upper, rotated, j) / (diagonal[column] ?? NaN))); // prettier-ignore
  let high = steepest / radius || DWARF / Math.min(radius, 0.1);
  let damping = Math.min(Math.max(region.damping, low), high) || steepest / length;
  for (let attempt = 1; ; attempt++) {
    damping = damping || Math.max(DWARF, 0.001 * high);
    const damped = dampedFactor(factor, diagonal, damping);
    step = inOrder(solveFree(damped), order);
    length = scaledNorm(step, diagonal);
    const before = excess;
    excess = length - radius;
    const isDone = Math.abs(excess) <= 0.1 * radius || (low === 0 && excess <= before && before < 0) || attempt === 10;
    if (isDone || Number.isNaN(excess)) break;
    const correction = excess / radius / newtonSize(damped.upper, factor, { step, length, diagonal }) ** 2;
    if (excess > 0) low = Math.max(low, damping);
    else high = Math.min(high, damping);
    damping = Math.max(low, damping + correction);
  }
  region.damping = damping;
  return step;
}

/** Solution of Rz = Qᵀb; past a zero on the diagonal z is 0. */
function solveFree({ upper, order, rotated }: Factor): Float64Array {
  const size = order.length;
  const singular = order.findIndex((_, j) => upper[j * size + j] === 0);
  const rank = singular < 0 ? size : singular;
  const z = Float64Array.from(order, (_, j) => (j < rank ? (rotated[j] ?? NaN) : 0));
  for (let j = rank - 1; j >= 0; j--) {
    z[j] = (z[j] ?? NaN) / (upper[j * size + j] ?? NaN);
    for (let i = 0; i < j; i++) z[i] = (z[i] ?? NaN) - (upper[i * size + j] ?? NaN) * (z[j] ?? NaN);
  }
  return z;
}

/** Values of the factor's columns, each at its parameter's place. */
function inOrder(z: Float64Array, order: readonly number[]): Float64Array {
  const values = new Float64Array(z.length);
  order.forEach((column, j) => (values[column] = z[j] ?? NaN));
  return values;
}

/** Factor of the Jacobian above the damping's diagonal. */
function dampedFactor({ upper, order, rotated }: Factor, diagonal: Float64Array, damping: number): Factor {
  const size = order.length;
  const columns = order.map((column, j) => {
    const values = new Float64Array(2 * size);
    for (let i = 0; i <= j; i++) values[i] = upper[i * size + j] ?? NaN;
    values[size + j] = Math.sqrt(damping) * (diagonal[column] ?? NaN);
    return values;
  });
  const right = new Float64Array(2 * size);
  right.set(rotated.subarray(0, size));
  const factor = triangularize(columns, right, false);
  return { ...factor, order };
}

/** Norm of S⁻ᵀ times the scaled step's direction, which Newton's correction of the damping divides by. */
function newtonSize(
  upper: Float64Array,
  { order }: Factor,
  { step, length, diagonal }: { readonly step: Float64Array; readonly length: number; readonly diagonal: Float64Array },
): number {
  const size = order.length;
  const z = Float64Array.from(order, (column) => ((diagonal[column] ?? NaN) ** 2 * (step[column] ?? NaN)) / length);
  for (let j = 0; j < size; j++) {
    let left = z[j] ?? NaN;
    for (let i = 0; i < j; i++) left -= (upper[i * size + j] ?? NaN) * (z[i] ?? NaN);
    z[j] = left / (upper[j * size + j] ?? NaN);
  }
  return euclidean(z);
}

function scaledNorm(values: Float64Array, diagonal: Float64Array): number {
  return euclidean(values.map((value, j) => value * (diagonal[j] ?? NaN)));
}

/** Euclidean norm, whose squares stay in float64. */
function euclidean(values: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i] ?? NaN);
    if (Number.isNaN(size)) return NaN;
    largest = Math.max(largest, size);
  }
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += ((values[i] ?? NaN) / largest) ** 2;
  return largest * Math.sqrt(sum);
}
