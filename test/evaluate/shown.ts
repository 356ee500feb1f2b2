/** Results written by hand, of short numbers, for tests that compare the whole text of what shows them. */
import type { DatabaseResults, MetricJson } from "../../src/evaluate/results/databaseResults.js";
import type { Results } from "../../src/evaluate/results/results.js";
import { METRIC_NAMES, recordOf } from "../../src/evaluate/metrics/metrics.js";

/** A value between the ends of its interval. */
export function between(low: number, value: number, high: number): MetricJson {
  return { value, low, high };
}

/** A value without an interval. */
export function alone(value: number, intervalReason = "nothing to resample: one unit"): MetricJson {
  return { value, low: null, high: null, intervalReason };
}

export function without(reason: string): MetricJson {
  return { value: null, reason };
}

const NO_GROUPS = { mean: null, reason: "no group of 3 images or more whose scores differ" } as const;
const UNGROUPED = { groups: 0, leftOut: 0, images: 0, srcc: NO_GROUPS, plcc: NO_GROUPS, krcc: NO_GROUPS } as const;
const NO_DEVIATIONS = without("no deviations of the opinion scores");
const UNCALIBRATED = { mean: { value: 0.5 }, withOpinions: NO_DEVIATIONS, width: NO_DEVIATIONS, withErrors: NO_DEVIATIONS }; // prettier-ignore

/** A list of one's own of 8 images of which little is known. */
export function plainResults(given: Partial<DatabaseResults> = {}): DatabaseResults {
  const nothing = { labels: [], counts: [] };
  return {
    ...{ name: "plain", split: null, subset: "test", seen: null, published: null, images: 8, deviations: 0 },
    ...recordOf(METRIC_NAMES, () => without("too few images")),
    ...{ srcc: between(-0.25, 0.5, 0.875), plcc: alone(0.625), krcc: alone(0.375) },
    noiseCeiling: { value: null, reason: "no deviations of the opinion scores" },
    predictedDeviations: { levels: UNCALIBRATED, windows: UNCALIBRATED },
    failed: [],
    resampled: "images",
    resampling: { units: 8, drawnFrom: 8, resamples: 1000, note: null },
    mapping: null,
    confusion: { scene: nothing, distortion: nothing },
    ...{ byDistortion: [], byScene: [] },
    within: { content: UNGROUPED, scene: UNGROUPED },
    distributions: { kl: null, reason: "no deviations of the opinion scores" },
    ...given,
  };
}

/** A published test list of which everything is known: labels, deviations, contents, figures, failures. */
export function fullResults(given: Partial<DatabaseResults> = {}): DatabaseResults {
  const group = (label: string, images: number, units: number) => ({
    ...{ label, images, units },
    ...recordOf(METRIC_NAMES, () => without("too few images")),
    ...{ srcc: between(0.5, 0.75, 1), rmse: alone(12.5) },
  });
  const within = (srcc: number, plcc: number, krcc: number) => ({
    ...{ groups: 3, leftOut: 1, images: 11 },
    srcc: { mean: srcc, median: srcc + 0.125 },
    plcc: { mean: plcc, median: plcc + 0.125 },
    krcc: { mean: krcc, median: krcc + 0.125 },
  });
  const failed = Array.from({ length: 7 }, (_, i) => ({ image: `gone${i}.png`, error: `gone${i}.png: no such file` }));
  return plainResults({
    ...{ name: "a-long-database", split: 2, images: 12, deviations: 12, failed },
    published: { srcc: 0.93, plcc: 0.931 },
    ...{ srcc: between(0.75, 0.875, 0.9375), plcc: between(0.5, 0.8125, 1), krcc: between(-0.0625, 0.6875, 0.75) },
    ...{ rmse: between(9.5, 12.25, 125.5), mae: between(8, 9.75, 10), outlierRatio: { value: 0.25, low: 0, high: 0.5, lost: 3 } }, // prettier-ignore
    ...{ sceneAccuracy: alone(1), distortionAccuracy: between(0.25, 0.5, 0.625) },
    noiseCeiling: { value: 0.9875, images: 12, opinions: 25 },
    predictedDeviations: {
      levels: { ...UNCALIBRATED, withOpinions: { value: 0.25 }, width: { value: 1.5 } },
      windows: { ...UNCALIBRATED, withOpinions: { value: -0.125 } },
    },
    resampled: "contents",
    resampling: { units: 4, drawnFrom: 4, resamples: 2000, note: "only 4 contents" },
    mapping: {
      ...{ converged: true, formula: "logistic", parameters: [100, 0, 3, 0.5], digits: 4 },
      ...{ iterations: 7, startsTried: 1, startsConverged: 1 },
      curve: { quality: [1, 2, 3, 4, 5], mos: [0, 10, 50, 90, 100] },
    },
    confusion: {
      scene: { labels: ["animal", "night"], counts: [[2.5, 1], [0, 0]] }, // prettier-ignore
      distortion: { labels: ["blur", "noise", "other"], counts: [[4, 0, 1], [0, 7, 0], [0, 0, 0]] }, // prettier-ignore
    },
    byDistortion: [group("blur", 5, 3), group("noise", 7, 4)],
    byScene: [group("animal", 12, 4)],
    within: { content: within(0.5, 0.25, 0.375), scene: { ...within(0.75, 0.5, 0.625), groups: 2 } },
    distributions: { images: 12, kl: 0.125, wasserstein: 0.375, calibration: 0.0625 },
    ...given,
  });
}

/** Both lists, their means, and their images together. */
export function shownResults(databases: readonly DatabaseResults[] = [fullResults(), plainResults()]): Results {
  return {
    ...{ protocol: "vqeg4", protocolVersion: 2, checkpoint: "runs/mine/split-2/best", crops: 15, seed: 1 },
    confidence: 0.95,
    databases,
    mean: { srcc: between(0.25, 0.6875, 0.8125), plcc: without("1 of 2 have no value: too few images"), krcc: alone(0.53125) }, // prettier-ignore
    pooled: { srcc: between(0.5, 0.65625, 0.75), realignments: [] },
  };
}
