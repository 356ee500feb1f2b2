import { sum } from "../../base/collections.js";
import { type Database, eachOnce, validationImages } from "../../data/sample.js";
import { imageFlops } from "../../model/flops.js";
import { parameterShapes } from "../../model/parameters/shapes.js";
import type { Recompute } from "../gradientCache.js";
import { frozenTowers, tunedParameters } from "../optimizer/parameterGroups.js";
import { cropsPerStep, imagesPerStep, type RunPlan } from "../plan.js";
import { bytesPerCrop, stepBytes } from "./memory.js";
import type { Probe } from "./probe.js";
import { stepFlops } from "./stepFlops.js";

/** Log bytes of one step: 540 in metrics.jsonl, 450 in TensorBoard's file (measured, three tasks). */
const LOG_BYTES_PER_STEP = 1000;

const GIGABYTE = 1e9;

/** Savings below this share of a run are not worth a line. */
const WORTH_SAYING = 0.05;
/** The same for waiting, which a probe overstates: it reads its images for the first time, later steps from memory. */
const WAITING_WORTH_SAYING = 0.1;

/** One split of a run, as far as its cost depends on it. */
export interface CostedRun {
  readonly config: Pick<RunPlan["config"], "model" | "train" | "evaluate" | "augment">;
  readonly databases: readonly Pick<Database, "imagesPerStep" | "train" | "val" | "test" | "pairs">[];
  /** Steps that a checkpoint has behind it. */
  readonly stepsDone: number;
}

/** Seconds and bytes that a run will take, by a probe of its first steps. */
interface RunCost {
  readonly trainingSeconds: number;
  readonly validations: number;
  /** By the probe's speed and the work; decoding is not counted. */
  readonly validationSeconds: number;
  /** Of the test lists, likewise. */
  readonly evaluationSeconds: number;
  readonly totalSeconds: number;
  /** Size of the run's folder in the end. */
  readonly diskBytes: number;
  /** Bytes besides, while a checkpoint is saved. */
  readonly savingBytes: number;
}

export function runCost({ config, databases, stepsDone }: CostedRun, probe: Probe): RunCost {
  const { train, evaluate } = config;
  const steps = train.epochs * train.stepsPerEpoch;
  const flopsPerSecond = probe.flops.total / (probe.seconds - probe.dataSeconds);
  const scoringSeconds = (images: number, crops: number) =>
    probe.secondsPerImage === null
      ? (images * crops * imageFlops(probe.network.architecture)) / flopsPerSecond
      : (images * probe.secondsPerImage * crops) / evaluate.crops; // what was timed
  const epochsDone = Math.floor(stepsDone / train.stepsPerEpoch);
  const valImages = sum(databases.map((database) => eachOnce(database, validationImages(database)).length));
  const validations = valImages === 0 ? 0 : validationsIn(train, epochsDone);
  const trainingSeconds =
    probe.secondsPerImage === null
      ? Math.max(0, steps - stepsDone) * probe.seconds
      : Math.max(0, steps - stepsDone) * (probe.seconds - probe.dataSeconds) +
        scoringSeconds(keptImages(databases).train, evaluate.crops);
  const scorings = probe.secondsPerImage === null ? validations : Math.min(1, validations); // features are kept
  const validationSeconds = scorings * scoringSeconds(valImages, evaluate.validationCrops);
  const evaluationSeconds = scoringSeconds(sum(databases.map(({ test }) => test.length)), evaluate.crops);
  const kept = train.keepEverySteps === null ? 0 : Math.floor(steps / train.keepEverySteps);
  const checkpoints = (2 + kept) * probe.checkpointBytes; // last, previous, step-<n>
  return {
    trainingSeconds,
    validations,
    validationSeconds,
    evaluationSeconds,
    totalSeconds: trainingSeconds + validationSeconds + evaluationSeconds,
    diskBytes:
      checkpoints + 2 * probe.weightBytes + steps * LOG_BYTES_PER_STEP + featureBytes({ config, databases }, probe), // and two bests
    savingBytes: probe.checkpointBytes,
  };
}

/** Numbers of the images whose features a probe keeps: its databases have lists of scores. */
export function keptImages(databases: CostedRun["databases"]): { readonly train: number; readonly val: number } {
  return {
    train: sum(databases.map(({ train }) => train.length)),
    val: sum(databases.map(({ val }) => val.length)),
  };
}

/** Bytes of the features that a probe keeps: those of all its windows. */
export function featureBytes(
  { config: { evaluate }, databases }: Pick<CostedRun, "config" | "databases">,
  { secondsPerImage, network }: Pick<Probe, "secondsPerImage" | "network">,
): number {
  if (secondsPerImage === null) return 0;
  const { train, val } = keptImages(databases);
  const crops = train * evaluate.crops + val * evaluate.validationCrops;
  return crops * network.architecture.embedding * Float32Array.BYTES_PER_ELEMENT;
}

/** Validations after the given epoch: every k-th, and the last. */
function validationsIn(
  { epochs, validateEveryEpochs }: Pick<RunPlan["config"]["train"], "epochs" | "validateEveryEpochs">,
  epochsDone: number,
): number {
  if (epochsDone >= epochs) return 0;
  return Math.ceil(epochs / validateEveryEpochs) - Math.floor(epochsDone / validateEveryEpochs);
}

/** A change of the config that makes the run cheaper. */
interface Saving {
  /** As `--set` takes it, or in words where it is none. */
  readonly change: string;
  /** Of the run's whole time, by the work that goes away. */
  readonly share: number;
  /** Price in words; null where the trained weights stay the same. */
  readonly price: string | null;
}

/** Changes that would make the run cheaper by its own numbers, the largest saving first. `memoryBytes`: the machine's. */
export function savings(run: CostedRun, probe: Probe, memoryBytes: number): Saving[] {
  const cost = runCost(run, probe);
  const { train } = run.config;
  const trainingShare = cost.trainingSeconds / cost.totalSeconds;
  const waitingShare = trainingShare * (probe.dataSeconds / probe.seconds);
  const everyOther = 2 * train.validateEveryEpochs;
  const fewer =
    probe.secondsPerImage !== null
      ? 0
      : 1 - validationsIn({ ...train, validateEveryEpochs: everyOther }, 0) / validationsIn(train, 0);
  const found: Saving[] = [
    ...(probe.secondsPerImage === null ? workSavings(run, probe, memoryBytes) : []).map((saving) => ({
      ...saving,
      share: (trainingShare - waitingShare) * saving.share,
    })),
    {
      change: `train.validateEveryEpochs=${everyOther}`,
      share: fewer * (cost.validationSeconds / cost.totalSeconds),
      price: "the best epoch may be missed",
    },
    ...(waitingShare < WAITING_WORTH_SAYING || probe.secondsPerImage !== null // it waited for features
      ? []
      : [{ change: "smaller images, or a larger data.cacheMB", share: waitingShare, price: null }]),
  ];
  return found.filter(({ share }) => share >= WORTH_SAYING).sort((a, b) => b.share - a.share);
}

/** Changes that take work out of a step; their shares are of that. */
function workSavings(run: CostedRun, probe: Probe, memoryBytes: number): Saving[] {
  const { train, model } = run.config;
  const crops = cropsPerStep(run);
  const share = (change: Partial<StepChange>) => 1 - changedWork(run, probe, change) / probe.flops.total;
  const perCrop = bytesPerCrop(probe.network.architecture, "activations");
  const wholeBytes = probe.peakBytes + (crops - train.microBatch) * perCrop; // of the process, with all crops at once
  const budget = Math.ceil(stepBytes(train, { ...probe.network, crops }, "never", crops) / GIGABYTE);
  const atOnce =
    wholeBytes < memoryBytes
      ? `train.memoryBudgetGB=${budget} train.microBatch=auto`
      : `a machine with ${Math.ceil(wholeBytes / GIGABYTE)} GB of memory`;
  const isLearnt = model.weights !== "none"; // a text tower from random numbers should learn
  return [
    ...(isLearnt && train.freeze.length === 0 && train.tune === "all"
      ? [{ change: "train.freeze=[text]", share: share({ freeze: ["text"] }), price: "prompts stay as they are" }]
      : []),
    { change: "train.cropsPerImage=1", share: share({ cropsPerImage: 1 }), price: "noisier steps" },
    { change: atOnce, share: share({ microBatch: crops, recompute: "never" }), price: null },
  ];
}

interface StepChange {
  readonly cropsPerImage: number;
  readonly microBatch: number;
  readonly recompute: Recompute;
  /** As in the config. */
  readonly freeze: readonly string[];
}

/** Work of a step under another config. */
function changedWork(run: CostedRun, { network }: Probe, change: Partial<StepChange>) {
  const { cropsPerImage, microBatch, recompute, freeze: parts, tune } = { ...run.config.train, ...change };
  const freeze = frozenTowers(
    tunedParameters(parameterShapes(network.architecture), { ...run.config.train, freeze: parts }),
  );
  const images = imagesPerStep(run);
  const crops = images * cropsPerImage;
  return stepFlops(network, { images, crops, freeze, tune, microBatch, recompute }).total;
}
