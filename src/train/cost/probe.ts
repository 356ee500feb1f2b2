import type { NamedArrays } from "../../model/parameters/parameters.js";
import { adapterArrays } from "../checkpoint/adapter.js";
import { loadLast } from "../checkpoint/checkpoint.js";
import { isRidge } from "../config.js";
import { type LoggedStep, NO_LOGS, type TrainingLogs } from "../logs/runLogs.js";
import { type Trainable, trainLoop } from "../loop.js";
import type { RunPlan } from "../plan.js";
import { RUN_START, type Validation } from "../progress.js";
import { ridgeStepFlops, Trainer } from "../trainer.js";
import type { stepFlops, StepFlops } from "./stepFlops.js";

/** Steps that a probe takes at most: one that warms up, two that are timed. */
export const PROBED_STEPS = 3;
/** Seconds after which one timed step has to do. */
const ENOUGH_SECONDS = 60;

/** Cost of a few real steps of a run. */
export interface Probe {
  readonly network: Parameters<typeof stepFlops>[0];
  readonly flops: StepFlops;
  readonly parameters: {
    readonly all: number;
    /** Of those, reached by gradients. */
    readonly trained: number;
  };
  /** Of a step, warmed up. */
  readonly seconds: number;
  /** Of those, spent waiting for images. */
  readonly dataSeconds: number;
  /** Seconds that the first step took beyond that: it loads, allocates and, where functions are compiled, makes them. */
  readonly startSeconds: number;
  /** The most memory of the host that this process has held so far, steps and the reading of a checkpoint included. */
  readonly peakBytes: number;
  /** Size of a checkpoint, without and with what training goes on from. */
  readonly weightBytes: number;
  readonly checkpointBytes: number;
  /** Seconds of encoding an image's windows, once a run; null where steps encode. */
  readonly secondsPerImage: number | null;
}

/** Takes the first steps of a run, on its own images, and discards them; writes nothing. @throws what `trainSplit` throws */
export async function probeTraining(whole: RunPlan): Promise<Probe> {
  const plan = isRidge(whole.config.train) ? withFewImages(whole) : whole;
  const checkpoint = (await loadLast(plan.folder))?.checkpoint ?? null;
  const taken: LoggedStep[] = [];
  const report = () => {
    plan.reporter.progress({ label: "probing", done: taken.length, total: PROBED_STEPS, unit: "steps" });
  };
  const record: TrainingLogs["step"] = (step) => {
    taken.push(step);
    report();
    return Promise.resolve();
  };
  report(); // the first step may take a while
  const validate = () => Promise.resolve({ srcc: null, average: null });
  const trainer = await Trainer.open(plan, { checkpoint, validate, seen: null, logs: { ...NO_LOGS, step: record } });
  try {
    const unsaved: Trainable<Validation> = {
      step: (options) => trainer.step(options),
      validate,
      endEpoch: () => Promise.resolve(),
      save: () => Promise.resolve(),
    };
    const signal = {
      get aborted() {
        return isEnough(taken);
      },
    };
    await trainLoop(unsaved, { ...plan.config, tasks: trainer.tasks }, { start: RUN_START, signal });
    const saved = await trainer.checkpoint(RUN_START);
    const allBytes = bytesOf(saved.weights);
    const weightBytes = saved.adapter === null ? allBytes : bytesOf(adapterArrays(saved.weights, saved.adapter));
    return {
      network: { architecture: trainer.model.architecture, tree: trainer.model.promptTree },
      flops: isRidge(whole.config.train) ? ridgeStepFlops(whole) : trainer.flops,
      parameters: { all: allBytes / Float32Array.BYTES_PER_ELEMENT, trained: trainer.trainedValues },
      ...(isRidge(whole.config.train) ? solvingTime(taken, trainer.encoded) : warmTimes(taken)),
      peakBytes: process.resourceUsage().maxRSS * 1024, // kilobytes
      weightBytes,
      checkpointBytes: weightBytes + bytesOf(saved.raw) + bytesOf(saved.optimizer),
      secondsPerImage: trainer.encoded === null ? null : trainer.encoded.seconds / trainer.encoded.images,
    };
  } finally {
    await trainer.close();
  }
}

/** Images of each database that are enough to time the one step of a ridge regression, which takes all. */
const ENOUGH_IMAGES = 8;

function withFewImages(plan: RunPlan): RunPlan {
  const databases = plan.databases.map((one) => ({ ...one, train: one.train.slice(0, ENOUGH_IMAGES) }));
  return { ...plan, databases };
}

/** Of the one step of a ridge regression, without encoding its images, which is counted by itself. */
function solvingTime(taken: readonly LoggedStep[], encoded: Trainer["encoded"]): ReturnType<typeof warmTimes> {
  const all = taken.reduce((sum, { seconds }) => sum + seconds, 0);
  return { seconds: Math.max(1e-3, all - (encoded?.seconds ?? 0)), dataSeconds: 0, startSeconds: 0 };
}

function isEnough(taken: readonly LoggedStep[]): boolean {
  const seconds = taken.reduce((sum, step) => sum + step.seconds, 0);
  return taken.length >= PROBED_STEPS || (taken.length === PROBED_STEPS - 1 && seconds >= ENOUGH_SECONDS);
}

/** Means over all steps but the first, which also loads, allocates and waits for the first images. */
function warmTimes(taken: readonly LoggedStep[]): Pick<Probe, "seconds" | "dataSeconds" | "startSeconds"> {
  const warm = taken.length > 1 ? taken.slice(1) : taken; // a run of one step has no other
  const mean = (of: (step: LoggedStep) => number) => warm.reduce((sum, step) => sum + of(step), 0) / warm.length;
  const seconds = mean((step) => step.seconds);
  const startSeconds = Math.max(0, (taken[0]?.seconds ?? seconds) - seconds);
  return { seconds, dataSeconds: mean((step) => step.dataSeconds), startSeconds };
}

function bytesOf(arrays: NamedArrays | null): number {
  return [...(arrays?.values() ?? [])].reduce((sum, { values }) => sum + values.byteLength, 0);
}
