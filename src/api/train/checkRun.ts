import { constants, existsSync, statSync } from "node:fs";
import { access, mkdtemp, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CheckpointError, ConfigError } from "../../base/errors.js";
import { isNoSpace } from "../../base/files.js";
import { STAGING_PREFIX } from "../../base/folders.js";
import { requireUnlocked } from "../../base/lock.js";
import { reasonOf } from "../../base/text.js";
import type { Reporter } from "../../base/types.js";
import { checkBeforeTraining } from "../../data/audit/beforeTraining.js";
import { withFewImages } from "../../data/fewShot.js";
import type { Database } from "../../data/sample.js";
import { peakFlopsPerSecond } from "../../engine/backend/benchmark.js";
import type { ClusterOptions, Group } from "../../engine/cluster/collective.js";
import { splitAddress } from "../../engine/cluster/ports.js";
import { freeGpuBytes, hostMemoryBytes } from "../../engine/memory.js";
import { requirePrecision } from "../../engine/precision.js";
import { lossNeeds } from "../../losses/multitaskLoss.js";
import type { Architecture } from "../../model/architecture/architecture.js";
import { inferArchitecture } from "../../model/architecture/inferArchitecture.js";
import { presetArchitecture } from "../../model/architecture/presets.js";
import { gridOf } from "../../model/config.js";
import { initialParameters } from "../../model/parameters/initialize.js";
import { hasLearnedPrompts, networkArrays } from "../../model/parameters/learnedPrompts.js";
import type { NamedArrays } from "../../model/parameters/parameters.js";
import { requireTokens } from "../../model/weights/keptTokens.js";
import { parameterShapes } from "../../model/parameters/shapes.js";
import type { TextTokenizer } from "../../model/text/tokenizer.js";
import { type AdapterBase, randomBase } from "../../train/checkpoint/adapter.js";
import { loadLast } from "../../train/checkpoint/checkpoint.js";
import { holdsLast } from "../../train/checkpoint/runState.js";
import { mlflowTarget } from "../../train/logs/config.js";
import { isOnBase } from "../../train/config.js";
import { tunedParameters } from "../../train/optimizer/parameterGroups.js";
import { contextWords, type RunPlan, treeOf } from "../../train/plan.js";
import { resolvePlan } from "../../train/run.js";
import type { RankShare } from "../../train/rankShare.js";
import type { RunConfig } from "../../train/runConfig.js";
import { together, requireSameData, requireShareable } from "./cluster.js";
import { openBase, openSeen, openWeights } from "../openModel.js";
import { openEngine, reporterOf, type WorkOptions } from "../work.js";
import type { SplitJob } from "./jobs.js";
import { joinedSeen, teacherCheck, teacherOf, teacherSeen } from "./teacher.js";

/** Split whose data and weights were checked. */
interface CheckedJob extends SplitJob {
  readonly databases: readonly Database[];
  readonly architecture: Architecture;
  readonly tokenizer: TextTokenizer | null;
}

/** Options of a run that its check depends on. */
interface CheckOptions extends WorkOptions {
  /** True where nothing is to be written. */
  readonly isDry: boolean;
  /** This process's part, where several train together. */
  readonly share?: RankShare | null;
  readonly cluster?: ClusterOptions | undefined;
}

/**
 * Checks every split before the first one costs any time, starts the engine, and resolves all that configs leave open.
 * @throws {DataError} {CheckpointError} {ConfigError} {EngineError} before anything is written
 */
export async function checkRun(jobs: readonly SplitJob[], options: CheckOptions): Promise<RunPlan[]> {
  const reporter = reporterOf(options);
  const { share = null } = options;
  const group = share?.group ?? null;
  const isFirst = group === null || group.rank === 0;
  await together(group, async () => {
    for (const { folder } of isFirst ? jobs : []) {
      await checkWritable(folder, options);
      if (!options.isDry) await requireUnlocked(folder);
    }
    if (group !== null) for (const { config } of jobs) requireShareable(config, group.size);
  });
  const checked = await checkJobs(jobs, reporter, group);
  const gpuBytes = await freeGpuBytes();
  const engine = await together(group, async () => {
    const opened = await openEngine(options, jobs[0]?.config.engine);
    for (const { config } of jobs) await requirePrecision(config.engine.precision, opened);
    return opened;
  });
  reporter.note(`computing with ${engine.description}`);
  const onHost = hostMemoryBytes() / processesHere(options.cluster);
  const memoryBytes = engine.device === "gpu" && gpuBytes !== null ? gpuBytes : onHost;
  const machine = { engine, peakFlopsPerSecond: peakFlopsPerSecond(), memoryBytes };
  return checked.map((job) => resolvePlan(job, machine, { ...portsOf(job.config, reporter), share }));
}

/** Processes of a cluster at the host of this one, which share its memory; 1 without a cluster. */
export function processesHere(cluster: Pick<ClusterOptions, "addresses" | "rank"> | undefined): number {
  if (cluster === undefined) return 1;
  const hosts = cluster.addresses.map((address) => splitAddress(address).host);
  return hosts.filter((host) => host === hosts[cluster.rank]).length;
}

/** Listener and clock of a run, its first weights, and what they had learned from, read when they are asked for. */
function portsOf(config: RunConfig, reporter: Reporter) {
  const { weights } = config.model;
  const ownSeen = () => (weights === "none" ? Promise.resolve(null) : openSeen(weights));
  const initialSeen = async () => joinedSeen(await ownSeen(), await teacherSeen(config, reporter));
  const teach = config.train.teacher === null ? {} : { teach: teacherOf(config, reporter) };
  const initial = {
    initialWeights: () => initialWeights(config),
    initialBase: () => initialBase(config),
    initialSeen,
    ...teach,
  };
  return { reporter, ...initial, now: () => Date.now() };
}

/** Name of those weights, by which adapters know their base. */
async function initialBase({ model: { weights, preset }, seed }: RunConfig): Promise<AdapterBase> {
  if (weights !== "none") return openBase(weights);
  if (preset === undefined) throw new Error("internal: initialBase: the config passed without a preset");
  return randomBase(preset, seed);
}

/** Weights that a new run begins with: random ones, or those of the file or checkpoint that the config names. */
async function initialWeights({ model, seed }: RunConfig): Promise<NamedArrays> {
  const { weights, preset, architecture: kind } = model;
  if (weights !== "none") return (await openWeights(weights, { preset, kind })).weights;
  if (preset === undefined) throw new Error("internal: initialWeights: the config passed without a preset");
  return initialParameters(presetArchitecture(preset), seed);
}

/** Checks data and weights. @throws {DataError} {CheckpointError} {ConfigError} before anything is written */
async function checkJobs(jobs: readonly SplitJob[], reporter: Reporter, group: Group | null): Promise<CheckedJob[]> {
  const checked: CheckedJob[] = [];
  const isFirst = group === null || group.rank === 0;
  const checkTeacher = teacherCheck(reporter);
  for (const job of jobs) {
    const network = await networkOf(job, reporter, group);
    const databases = await together(group, () => checkData(job, network, { reporter, isFirst }));
    const isBegun = holdsLast(job.folder);
    if (group !== null) await requireSameData(group, databases, isBegun ? null : job.config.model.weights);
    if (!isBegun) await checkTeacher(job.config, databases); // others keep their scores
    checked.push({ ...job, databases, ...network });
  }
  return checked;
}

type Network = Pick<CheckedJob, "architecture" | "tokenizer">;

/** The network, as the first process reads it. @throws {ConfigError} where the others cannot be told all of it */
async function networkOf(job: SplitJob, { note }: Reporter, group: Group | null): Promise<Network> {
  const isFirst = group === null || group.rank === 0;
  const own = await together(group, async () => {
    const network = isFirst ? await readNetwork(job.config, job.folder, note) : null;
    if (group === null || network === null || network.tokenizer === null) return network;
    throw new ConfigError("--cluster: the tokenizer of a SigLIP is not sent to other processes; train it with one");
  });
  const network = group === null ? own : (await group.gatherJson(own))[0];
  if (network === undefined || network === null) throw new Error("internal: networkOf: rank 0 knows no network");
  return network;
}

async function checkData(
  job: SplitJob,
  { architecture, tokenizer }: Network,
  { reporter, isFirst }: { readonly reporter: Reporter; readonly isFirst: boolean },
): Promise<readonly Database[]> {
  const { data, prompts, model, losses, train, seed } = job.config;
  if (isFirst) mlflowTarget(job.config, process.env); // throws where nothing names the server
  const { labels, axes } = gridOf(prompts);
  const { note, progress } = reporter;
  const context = { tables: labels, axes, needs: lossNeeds(losses) };
  const window = architecture.vision.imageSize;
  const listed = await checkBeforeTraining(data, job.split, { ...context, window, note, report: progress });
  const databases = withFewImages(listed, train.images, seed);
  for (const line of fewImagesNotes(listed, databases)) note(line);
  tunedParameters(parameterShapes(architecture), train); // throws where a pattern does not fit
  const { tune } = train;
  if (isFirst && isOnBase(train) && model.weights !== "none") await openBase(model.weights); // throws where it is none
  treeOf(job.config, architecture, tokenizer); // throws where a prompt is too long, or its context cannot be learned
  if (tune === "prompts") contextWords(job.config, architecture); // throws where there are too few
  return databases;
}

/** A line for each database of which fewer images are trained on than its list has. */
function fewImagesNotes(listed: readonly Database[], kept: readonly Database[]): string[] {
  return kept.flatMap(({ name, train }, i) => {
    const all = listed[i]?.train.length ?? 0;
    return train.length < all ? [`${name}: ${train.length} of ${all} training images are drawn (train.images)`] : [];
  });
}

/**
 * Architecture of the network, and the tokenizer of weights that have their own. Weights are read whole, so that a run
 * does not fail an hour later for what its first second can tell. A run with a checkpoint does not need its first weights
 * any more.
 */
async function readNetwork(config: RunConfig, folder: string, note: (line: string) => void): Promise<Network> {
  const { preset, weights, architecture: kind } = config.model;
  if (weights === "none" && preset !== undefined) {
    if (presetArchitecture(preset).vision.kind === "resnet") {
      const why = "its batch statistics stay as they are, and random weights have none; begin with a file";
      throw new ConfigError(`model.weights: none: ${preset} is a ResNet: ${why}, such as liqe weights fetch ${preset}`);
    }
    const shapes = parameterShapes(presetArchitecture(preset));
    return { architecture: inferArchitecture(shapes, `model.preset ${preset}`, kind), tokenizer: null };
  }
  const begun = holdsLast(folder) ? await loadLast(folder, { withOptimizer: false }) : null;
  if (begun === null) {
    const opened = await openWeights(weights, { preset, kind, note });
    refuseToGoOnFrom(weights, opened.weights);
    requireTokens(weights, opened.weights, treeOf(config, opened.architecture, opened.tokenizer).usedTokens);
    return opened;
  }
  const { weights: arrays, kind: own, tokenizer = null } = begun.checkpoint;
  const shapes = [...networkArrays(arrays)].map(([name, { shape }]) => [name, shape] as const);
  return { architecture: inferArchitecture(new Map(shapes), folder, own), tokenizer };
}

/** @throws {CheckpointError} where weights have prompts that were learned: a run would train beside them, to no effect */
function refuseToGoOnFrom(name: string, weights: NamedArrays): void {
  if (!hasLearnedPrompts(weights)) return;
  throw new CheckpointError(
    `model.weights: ${name}: holds learned prompts, with which another training does not begin; name the weights that ` +
      "they were trained on, or go on with that run (--resume)",
  );
}

/**
 * Makes a folder in the nearest one that is there and removes it again: permissions alone do not tell of file systems
 * that are read-only or take no folders. A dry run, which writes nothing, asks for the permissions.
 * @throws {ConfigError} where the run's folder cannot be made or written to
 */
async function checkWritable(folder: string, { isDry }: { readonly isDry: boolean }): Promise<void> {
  const there = nearestFolder(folder);
  const problem = statSync(there).isDirectory() ? await refusalOf(there, isDry) : "is a file";
  if (problem === null) return;
  throw new ConfigError(`${folder}: cannot be the run's folder: ${there} ${problem}; give another one (--out)`);
}

async function refusalOf(there: string, isDry: boolean): Promise<string | null> {
  try {
    if (isDry) await access(there, constants.W_OK);
    else await rmdir(await mkdtemp(join(there, STAGING_PREFIX)));
    return null;
  } catch (error) {
    if (isNoSpace(error)) throw error; // which has an exit code of its own
    return `must not be written to (${reasonOf(error)})`;
  }
}

/** Nearest existing folder: the folder itself, or one above it. */
export function nearestFolder(folder: string): string {
  return existsSync(folder) ? folder : nearestFolder(dirname(folder));
}
