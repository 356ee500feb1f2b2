/** Evaluation on one page: predict the samples of each list, draw, compute metrics, put results together. */
import type { Sample } from "../data/sample.js";
import type { MeasuredDatabase } from "./metrics/metrics.js";
import { computeMetrics } from "./metrics/metrics.js";
import type { ProtocolName } from "./protocols.js";
import { PROTOCOLS } from "./protocols.js";
import type { Results } from "./results/results.js";
import { buildResults } from "./results/results.js";
import type { EvaluatedDatabase, LabelNames, PredictOptions } from "./scoring/predictions.js";
import { predictSamples } from "./scoring/predictions.js";
import type { Scorer } from "./scoring/scoreImages.js";

/** List to score, with the name that results give it. */
export interface NamedList extends Pick<EvaluatedDatabase, "name" | "split" | "subset"> {
  readonly samples: readonly Sample[];
}

export interface MeasureOptions {
  readonly protocol: ProtocolName;
  readonly labels: LabelNames;
  /** Seed of the bootstrap. */
  readonly seed: number;
  readonly resamples?: number;
}

interface EvaluateOptions extends PredictOptions, MeasureOptions {
  readonly checkpoint: string;
}

/**
 * Scores each list and measures it: metrics, groups and intervals by one protocol. Splits with weights of their own are
 * scored one after the other by `predictLists`, then measured together.
 */
export async function evaluate(
  scorer: Scorer,
  lists: readonly NamedList[],
  options: EvaluateOptions,
): Promise<Results> {
  const evaluated = await predictLists(scorer, lists, options);
  const measured = measureDatabases(evaluated, options);
  return buildResults(measured, options);
}

/** Scores the images of each list, in turn. */
export async function predictLists(
  scorer: Scorer,
  lists: readonly NamedList[],
  { report, ...options }: PredictOptions,
): Promise<EvaluatedDatabase[]> {
  const evaluated: EvaluatedDatabase[] = [];
  for (const { name, split, subset, samples } of lists) {
    const predictions = await predictSamples(samples, scorer, {
      ...options,
      report: report && ((event) => { report({ ...event, label: `${event.label} ${name}` }); }), // prettier-ignore
    });
    evaluated.push({ name, split, subset, ...predictions });
  }
  return evaluated;
}

/** Draws each database's resamples, the same for every checkpoint, and computes its metrics. */
export function measureDatabases(
  evaluated: readonly EvaluatedDatabase[],
  { protocol, labels, seed, resamples }: MeasureOptions,
): MeasuredDatabase[] {
  const options = { protocol: PROTOCOLS[protocol], labels, seed, ...(resamples === undefined ? {} : { resamples }) };
  return evaluated.map((database) => ({
    database,
    of: computeMetrics(keyOf(database), database.predictions, options),
  }));
}

/** Key of the bootstrap's randomness: the same for every checkpoint, so that runs can be paired. */
export function keyOf({ name, split, subset }: Pick<EvaluatedDatabase, "name" | "split" | "subset">): string {
  return `${name}/${split ?? "list"}/${subset}`;
}
