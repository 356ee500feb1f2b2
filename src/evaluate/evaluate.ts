/** Evaluation on one page: predict the samples of each list, draw, compute metrics, put results together. */
import { pushAll } from "../base/collections.js";
import { ConfigError } from "../base/errors.js";
import type { ReportProgress } from "../base/types.js";
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
  /** Told of the resamples where they take long. */
  readonly report?: ReportProgress | undefined;
}

/** Time after which people want to see that something goes on. */
const LONG_MS = 2000;

/** Lists to score by one model, and the way of measuring them. */
export interface EvaluationPart {
  readonly scorer: Scorer;
  readonly lists: readonly NamedList[];
  readonly scoring: PredictOptions;
  readonly measuring: MeasureOptions & Pick<Results, "checkpoint" | "assumed"> & { readonly crops: number };
}

/** Results of all parts together, and what they were computed from. */
interface Evaluated<P> {
  readonly results: Results;
  readonly measured: readonly MeasuredDatabase[];
  readonly evaluated: readonly EvaluatedDatabase[];
  readonly last: P;
}

/**
 * Scores the lists of each part, one part (a split with weights of its own) after the other, then measures all of them
 * together as the last part says: metrics, groups and intervals by one protocol.
 * @param parts  each opened when it is asked for and closed by its source when the next one is
 * @throws {ConfigError} without a part
 */
export async function evaluate<P extends EvaluationPart>(parts: AsyncIterable<P>): Promise<Evaluated<P>> {
  const evaluated: EvaluatedDatabase[] = [];
  let last: P | null = null;
  for await (const part of parts) {
    pushAll(evaluated, await predictLists(part.scorer, part.lists, part.scoring));
    last = part;
  }
  if (last === null) throw new ConfigError("evaluate: no split was named; leave split out, or name one");
  const measured = measureDatabases(evaluated, last.measuring);
  return { results: buildResults(measured, last.measuring), measured, evaluated, last };
}

/** Plans each database's resamples, the same for all its splits and for every checkpoint, and computes its metrics. */
export function measureDatabases(
  evaluated: readonly EvaluatedDatabase[],
  { protocol, labels, report, ...draw }: MeasureOptions,
): MeasuredDatabase[] {
  const plans = planResampling(evaluated, draw);
  const total = plans.reduce((sum, { resamples }) => sum + resamples, 0);
  const onResample = report === undefined ? undefined : reportLong(total, report);
  return evaluated.map((database, i) => {
    const resampling = plans[i];
    if (resampling === undefined) throw new Error("internal: measureDatabases: a plan for each list");
    const metrics = computeMetrics(database.predictions, resampling, {
      protocol: PROTOCOLS[protocol],
      labels,
      ...(onResample === undefined ? {} : { onResample }),
    });
    return { database, ...metrics };
  });
}

/** Counter of resamples that reports each once the work is long. */
function reportLong(total: number, report: ReportProgress): () => void {
  const startedMs = performance.now();
  let done = 0;
  return () => {
    done++;
    if (performance.now() - startedMs > LONG_MS) report({ label: "intervals", done, total, unit: "resamples" });
  };
}

/** Key of a list: the same for every checkpoint, so that runs can be paired. */
export function keyOf({ name, split, subset }: Pick<EvaluatedDatabase, "name" | "split" | "subset">): string {
  return `${name}/${split ?? "list"}/${subset}`;
}
