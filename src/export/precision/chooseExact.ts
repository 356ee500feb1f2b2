import type { Differences, ExportDtype } from "../../inference/manifest.js";
import type { NamedArray } from "../../model/parameters/parameters.js";
import { concatenated, extentOf, sum } from "../../base/collections.js";
import type { Task } from "../../model/prompts/promptGrid.js";
import type { ExportFormat, ExportSource, RuntimeScore } from "../exportFormat.js";
import { goldenCrops, scoreOfLogits } from "../golden/goldenScores.js";
import { differencesOf, type GoldenImage, TOLERANCES } from "../golden/parity.js";
import { RoundedModel } from "./roundedModel.js";

/** Most of the numbers that may stay float32: past it the export would be one of float32 under another name. */
const MOST_EXACT = 0.9;
/** Part of the tolerance that a choice may use up: the runtime that reads the export back adds its own rounding. */
const MARGIN = 0.8;
/** Number of crops that each tensor's own error is measured on: those which all tensors together put off most. */
const PROBES = 8;

/** A tensor that may stay float32. */
interface Candidate {
  readonly name: string;
  /** Count of its numbers, each of which costs the same bytes to keep. */
  readonly size: number;
  /** Square of the largest error of a probe, in tolerances, where this tensor alone is rounded. */
  readonly error: number;
}

interface Rounding {
  readonly source: ExportSource;
  readonly format: ExportFormat;
  readonly dtype: ExportDtype;
  readonly set: readonly GoldenImage[];
}

/**
 * Chooses the tensors that stay float32 so that the rest can be stored in fewer bits: those whose rounding, measured one
 * by one, puts the scores off most for their size. As few as let the golden images, scored by the engine, keep within the
 * tolerance.
 * @returns their names; null where nearly all would have to stay
 */
export function chooseExact(rounding: Rounding): ReadonlySet<string> | null {
  const rounded = roundedTensors(rounding);
  const total = sum([...rounded.values()].map(({ values }) => values.length));
  const model = new RoundedModel(rounding.source);
  try {
    const candidates = bySensitivity(model, rounded, rounding);
    for (let count = predicted(candidates); count <= candidates.length; count += Math.ceil(count / 4)) {
      const kept = candidates.slice(0, count);
      if (sum(kept.map(({ size }) => size)) > MOST_EXACT * total) return null;
      const exact = new Set(kept.map(({ name }) => name));
      const others = [...rounded].filter(([name]) => !exact.has(name));
      if (worstOf(withExchanged(model, new Map(others), rounding.set), rounding.dtype) <= MARGIN) return exact;
    }
    return null;
  } finally {
    model.dispose();
  }
}

/** True where a model's scores keep within the tolerance of a type with all tensors rounded. */
export function keepsScores(rounding: Rounding): boolean {
  const model = new RoundedModel(rounding.source);
  try {
    return worstOf(withExchanged(model, roundedTensors(rounding), rounding.set), rounding.dtype) <= MARGIN;
  } finally {
    model.dispose();
  }
}

function roundedTensors({ source, format, dtype }: Rounding): Map<string, NamedArray> {
  const rounded = new Map<string, NamedArray>();
  for (const [name, array] of source.weights) {
    const values = format.rounded(name, array, dtype);
    if (values !== null) rounded.set(name, { shape: array.shape, values });
  }
  return rounded;
}

/** Differences of all golden images with tensors exchanged, which are put back. */
function withExchanged(
  model: RoundedModel,
  arrays: ReadonlyMap<string, NamedArray>,
  set: readonly GoldenImage[],
): Differences[] {
  model.exchange(arrays);
  const { axes } = model;
  const differences = set.map(({ image, expected }) =>
    differencesOf(scoreOfLogits(model.logits(goldenCrops(image(), model.window)), axes), expected),
  );
  model.restore(arrays.keys());
  return differences;
}

/** Largest difference in tolerances. */
function worstOf(differences: readonly Differences[], dtype: ExportDtype): number {
  const { quality, probability } = TOLERANCES[dtype];
  return differences
    .map((found) => Math.max(found.quality / quality, found.probability / probability))
    .reduce((a, b) => Math.max(a, b), 0); // NaN where one is
}

/** Tensors by their error for their size, the worst first. */
function bySensitivity(
  model: RoundedModel,
  rounded: ReadonlyMap<string, NamedArray>,
  { set, dtype }: Rounding,
): Candidate[] {
  const probe = probeOf(model, rounded, set);
  const candidates = [...rounded].map(([name, array]) => {
    model.exchange(new Map([[name, array]]));
    const error = probe(model, dtype) ** 2;
    model.restore([name]);
    return { name, size: array.values.length, error };
  });
  return candidates.sort((a, b) => b.error / b.size - a.error / a.size);
}

/** Largest error, in tolerances, of the crops that all rounded tensors together put off most, as the model now is. */
function probeOf(
  model: RoundedModel,
  rounded: ReadonlyMap<string, NamedArray>,
  set: readonly GoldenImage[],
): (model: RoundedModel, dtype: ExportDtype) => number {
  const { axes } = model;
  model.exchange(rounded);
  const worst = set
    .flatMap(({ image, expected }) => {
      const pixels = goldenCrops(image(), model.window);
      const found = scoreOfLogits(model.logits(pixels), axes).cropQualities;
      return expected.crops.map(({ quality }, i) => {
        const crop = pixels.subarray(i * model.cropSize, (i + 1) * model.cropSize);
        return { crop, off: Math.abs((found[i] ?? NaN) - quality) };
      });
    })
    .sort((a, b) => b.off - a.off)
    .slice(0, PROBES);
  model.restore(rounded.keys());
  const pixels = concatenated(
    Uint8Array,
    worst.map(({ crop }) => crop),
  );
  const exact = cropScores(model, pixels);
  return (now, dtype) =>
    worstOf(
      cropScores(now, pixels).map((score, i) => apart(score, exact[i])),
      dtype,
    );
}

function cropScores(model: RoundedModel, pixels: Uint8Array): RuntimeScore[] {
  const logits = model.logits(pixels);
  const prompts = (logits.length * model.cropSize) / pixels.length;
  return Array.from({ length: logits.length / prompts }, (_, i) =>
    scoreOfLogits(logits.subarray(i * prompts, (i + 1) * prompts), model.axes),
  );
}

function apart(score: RuntimeScore, exact: RuntimeScore | undefined): Differences {
  const labels = Object.entries(exact?.probabilities ?? {}).flatMap(([axis, expected]) => {
    const found = score.probabilities[axis as Task]; // of the same model
    return Array.from(expected, (p, i) => Math.abs((found?.[i] ?? NaN) - p));
  });
  return { quality: Math.abs(score.quality - (exact?.quality ?? NaN)), probability: extentOf(labels).most };
}

/** Number of tensors to keep so that the errors of the others, as if independent, add up to less than the margin. */
function predicted(candidates: readonly Candidate[]): number {
  let rest = sum(candidates.map(({ error }) => error));
  const count = candidates.findIndex(({ error }) => {
    rest -= error;
    return rest <= MARGIN ** 2;
  });
  return count < 0 ? Math.max(1, candidates.length) : count + 1; // none is enough where errors are not numbers
}
