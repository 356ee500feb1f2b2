import { readFileSync } from "node:fs";

/** One protocol's fit as SciPy found it. */
export interface ReferenceFit {
  readonly plcc: number;
  readonly rmse: number;
  readonly fitted: readonly number[];
  readonly released?: number;
}

/** A case of scripts/reference/statistics.py. */
export interface ReferenceCase {
  readonly name: string;
  readonly predicted: readonly number[];
  readonly mos: readonly number[];
  readonly srcc: number | null;
  readonly krcc: number | null;
  readonly pearson: number | null;
  readonly rmse: number;
  readonly mae: number;
  readonly liqe: ReferenceFit | null;
  readonly vqeg4: ReferenceFit | null;
  readonly logistic5: ReferenceFit | null;
}

type StoredCase = Omit<ReferenceCase, "predicted" | "mos"> &
  ({ readonly formula: number } | { readonly predicted: readonly number[]; readonly mos: readonly number[] });

const FILE = new URL("../fixtures/statistics/statistics.json", import.meta.url);

export function referenceCases(): ReferenceCase[] {
  const stored = JSON.parse(readFileSync(FILE, "utf8")) as { readonly cases: readonly StoredCase[] }; // as its script wrote it
  return stored.cases.map((one) => ("formula" in one ? { ...one, ...byFormula(one.formula) } : one));
}

/** The large cases, which the script makes by the same formula. */
export function byFormula(images: number): { predicted: number[]; mos: number[] } {
  const u = Array.from({ length: images }, (_, i) => ((i + 1) * 0.6180339887498949) % 1);
  const v = Array.from({ length: images }, (_, i) => ((i + 1) * 0.7548776662466927) % 1);
  return {
    predicted: u.map((x) => 1 + 4 * x),
    mos: u.map((x, i) => 100 / (1 + Math.exp(-6 * (x - 0.5))) + 20 * ((v[i] ?? NaN) - 0.5)),
  };
}

/** The entries that the fixture keeps of a fitted curve. */
export function keptEntries<T>(values: Iterable<T>): T[] {
  const all = [...values];
  return all.length <= 60 ? all : all.filter((_, i) => i % Math.floor(all.length / 20) === 0);
}
