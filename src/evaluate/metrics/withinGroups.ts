/** Correlations inside groups of images, such as the scenes of PIQ23 or the versions of one photograph. */
import { groupBy } from "../../base/collections.js";
import type { Result } from "../../base/types.js";
import type { MappingResult } from "../mapping/fitMapping.js";
import type { Prediction } from "../scoring/predictions.js";
import { pearson, srcc } from "./correlation.js";
import { krcc } from "./kendall.js";
import { mean, median } from "./vectors.js";

/** Mean and median of a correlation over groups, or why there is none. */
type Summary = { readonly mean: number; readonly median: number } | { readonly mean: null; readonly reason: string };

/** Correlations within the groups of one kind. */
export interface WithinGroups {
  /** Groups of at least three images whose scores differ: those that the summaries are over. */
  readonly groups: number;
  /** Groups left out, as they are smaller or all alike. */
  readonly leftOut: number;
  readonly images: number;
  readonly srcc: Summary;
  /** Of predictions on the database's curve to MOS. */
  readonly plcc: Summary;
  readonly krcc: Summary;
}

/** Fewest images that a group is correlated over: of two the correlation is 1 or -1. */
const FEWEST = 3;

/** Within the contents, and within the scenes; an image with several scenes is in each of their groups. */
export function withinGroups(
  predictions: readonly Prediction[],
  mapping: MappingResult,
): { readonly content: WithinGroups; readonly scene: WithinGroups } {
  const onMos = mapping.ok ? mapping.mapping.apply(predictions.map(({ quality }) => quality)) : null;
  const keysOf = (names: (prediction: Prediction) => readonly string[]) =>
    predictions.flatMap((prediction, at) => names(prediction).map((name) => ({ name, at })));
  const summarize = (keys: readonly { readonly name: string; readonly at: number }[]) =>
    summaryOf([...groupBy(keys, ({ name }) => name).values()].map((group) => group.map(({ at }) => at)), predictions, onMos); // prettier-ignore
  return {
    content: summarize(keysOf(({ content }) => (content === null ? [] : [content]))),
    scene: summarize(keysOf(({ sceneLabels }) => sceneLabels)),
  };
}

interface GroupColumns {
  readonly quality: readonly number[];
  readonly mos: readonly number[];
  /** Predictions on the scale of MOS; null where there is no curve. */
  readonly mapped: readonly number[] | null;
}

function summaryOf(
  groups: readonly (readonly number[])[],
  predictions: readonly Prediction[],
  onMos: Float64Array | null,
): WithinGroups {
  const columns = groups.map((group): GroupColumns => ({
    quality: group.map((at) => predictions[at]?.quality ?? NaN),
    mos: group.map((at) => predictions[at]?.mos ?? NaN),
    mapped: onMos === null ? null : group.map((at) => onMos[at] ?? NaN),
  }));
  const used = columns.filter(({ quality, mos }) => mos.length >= FEWEST && srcc(quality, mos).ok);
  const over = (correlate: (one: GroupColumns) => Result): Summary => {
    const values = used.flatMap((group) => {
      const result = correlate(group);
      return result.ok ? [result.value] : [];
    });
    if (values.length > 0) return { mean: mean(values), median: median(values) };
    return { mean: null, reason: `no group of ${FEWEST} images or more whose scores differ` };
  };
  const noCurve: Result = { ok: false, reason: "no curve" };
  return {
    ...{ groups: used.length, leftOut: groups.length - used.length },
    images: used.reduce((sum, { mos }) => sum + mos.length, 0),
    srcc: over(({ quality, mos }) => srcc(quality, mos)),
    plcc: over(({ mapped, mos }) => (mapped === null ? noCurve : pearson(mapped, mos))),
    krcc: over(({ quality, mos }) => krcc(quality, mos)),
  };
}
