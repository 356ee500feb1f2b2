import { getOrThrow } from "../../base/collections.js";
import type { ReportProgress } from "../../base/types.js";
import { DamageLog } from "../../data/images/damage.js";
import {
  scoreImages,
  type ScoredImage,
  type ScoreOptions,
  type Scorer,
  type ScoreSamples,
} from "../../evaluate/scoring/scoreImages.js";
import { gridOf } from "../../model/config.js";
import { LiqeModel } from "../../model/liqe.js";
import type { NamedArrays } from "../../model/parameters/parameters.js";
import { ModelScorer } from "../../model/scorer.js";
import type { RunPlan } from "../../train/plan.js";
import type { RankShare } from "../../train/rankShare.js";
import { sendArrays } from "../../train/startTogether.js";
import type { OpenedModel } from "../openModel.js";
import { reporterOf, type WorkOptions } from "../work.js";
import { together } from "./cluster.js";

/** Way of scoring with opened weights, by several processes. */
export type ScoringBy = (opened: Pick<OpenedModel, "weights">) => ScoreSamples;

/** Words of the first process to all: images to be scored, each process its part. */
interface Order {
  /** Database of each image, and the image's name in its list. */
  readonly images: readonly (readonly [database: string, image: string])[];
  /** Without listeners, which JSON leaves out. */
  readonly options: Omit<ScoreOptions, "signal">;
}

/** Order as the first process has it. */
interface OwnOrder {
  readonly order: Order;
  readonly weights: NamedArrays;
  readonly files: readonly string[];
  readonly scorer: Scorer;
  readonly options: ScoreOptions;
  readonly report: ReportProgress | undefined;
  readonly resolve: (scored: readonly ScoredImage[]) => void;
  readonly reject: (reason: unknown) => void;
}

type Plan = Pick<RunPlan, "databases" | "config" | "architecture"> & Pick<WorkOptions, "onProgress">;

/**
 * Result of the first process's `test`, whose images all processes score, each its part of a list; null at the others,
 * which need neither its folder nor its weight files. While one works, nobody counts it as lost.
 * @throws {LiqeError} of the same class everywhere, where it fails at one of them
 */
export async function testTogether<T>(
  share: RankShare,
  plan: Plan,
  test: (scoring: ScoringBy) => Promise<T>,
): Promise<T | null> {
  if (share.group.rank > 0) {
    await scoreAlong(share, plan);
    return null;
  }
  const orders = new Orders();
  const testing = test(
    ({ weights }) =>
      (...asked) =>
        orders.ask(weights, asked),
  );
  const ended = testing.then(() => null);
  ended.catch(() => undefined); // thrown by `together`
  const { group } = share;
  let own: OwnOrder | null = null;
  let isFirst = true;
  try {
    for (;;) {
      own = await together(group, () => Promise.race([orders.next(), ended]));
      await group.gatherJson(own?.order ?? null);
      if (own === null) return await testing;
      if (isFirst) await sendArrays(group, own.weights);
      isFirst = false;
      const { files, scorer, options, report } = own;
      own.resolve(await scoredTogether(share, files, { scorer, options, report }));
    }
  } catch (error) {
    own?.reject(error);
    if (own !== null) await testing.catch(() => undefined); // which frees what it holds
    throw error;
  }
}

/** Orders of an evaluation under way, one at a time. */
class Orders {
  #waiting: OwnOrder | null = null;
  #wake: (order: OwnOrder) => void = () => undefined;

  /** The order that is asked for next. */
  async next(): Promise<OwnOrder> {
    const order = this.#waiting ?? (await new Promise<OwnOrder>((resolve) => (this.#wake = resolve)));
    this.#waiting = null;
    return order;
  }

  async *ask(
    weights: NamedArrays,
    [samples, scorer, options, report]: Parameters<ScoreSamples>,
  ): AsyncGenerator<ScoredImage> {
    const order = { images: samples.map(({ database, image }) => [database, image] as const), options };
    const files = samples.map(({ file }) => file);
    yield* await new Promise<readonly ScoredImage[]>((resolve, reject) => {
      this.#waiting = { order, weights, files, scorer, options, report, resolve, reject };
      this.#wake(this.#waiting);
    });
  }
}

/** Scores what the first process asks for, with its weights, until it asks for nothing more. */
async function scoreAlong(share: RankShare, { databases, config, architecture, onProgress }: Plan): Promise<void> {
  const { group } = share;
  const samples = databases.flatMap(({ name, test }) =>
    test.map(({ image, file }) => [keyOf(name, image), file] as const),
  );
  const files = new Map(samples);
  const { note, progress } = reporterOf({ onProgress });
  const damage = new DamageLog(note);
  let model: LiqeModel | null = null;
  try {
    for (;;) {
      await together(group, () => null);
      const [order] = await group.gatherJson<Order | null>(null);
      if (order === undefined || order === null) return;
      if (model === null) {
        onProgress?.({ kind: "phase", phase: "evaluating" });
        model = new LiqeModel(await sendArrays(group, null), gridOf(config.prompts), { architecture });
      }
      const images = { ...order.options.images, onDamaged: damage.onDamaged };
      const asked = order.images.map(([database, image]) => getOrThrow(files, keyOf(database, image), "testTogether"));
      const how = { scorer: new ModelScorer(model), options: { ...order.options, images }, report: progress };
      await scoredTogether(share, asked, how);
    }
  } finally {
    model?.dispose();
    damage.close();
  }
}

function keyOf(database: string, image: string): string {
  return JSON.stringify([database, image]);
}

/** Scores of all files, in their order, at every process: each has scored its part. */
async function scoredTogether(
  share: RankShare,
  files: readonly string[],
  { scorer, options, report }: Pick<OwnOrder, "scorer" | "options" | "report">,
): Promise<ScoredImage[]> {
  const { start, end } = share.rangeOf(files.length);
  const own = await together(share.group, async () => {
    const scored: ScoredImage[] = [];
    for await (const one of scoreImages(files.slice(start, end), scorer, options, report)) scored.push(one);
    return scored;
  });
  return (await share.group.gatherJson(own)).flat();
}
