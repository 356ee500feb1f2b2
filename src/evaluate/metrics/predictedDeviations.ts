/** Deviations that a model predicts of its scores, beside people's disagreement and its own errors. */
import type { Result } from "../../base/types.js";
import type { MappingResult } from "../mapping/fitMapping.js";
import type { Prediction } from "../scoring/predictions.js";
import { srcc } from "./correlation.js";
import { isKnownDeviation } from "./errors.js";
import { mean, meanAndDeviation } from "./vectors.js";

/** A number, or why there is none. */
export type KnownNumber = { readonly value: number } | { readonly value: null; readonly reason: string };

/** Calibration of one predicted deviation. */
export interface Calibration {
  /** Mean of the predicted deviations, in levels. */
  readonly mean: KnownNumber;
  /** SRCC of the predicted deviations with those of people's opinions, over the images that have one. */
  readonly withOpinions: KnownNumber;
  /**
   * Root mean square of the predicted deviations on the scale of MOS, by the protocol's curve, divided by that of
   * people's: 1 where they are as wide, below 1 where the model is surer than people agree.
   */
  readonly width: KnownNumber;
  /** SRCC of the predicted deviations with the distance of the mapped prediction from MOS. */
  readonly withErrors: KnownNumber;
}

/** Calibration of both predicted deviations. */
export interface PredictedDeviations {
  /** Of the probabilities of the levels: √Σ p_k·(k − q)². */
  readonly levels: Calibration;
  /** Of the qualities of an image's windows, each by itself: population deviation. */
  readonly windows: Calibration;
}

type Scored = Pick<Prediction, "mos" | "mosStd" | "quality" | "probabilities" | "crops">;

/** Deviation over the levels, in levels; null without probabilities of levels. */
function levelDeviation({ probabilities: { quality: levels } }: Pick<Scored, "probabilities">): number | null {
  if (levels.length === 0) return null;
  const quality = levels.reduce((sum, p, i) => sum + p * (i + 1), 0);
  return Math.sqrt(levels.reduce((sum, p, i) => sum + p * (i + 1 - quality) ** 2, 0));
}

/** Deviation over the windows, in levels; null for fewer than two windows. */
function windowDeviation({ crops: { scores } }: Pick<Scored, "crops">): number | null {
  if (scores.length < 2) return null;
  const [, deviation] = meanAndDeviation(scores.map(({ quality }) => quality));
  return deviation;
}

/** Calibration of both deviations on a list. @param mapping  of the list's predictions to MOS */
export function predictedDeviations(predictions: readonly Scored[], mapping: MappingResult): PredictedDeviations {
  return {
    levels: calibrate(predictions, levelDeviation, mapping),
    windows: calibrate(predictions, windowDeviation, mapping),
  };
}

/** An image with its predicted deviation, in levels. */
type Spread = { readonly scored: Scored; readonly deviation: number };

function calibrate(
  predictions: readonly Scored[],
  deviationOf: (scored: Scored) => number | null,
  mapping: MappingResult,
): Calibration {
  const spreads = predictions.flatMap((scored) => {
    const deviation = deviationOf(scored);
    return deviation === null ? [] : [{ scored, deviation }];
  });
  const none: KnownNumber | null = spreads.length === 0 ? { value: null, reason: "no predicted deviations" } : null;
  const judged = spreads.filter(({ scored: { mosStd } }) => mosStd !== null && isKnownDeviation(mosStd));
  const opinions = judged.map(({ scored }) => scored.mosStd ?? NaN);
  return {
    mean: none ?? { value: mean(spreads.map(({ deviation }) => deviation)) },
    withOpinions: none ?? withOpinions(judged, opinions),
    width: none ?? widthOf(judged, opinions, mapping),
    withErrors: none ?? withErrors(spreads, mapping),
  };
}

const NO_OPINIONS: KnownNumber = { value: null, reason: "no deviations of the opinion scores" };

function withOpinions(judged: readonly Spread[], opinions: readonly number[]): KnownNumber {
  if (judged.length === 0) return NO_OPINIONS;
  return known(correlationOf(judged, opinions, "constant deviations of the opinion scores"));
}

/** Deviations on the scale of MOS: half of what the curve makes of quality ± deviation. */
function widthOf(judged: readonly Spread[], opinions: readonly number[], mapping: MappingResult): KnownNumber {
  if (judged.length === 0) return NO_OPINIONS;
  if (!mapping.ok) return { value: null, reason: mapping.reason };
  const { apply } = mapping.mapping;
  const at = (sign: number) =>
    apply(Float64Array.from(judged, ({ scored, deviation }) => scored.quality + sign * deviation));
  const [below, above] = [at(-1), at(1)];
  const halves = Array.from(above, (value, i) => (value - (below[i] ?? NaN)) / 2);
  return { value: rootMeanSquare(halves) / rootMeanSquare(opinions) };
}

function withErrors(spreads: readonly Spread[], mapping: MappingResult): KnownNumber {
  if (!mapping.ok) return { value: null, reason: mapping.reason };
  const mapped = mapping.mapping.apply(Float64Array.from(spreads, ({ scored }) => scored.quality));
  const errors = spreads.map(({ scored }, i) => Math.abs((mapped[i] ?? NaN) - scored.mos));
  return known(correlationOf(spreads, errors, "constant errors"));
}

/** SRCC of deviations with other numbers; the reasons of `srcc` name predictions and MOS, which these are not. */
function correlationOf(spreads: readonly Spread[], others: readonly number[], constant: string): Result {
  const found = srcc(
    spreads.map(({ deviation }) => deviation),
    others,
  );
  if (found.ok) return found;
  const reasons = new Map([
    ["constant predictions", "constant predicted deviations"],
    ["constant MOS", constant],
  ]);
  return { ok: false, reason: reasons.get(found.reason) ?? found.reason };
}

function known(result: Result): KnownNumber {
  return result.ok ? { value: result.value } : { value: null, reason: result.reason };
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(mean(values.map((value) => value * value)));
}
