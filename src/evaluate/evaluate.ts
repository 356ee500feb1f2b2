/** Evaluation on one page: predict the samples of each list, draw, compute metrics, put results together. */
import { computeMetrics, type MeasuredDatabase } from "./metrics/computeMetrics.js";
import { type ProtocolName, PROTOCOLS } from "./protocols.js";
import { buildResults, type Results } from "./results/results.js";
import {
  type EvaluatedDatabase,
  type LabelNames,
  type NamedList,
  predictLists,
  type PredictOptions,
} from "./scoring/predictions.js";
import type { Scorer } from "./scoring/scoreImages.js";
import { planResampling } from "./statistics/bootstrap.js";

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

/** Plans each database's resamples, the same for every checkpoint, and computes its metrics. */
export function measureDatabases(
  evaluated: readonly EvaluatedDatabase[],
  { protocol, labels, ...draw }: MeasureOptions,
): MeasuredDatabase[] {
  return evaluated.map((database) => {
    const contents = database.predictions.map(({ content }) => content);
    const resampling = planResampling(contents, { ...draw, key: keyOf(database) });
    const metrics = computeMetrics(database.predictions, resampling, { protocol: PROTOCOLS[protocol], labels });
    return { database, ...metrics };
  });
}

/** Key of the bootstrap's randomness: the same for every checkpoint, so that runs can be paired. */
export function keyOf({ name, split, subset }: Pick<EvaluatedDatabase, "name" | "split" | "subset">): string {
  return `${name}/${split ?? "list"}/${subset}`;
}
