/** `leaderboard.json`: checkpoints ranked by their mean SRCC, and tested in pairs. */
import { groupBy } from "../../base/collections.js";
import { publishedAcross } from "../../data/databases/publishedLists.js";
import type { MeasuredDatabase } from "../metrics/computeMetrics.js";
import { MAIN_METRICS, type MainMetric, recordOf } from "../metrics/metrics.js";
import { mean } from "../metrics/vectors.js";
import type { Comparison } from "../statistics/compareRuns.js";
import { withHolm } from "../statistics/holm.js";
import { meanJson, type MetricJson } from "./databaseResults.js";
import type { Results } from "./results.js";

interface Entrant {
  /** As the command line names it. */
  readonly checkpoint: string;
  /** Databases that its config trained on; null for weights without one. */
  readonly trainedOn: readonly string[] | null;
  readonly results: Results;
  readonly measured: readonly MeasuredDatabase[];
}

interface LeaderboardEntry {
  /** Rank from 1, by the mean SRCC; equal ones share it. Null without a mean SRCC. */
  readonly rank: number | null;
  readonly checkpoint: string;
  readonly trainedOn: readonly string[] | null;
  readonly failed: number;
  readonly mean: Results["mean"];
  /** Checkpoints compared with it whose mean SRCC cannot be told from its own: Holm's p is not below 5 %. */
  readonly notToldApart: readonly string[];
  readonly pooled: { readonly srcc: MetricJson };
  /** Means over their splits, where there are several. */
  readonly databases: readonly ({ readonly name: string } & Readonly<Record<MainMetric, MetricJson>>)[];
}

/** SRCC of checkpoints on the databases of others. */
interface CrossDatabase {
  readonly testedOn: readonly string[];
  readonly rows: readonly {
    readonly checkpoint: string;
    readonly trainedOn: readonly string[] | null;
    /** In the order of `testedOn`; `seen` is true where the database was trained on. */
    readonly srcc: readonly (MetricJson & { readonly seen: boolean | null; readonly published?: number })[];
  }[];
}

/** Contents of `leaderboard.json`. */
export interface Leaderboard extends Pick<Results, "protocol" | "protocolVersion" | "crops" | "seed" | "confidence"> {
  readonly splits: readonly number[];
  /** SRCC of a perfect model on each database's scored lists, their mean; null where it is not known. */
  readonly noiseCeilings: readonly { readonly name: string; readonly value: number | null }[];
  readonly entries: readonly LeaderboardEntry[];
  readonly crossDatabase: CrossDatabase;
  readonly comparisons: readonly Comparison[];
}

/** Chance of one or more false alarms among all comparisons of a leaderboard. */
const LEVEL = 0.05;

/**
 * @param entrants     one or more, measured in one way on the same lists
 * @param comparisons  of all pairs, or of all with one that was named beforehand
 */
export function buildLeaderboard(entrants: readonly Entrant[], comparisons: readonly Comparison[]): Leaderboard {
  const [first] = entrants;
  if (first === undefined) throw new RangeError("buildLeaderboard: no checkpoint; name at least one");
  const { protocol, protocolVersion, crops, seed, confidence, databases } = first.results;
  const entries = entrants.map(entryOf).sort((a, b) => (b.mean.srcc.value ?? -2) - (a.mean.srcc.value ?? -2));
  const tested = withHolm(comparisons);
  const ranked = entries.map((entry) => ({
    ...entry,
    rank: rankOf(entry, entries),
    notToldApart: notToldApart(entry.checkpoint, tested),
  }));
  return {
    ...{ protocol, protocolVersion, crops, seed, confidence },
    splits: [...new Set(databases.flatMap(({ split }) => split ?? []))],
    noiseCeilings: ceilingsByDatabase(databases),
    entries: ranked,
    crossDatabase: crossDatabase(ranked, acrossByDatabase(first.measured)),
    comparisons: tested,
  };
}

function ceilingsByDatabase(databases: Results["databases"]): Leaderboard["noiseCeilings"] {
  return [...groupBy(databases, ({ name }) => name)].map(([name, lists]) => {
    const values = lists.flatMap(({ noiseCeiling: { value } }) => value ?? []);
    return { name, value: values.length === lists.length ? mean(values) : null };
  });
}

function notToldApart(checkpoint: string, comparisons: readonly Comparison[]): string[] {
  return comparisons.flatMap(({ checkpoint: one, against, mean: { srcc } }) => {
    if (one !== checkpoint && against !== checkpoint) return [];
    const isToldApart = srcc.difference !== null && srcc.low !== null && (srcc.pHolm ?? 1) < LEVEL;
    return isToldApart ? [] : [one === checkpoint ? against : one];
  });
}

function entryOf({ checkpoint, trainedOn, results, measured }: Entrant): LeaderboardEntry {
  const names = [...new Set(measured.map(({ database }) => database.name))];
  return {
    rank: null,
    checkpoint,
    trainedOn,
    failed: results.databases.reduce((sum, { failed }) => sum + failed.length, 0),
    mean: results.mean,
    notToldApart: [],
    pooled: { srcc: results.pooled.srcc },
    databases: names.map((name) => {
      const own = measured.filter(({ database }) => database.name === name);
      const plans = own.map(({ resampling }) => resampling);
      const only = own.length === 1 ? results.databases.find((database) => database.name === name) : undefined;
      return {
        name,
        ...recordOf(
          MAIN_METRICS,
          (metric) =>
            only?.[metric] ??
            meanJson(
              own.map(({ metrics }) => metrics[metric]),
              plans,
            ),
        ),
      };
    }),
  };
}

function rankOf({ mean }: LeaderboardEntry, entries: readonly LeaderboardEntry[]): number | null {
  const { value } = mean.srcc;
  return value === null ? null : 1 + entries.filter((other) => (other.mean.srcc.value ?? -2) > value).length;
}

/** Published SRCC of models trained on another database, where all lists of one are all of its images; by name. */
type Across = ReadonlyMap<string, ReturnType<typeof publishedAcross>>;

function acrossByDatabase(measured: readonly MeasuredDatabase[]): Across {
  const byName = groupBy(measured, ({ database }) => database.name);
  const figuresOf = (lists: readonly MeasuredDatabase[]) => {
    const [figures = {}, ...others] = lists.map(({ database }) => publishedAcross(database.predictions));
    return others.every((other) => other === figures) ? figures : {};
  };
  return new Map([...byName].map(([name, lists]) => [name, figuresOf(lists)]));
}

function crossDatabase(entries: readonly LeaderboardEntry[], across: Across): CrossDatabase {
  const testedOn = entries[0]?.databases.map(({ name }) => name) ?? [];
  return {
    testedOn,
    rows: entries.map(({ checkpoint, trainedOn, databases }) => ({
      checkpoint,
      trainedOn,
      srcc: databases.map(({ name, srcc }) => {
        const [only = "", ...others] = trainedOn ?? [];
        const figures = across.get(name) ?? {};
        const published = others.length === 0 && Object.hasOwn(figures, only) ? figures[only] : undefined;
        const seen = trainedOn === null ? null : trainedOn.includes(name);
        return { ...srcc, seen, ...(published === undefined ? {} : { published }) };
      }),
    })),
  };
}
