import { ConfigError } from "../base/errors.js";
import type { Reporter } from "../base/types.js";
import type { Database } from "../data/sample.js";
import type { Architecture } from "../model/architecture/architecture.js";
import { gridOf } from "../model/config.js";
import type { NamedArrays } from "../model/parameters/parameters.js";
import type { ContextShape } from "../model/parameters/learnedPrompts.js";
import type { LabelTables } from "../model/prompts/labels.js";
import { gridTree, leadingTokens, type PromptTree } from "../model/text/promptTree.js";
import type { TextTokenizer } from "../model/text/tokenizer.js";
import type { AdapterBase } from "./checkpoint/adapter.js";
import type { SeenRecord } from "./checkpoint/seen.js";
import type { TrainConfig } from "./config.js";
import type { Recompute } from "./gradientCache.js";
import type { MetricsLine } from "./logs/metricsLog.js";
import type { RankShare } from "./rankShare.js";
import type { RunConfig } from "./runConfig.js";
import type { TaughtDatabases } from "./teacher.js";

/** `train` section with the choices that `auto` came to. */
export interface ResolvedTrainConfig extends Omit<TrainConfig, "microBatch" | "recompute" | "memoryBudgetGB"> {
  readonly microBatch: number;
  readonly recompute: Recompute;
  readonly memoryBudgetGB: number;
}

/** Sections of a run's config that training reads, nothing in them left to choose. */
interface ResolvedConfig extends Omit<RunConfig, "run" | "train"> {
  readonly train: ResolvedTrainConfig;
}

/** One split of a run, with all that it needs from outside. */
export interface RunPlan {
  /** The split's folder, absolute. */
  readonly folder: string;
  readonly split: number;
  readonly config: ResolvedConfig;
  /** The whole config with what `auto` chose, as config.yaml and checkpoints keep it. */
  readonly record: Readonly<Record<string, unknown>>;
  readonly labels: LabelTables;
  /** Of the network, with what the shapes of its weights do not tell. */
  readonly architecture: Architecture;
  /** Tokenizer of the weights, where they have their own; checkpoints hold its files. */
  readonly tokenizer?: TextTokenizer | null | undefined;
  readonly databases: readonly Database[];
  readonly packageVersion: string;
  readonly engine: { readonly backend: string; readonly threads: number };
  /** Floating-point operations a second of this machine's best matrix product; see `peakFlopsPerSecond`. */
  readonly peakFlopsPerSecond: number;
  /** Reads or makes the weights that a new run begins with. */
  readonly initialWeights: () => Promise<NamedArrays>;
  /** Names those weights, for adapters that are trained on them. */
  readonly initialBase: () => Promise<AdapterBase>;
  /** Reads what those weights had learned from; null where that is not known. */
  readonly initialSeen: () => Promise<SeenRecord | null>;
  /**
   * Gives photographs the teacher's scores, kept in `folder` (null: nowhere); absent without a teacher.
   * `isBegun`: the run has a checkpoint, and keeps the scores that it began with.
   */
  readonly teach?: (
    databases: readonly Database[],
    how: { readonly folder: string | null; readonly isBegun: boolean },
  ) => Promise<TaughtDatabases>;
  readonly reporter: Reporter;
  /** Listener to the lines of metrics.jsonl, each after it is written; what it throws ends training. */
  readonly onMetrics?: ((line: MetricsLine) => void) | undefined;
  /** This process's part, where several train together; null where it trains alone. */
  readonly share: RankShare | null;
  /** Milliseconds since 1970; for logs alone. */
  readonly now: () => number;
}

/** Parts of a run that the size of its steps depends on. */
export interface StepSizeOf {
  readonly databases: readonly Pick<Database, "imagesPerStep">[];
  readonly config: { readonly train: Pick<TrainConfig, "cropsPerImage">; readonly augment: RunConfig["augment"] };
}

/** Images of one step: of all databases, and the versions of those that are distorted anew. */
export function imagesPerStep({ databases, config: { augment } }: StepSizeOf): number {
  const read = databases.reduce((sum, database) => sum + database.imagesPerStep, 0);
  return read + augment.contents * augment.versions;
}

/** Crops of one step. */
export function cropsPerStep(run: StepSizeOf): number {
  return imagesPerStep(run) * run.config.train.cropsPerImage;
}

/** Context vectors of the prompts of a run, where they are learned; null where all prompts are words. */
function contextOf({ tune, prompts }: Pick<TrainConfig, "tune" | "prompts">): ContextShape | null {
  return tune === "prompts" ? { vectors: prompts.vectors, isShared: prompts.scope === "shared" } : null;
}

/** Sections of a config that a run's prompts depend on. */
interface PromptSections {
  readonly prompts: RunConfig["prompts"];
  readonly train: Pick<TrainConfig, "tune" | "prompts">;
}

/** Tree of a run's prompts. @throws {ConfigError} where a prompt is too long */
export function treeOf(
  { prompts, train }: PromptSections,
  { text }: Architecture,
  tokenizer: TextTokenizer | null,
): PromptTree {
  return gridTree(gridOf(prompts), text, { tokenizer, context: contextOf(train) });
}

/**
 * Tokens that the context vectors of a run begin as; null where they begin at random.
 * @throws {ConfigError} where the template begins with fewer words than there are vectors
 */
export function contextWords({ prompts, train }: PromptSections, { text }: Architecture): number[] | null {
  const { init, vectors } = train.prompts;
  if (init === "random") return null;
  const words = leadingTokens(gridOf(prompts), text.contextLength);
  if (words.length >= vectors) return words.slice(0, vectors);
  throw new ConfigError(
    `train.prompts.vectors: ${vectors} vectors are to begin as words, and "${prompts.template}" begins with ` +
      `${words.length} tokens before its first placeholder; set that many, or train.prompts.init: random`,
  );
}
