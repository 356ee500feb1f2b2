import { FILES_AT_ONCE, mapConcurrent } from "../../base/concurrency.js";
import { DataError, StalledReadError } from "../../base/errors.js";
import type { Sample } from "../../data/sample.js";
import {
  type Prediction,
  predictionOf,
  type Predictions,
  type PredictOptions,
} from "../../evaluate/scoring/predictions.js";
import * as tf from "../../engine/tf.js";
import type { LiqeModel } from "../../model/liqe.js";
import { posteriorOf } from "../../model/posterior.js";
import { imageLogits } from "../../model/scorer.js";
import type { FeatureStore } from "./featureStore.js";
import type { ImageFeatures } from "./featureFiles.js";

/** Images that are scored at once: enough for a product with all prompts to be efficient. */
const AT_ONCE = 256;

/** Model and the features of its image encoder. */
interface Source {
  readonly model: LiqeModel;
  readonly store: FeatureStore;
}

/** `predictSamples` from kept features: cosines of an image's mean feature are the means of its windows' cosines. */
export async function predictFromFeatures(
  samples: readonly Sample[],
  { model, store }: Source,
  { labels, crops, signal, report }: Pick<PredictOptions, "labels" | "crops" | "signal" | "report">,
): Promise<Predictions> {
  const predictions: Prediction[] = [];
  const failed: { database: string; image: string; error: string }[] = [];
  for (let first = 0; first < samples.length; first += AT_ONCE) {
    signal?.throwIfAborted();
    const part = samples.slice(first, first + AT_ONCE);
    const found = await mapConcurrent(part, FILES_AT_ONCE, ({ file }) => store.of({ file, crops }).catch(reasonOnly));
    const readable = part.flatMap((sample, i) => {
      const features = found[i];
      if (typeof features === "object") return [{ sample, mean: meanFeature(features) }];
      failed.push({ database: sample.database, image: sample.image, error: features ?? "" });
      return [];
    });
    const rows = logitRows(model, readable.map(({ mean }) => mean)); // prettier-ignore
    readable.forEach(({ sample }, i) => {
      predictions.push(predictionOf(sample, labels, posteriorOf(rows[i] ?? [], model.grid.axes)));
    });
    report?.({ label: "scoring", done: first + part.length, total: samples.length, unit: "images" });
  }
  return { predictions, failed };
}

function reasonOnly(error: unknown): string {
  if (error instanceof DataError && !(error instanceof StalledReadError)) return error.message;
  throw error;
}

/** Mean of the windows' features, [embedding], summed in float64. */
export function meanFeature({ values, crops }: Pick<ImageFeatures, "values" | "crops">): Float64Array {
  const mean = new Float64Array(values.length / crops);
  values.forEach((value, i) => {
    const at = i % mean.length;
    mean[at] = (mean[at] ?? NaN) + value / crops;
  });
  return mean;
}

/** Logits of images, [prompts] each, on the host. */
function logitRows(model: LiqeModel, means: readonly Float64Array[]): Float32Array[] {
  if (means.length === 0) return [];
  const { embedding } = model.architecture;
  const flat = new Float32Array(means.length * embedding);
  means.forEach((mean, i) => {
    flat.set(mean, i * embedding);
  });
  const text = model.promptFeatures();
  const logits = tf.tidy(() =>
    Float32Array.from(
      imageLogits(tf.tensor2d(flat, [means.length, embedding]), text, means.length, model.logitScale()).dataSync(),
    ),
  );
  const prompts = logits.length / means.length;
  return means.map((_, i) => logits.subarray(i * prompts, (i + 1) * prompts));
}
