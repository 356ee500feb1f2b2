import path from "node:path";
import { stringify } from "yaml";
import { DiskError, NoSpaceError, PeerLostError, StalledReadError } from "../base/errors.js";
import { isDiskFailure, isNoSpace, writeFileAtomic } from "../base/files.js";
import { makeFolders } from "../base/folders.js";
import { withLock } from "../base/lock.js";
import { packageVersion } from "../base/packageInfo.js";
import { recordRandomSplits } from "../data/openDatabases.js";
import type { Database } from "../data/sample.js";
import { CHOOSING_MEASURES, chosenBy } from "../evaluate/chosenBy.js";
import type { Architecture } from "../model/architecture/architecture.js";
import { gridOf } from "../model/config.js";
import type { LiqeModel } from "../model/liqe.js";
import type { TextTokenizer } from "../model/text/tokenizer.js";
import { type Checkpoint, loadLast, setAsideDamaged, sweepStaging } from "./checkpoint/checkpoint.js";
import { holdsCheckpoint, RUN_FILES } from "./checkpoint/runFolder.js";
import { NOTHING_SEEN, recordSeen } from "./checkpoint/seen.js";
import { chooseMemory } from "./cost/memory.js";
import { labelsSvg } from "./logs/labelsSvg.js";
import type { FeatureStore } from "./features/featureStore.js";
import { NO_LOGS } from "./logs/runLogs.js";
import { type StopSignal, trainLoop } from "./loop.js";
import { cropsPerStep, type RunPlan, treeOf } from "./plan.js";
import { isFinished, RUN_START, type RunProgress, type Validation } from "./progress.js";
import type { RankShare } from "./rankShare.js";
import type { RunConfig } from "./runConfig.js";
import { startTogether } from "./startTogether.js";
import { Trainer } from "./trainer.js";

/** One split of a run whose data and network are known. */
interface RunJob {
  readonly folder: string;
  readonly split: number;
  readonly config: RunConfig;
  readonly databases: readonly Database[];
  readonly architecture: Architecture;
  /** Of the weights, where they have their own. */
  readonly tokenizer: TextTokenizer | null;
}

/** Machine that a run is resolved for. */
interface Machine {
  readonly engine: { readonly backend: string; readonly threads: number };
  readonly peakFlopsPerSecond: number;
  readonly memoryBytes: number;
}

/** Plan of a split, with everything that its config leaves to `auto` chosen: micro-batch, recomputing, threads. */
export function resolvePlan(
  job: RunJob,
  { engine: { backend, threads }, peakFlopsPerSecond, memoryBytes }: Machine,
  ports: Pick<RunPlan, "reporter" | "initialWeights" | "initialBase" | "initialSeen" | "teach" | "now"> & {
    readonly share?: RankShare | null;
  },
): RunPlan {
  const { folder, split, config, databases, architecture, tokenizer } = job;
  const grid = gridOf(config.prompts);
  const { share = null } = ports;
  const all = cropsPerStep(job);
  const crops = share === null ? all : Math.ceil(all / share.group.size); // about what this process encodes
  const size = { architecture, tree: treeOf(config, architecture, tokenizer), crops };
  const train = { ...config.train, ...chooseMemory(config.train, size, memoryBytes) };
  // Sums depend on threads in their last bits, so that a run keeps them; only the native engine has any
  const isChosen = config.engine.threads === "auto" && backend === "native";
  const engine = isChosen ? { ...config.engine, threads } : config.engine;
  return {
    ...{ folder, split, databases, architecture, tokenizer, peakFlopsPerSecond, ...ports, share },
    config: { ...config, train },
    record: { ...config, train, engine },
    labels: grid.labels,
    packageVersion: packageVersion(),
    engine: { backend, threads },
  };
}

/** Validation of a run, and the request to stop it. */
interface RunPorts {
  /** Scores the validation lists; null where it was given up because someone asked to stop. */
  readonly validate: (model: LiqeModel, features: FeatureStore | null) => Promise<Validation | null>;
  readonly signal: Pick<AbortSignal, "aborted">;
}

/**
 * Trains one split from where its folder stands to its end, or until it is asked to stop, holding the folder's lock.
 * @returns state of the run; `finished` is false where it was stopped, after `last` was saved
 * @throws {CheckpointError}    where weights or checkpoints are refused
 * @throws {ConfigError}        where another process works on the folder
 * @throws {DataError}          where an image cannot be read
 * @throws {NonFiniteLossError} where the loss is not finite; `last` is as it was
 * @throws {NoSpaceError}       where the disk is full; `last` is as it was
 * @throws {DiskError}          where it fails, likewise
 * @throws {PeerLostError}      where another process of a run that several train is lost; `last` is as it was
 * @throws {StalledReadError}   where an image does not come; `last` is as it was, and the trainer is not waited for:
 *                              threads may hang, and the process should end
 */
export async function trainSplit(plan: RunPlan, ports: RunPorts): Promise<RunProgress> {
  const { folder, share } = plan;
  if (share !== null && share.group.rank > 0) return trainFrom(plan, () => null, ports);
  await makeFolders(folder);
  return withLock(folder, async () => {
    try {
      return await trainFrom(plan, () => prepareFolder(plan), ports);
    } catch (error) {
      throw diskFault(folder, error) ?? error;
    }
  });
}

/**
 * Trains from the checkpoint that `prepare` finds or, without one, from the beginning; processes that train together
 * begin as the first one.
 */
async function trainFrom(
  given: RunPlan,
  prepare: () => Promise<Checkpoint | null> | null,
  { validate, signal }: RunPorts,
): Promise<RunProgress> {
  let trainer: Trainer | null = null;
  let isHanging = false;
  try {
    const { share } = given;
    const alongside = <T>(work: () => Promise<T> | T) => (share === null ? work() : share.group.alongside(work));
    const saved = await alongside(prepare);
    const { own, hashes } = await taughtPlan(given, { isBegun: saved !== null });
    const { plan, checkpoint } =
      share === null ? { plan: own, checkpoint: saved } : await startTogether(share.group, own, saved);
    const isFirst = share === null || share.group.rank === 0;
    const others = { seen: NOTHING_SEEN, logs: NO_LOGS };
    const record = await alongside(() => (isFirst ? firstToWrite(plan, { checkpoint, hashes }) : others));
    trainer = await Trainer.open(plan, { checkpoint, validate, ...record });
    const start = checkpoint === null ? RUN_START : progressOf(checkpoint, plan);
    if (!(await Promise.race([trainer.prepare(signal), trainer.stalled]))) return start; // what is there is kept
    const stop = share === null ? signal : stopOf(share);
    const training = trainLoop(trainer, { ...plan.config, tasks: trainer.tasks }, { start, signal: stop });
    const reached = await Promise.race([training, trainer.stalled]);
    noteEarlyEnd(plan, reached);
    return reached;
  } catch (error) {
    isHanging = error instanceof StalledReadError || error instanceof PeerLostError;
    throw error;
  } finally {
    const closed = trainer?.close();
    if (isHanging) {
      closed?.catch(() => undefined); // it may wait for the same threads
      await trainer?.idle();
    } else await closed;
  }
}

/** The plan with its photographs scored by the teacher, and their hashes; the plan itself without one. */
async function taughtPlan(plan: RunPlan, { isBegun }: { readonly isBegun: boolean }) {
  const { teach, folder } = plan;
  if (teach === undefined) return { own: plan, hashes: new Map<string, string>() };
  const { databases, hashes } = await teach(plan.databases, { folder, isBegun });
  return { own: { ...plan, databases }, hashes };
}

/** Beginning of a run: the checkpoint that it goes on from, null for a new one, and SHA-256 of files that were read. */
interface Beginning {
  readonly checkpoint: Checkpoint | null;
  readonly hashes: ReadonlyMap<string, string>;
}

/** Record of seen images, which the process that writes keeps; it begins its folder with a drawing of the labels. */
async function firstToWrite(plan: RunPlan, beginning: Beginning) {
  await writeFileAtomic(path.join(plan.folder, RUN_FILES.labels), labelsSvg(plan.databases, plan.labels));
  return { seen: await seenBy(plan, beginning) };
}

/** Request to stop that all processes know of since the same step. */
function stopOf(share: RankShare): StopSignal {
  return {
    get aborted() {
      return share.isStopping;
    },
  };
}

/** Writes the run's config and reads its last whole checkpoint; null for a new run. */
async function prepareFolder(plan: RunPlan): Promise<Checkpoint | null> {
  const { folder, config, databases, split, reporter } = plan;
  await sweepStaging(folder);
  await recordRandomSplits(config.data, databases, split);
  await writeFileAtomic(path.join(folder, RUN_FILES.config), formatConfig(plan.record));
  const resumed = await loadLast(folder);
  if (resumed?.notice) {
    reporter.note(resumed.notice);
    await setAsideDamaged(folder);
  }
  if (resumed !== null) noteEngine(plan, resumed.checkpoint.state.engine);
  return resumed?.checkpoint ?? null;
}

/** Record of the images that the run learns from: that of its checkpoint, or made by reading all of them. */
async function seenBy({ config, databases, initialSeen, reporter }: RunPlan, { checkpoint, hashes }: Beginning) {
  if (checkpoint?.seen) return checkpoint.seen;
  const options = { stallSeconds: config.data.stallSeconds, report: reporter.progress, known: hashes };
  return recordSeen(databases, await initialSeen(), options);
}

/** State of a checkpoint's run; one whose epochs were raised is not finished any more, but for its patience. */
function progressOf({ state }: Checkpoint, { config }: RunPlan): RunProgress {
  const progress = state.progress as RunProgress; // as `save` wrote it
  return { ...progress, finished: isFinished(config.train, progress) };
}

/** Notes that patience ended the run before its last epoch did. */
function noteEarlyEnd(
  { config, reporter }: RunPlan,
  { finished, position, best, epochsWithoutRise, validation }: RunProgress,
): void {
  const { epochs } = config.train;
  if (!finished || position.epoch >= epochs) return;
  const highest = best === null ? "it has no value" : `its highest is ${best.toFixed(3)}`;
  const measure = CHOOSING_MEASURES[chosenBy(validation ?? { srcc: null }).measure];
  reporter.note(
    `ended early, after epoch ${position.epoch} of ${epochs}: mean validation ${measure} has not risen in ` +
      `${epochsWithoutRise} validated epochs (train.patienceEpochs); ${highest}`,
  );
}

/** Notes another engine than before: sums are formed in another order by other threads and engines. */
function noteEngine({ engine, reporter }: RunPlan, before: RunPlan["engine"]): void {
  if (engine.backend === before.backend && engine.threads === before.threads) return;
  const describe = ({ backend, threads }: RunPlan["engine"]) => `${backend} with ${threads} thread(s)`;
  reporter.note(`the run was computed by ${describe(before)}, now by ${describe(engine)}: last bits may differ`);
}

/** A full or failing disk in words: what is left of the run, and how to go on. Null for any other error. */
export function diskFault(folder: string, cause: unknown): NoSpaceError | DiskError | null {
  const whole = [RUN_FILES.last, RUN_FILES.previous].map((name) => path.join(folder, name)).find(holdsCheckpoint);
  const left = whole === undefined ? "no checkpoint was saved yet" : `${whole} is whole`;
  const words = ({ message }: Error, fault: string, cure: string) =>
    `${folder}: stopped, ${fault} (${message}); ${left}. ${cure} and go on with: liqe train --resume ${folder}`;
  if (isNoSpace(cause)) {
    return new NoSpaceError(words(cause, "no room for what was to be written", "Make room"), { cause });
  }
  if (!isDiskFailure(cause)) return null;
  return new DiskError(words(cause, "the disk fails", "Mend it, or copy the folder to another one,"), { cause });
}

/** A config as a run's `config.yaml` keeps it: every value written out; reading it gives the same config back. */
export function formatConfig(config: Readonly<Record<string, unknown>> | RunConfig): string {
  return stringify(config, { aliasDuplicateObjects: false, lineWidth: 0 });
}
