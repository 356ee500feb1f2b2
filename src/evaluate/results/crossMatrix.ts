/** Matrix of train sets by test sets: each checkpoint on the test lists of each config. */
import { type Correlation, CORRELATIONS, recordOf } from "../metrics/metrics.js";
import type { MetricJson } from "./databaseResults.js";
import type { Results } from "./results.js";

/** Cell of the matrix: a checkpoint on a database's test lists, the mean over its splits where there are several. */
export interface CrossCell extends Readonly<Record<Correlation, MetricJson>> {
  readonly images: number;
  /** True where the config that the checkpoint was trained by names that database; null where it has none. */
  readonly isTrainedOn: boolean | null;
}

/** Contents of `matrix.json`. */
export interface CrossMatrix extends Pick<Results, "protocol" | "protocolVersion" | "crops" | "confidence"> {
  /** Test sets, in the order of the cells. */
  readonly tests: readonly { readonly config: string; readonly database: string }[];
  readonly rows: readonly {
    readonly checkpoint: string;
    /** Databases of its own config; null for weights without one. */
    readonly trainedOn: readonly string[] | null;
    readonly cells: readonly CrossCell[];
    /** Means over the test sets of databases that it was not trained on; null without one or a value of each. */
    readonly unseenMean: Readonly<Record<Correlation, number | null>>;
  }[];
}

/** Results of one checkpoint on one config. */
interface CrossEvaluation {
  readonly results: Results;
  readonly trainedOn: readonly string[] | null;
}

/** @param evaluations  of each checkpoint, for each config; each config has the same databases for all */
export function buildCrossMatrix(
  checkpoints: readonly string[],
  configs: readonly string[],
  evaluations: readonly (readonly CrossEvaluation[])[],
): CrossMatrix {
  const first = evaluations[0]?.[0]?.results;
  if (first === undefined) throw new RangeError("buildCrossMatrix: needs a checkpoint and a config");
  const { protocol, protocolVersion, crops, confidence } = first;
  const namesOf = ({ results }: CrossEvaluation) => [...new Set(results.databases.map(({ name }) => name))];
  const tests = configs.flatMap((config, i) => {
    const evaluation = evaluations[0]?.[i];
    return evaluation === undefined ? [] : namesOf(evaluation).map((database) => ({ config, database }));
  });
  const rows = checkpoints.map((checkpoint, i) => {
    const own = evaluations[i] ?? [];
    const cells = own.flatMap((evaluation) => namesOf(evaluation).map((name) => cellOf(evaluation, name)));
    return { checkpoint, trainedOn: own[0]?.trainedOn ?? null, cells, unseenMean: unseenMean(cells) };
  });
  return { protocol, protocolVersion, crops, confidence, tests, rows };
}

function cellOf({ results, trainedOn }: CrossEvaluation, name: string): CrossCell {
  const splits = results.databases.filter((database) => database.name === name);
  const of = (metric: Correlation): MetricJson => {
    const [one] = splits;
    if (splits.length === 1 && one !== undefined) return one[metric];
    const values = splits.flatMap((database) => database[metric].value ?? []);
    if (values.length < splits.length) return { value: null, reason: "a split has no value" };
    const value = values.reduce((a, b) => a + b, 0) / values.length;
    return { value, low: null, high: null, intervalReason: `the mean over ${values.length} splits` };
  };
  return {
    ...recordOf(CORRELATIONS, of),
    images: splits.reduce((sum, { images }) => sum + images, 0),
    isTrainedOn: trainedOn === null ? null : trainedOn.includes(name),
  };
}

function unseenMean(cells: readonly CrossCell[]): Record<Correlation, number | null> {
  const unseen = cells.filter(({ isTrainedOn }) => isTrainedOn === false);
  return recordOf(CORRELATIONS, (metric) => {
    const values = unseen.flatMap((cell) => cell[metric].value ?? []);
    return values.length === 0 || values.length < unseen.length ? null : values.reduce((a, b) => a + b) / values.length;
  });
}
