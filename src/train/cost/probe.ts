import { sum } from "../../base/collections.js";
import type { Database } from "../../data/sample.js";
import type { NamedArrays } from "../../model/parameters/parameters.js";
import { adapterArrays } from "../checkpoint/adapter.js";
import { loadLast } from "../checkpoint/checkpoint.js";
import { isRidge } from "../config.js";
import { type LoggedStep, NO_LOGS, type TrainingLogs } from "../logs/runLogs.js";
import { type Trainable, trainLoop } from "../loop.js";
import type { RunPlan } from "../plan.js";
import { RUN_START, type Validation } from "../progress.js";
import { ridgeStepFlops } from "../features/ridgeProbe.js";
import { Trainer } from "../trainer.js";
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
  /** Of a step, warmed up; of a ridge regression over all images, by one over a few. */
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
  /** Seconds of reading an image and encoding its windows, once a run; null where steps encode. */
  readonly secondsPerImage: number | null;
}

/** Takes the first steps of a run, on its own images, and discards them; writes nothing. @throws what `trainSplit` throws */
export async function probeTraining(whole: RunPlan): Promise<Probe> {
  const isSolved = isRidge(whole.config.train);
  const plan = isSolved ? sampledPlan(whole) : whole;
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
    if (isSolved) await trainer.prepare({ aborted: false }); // timed by itself; else steps encode what they draw
    await trainLoop(unsaved, { ...plan.config, tasks: trainer.tasks }, { start: RUN_START, signal });
    const saved = await trainer.checkpoint(RUN_START);
    const allBytes = bytesOf(saved.weights);
    const weightBytes = saved.adapter === null ? allBytes : bytesOf(adapterArrays(saved.weights, saved.adapter));
    const flops = isSolved ? ridgeStepFlops(whole) : trainer.flops;
    return {
      network: { architecture: trainer.model.architecture, tree: trainer.model.promptTree },
      flops,
      parameters: { all: allBytes / Float32Array.BYTES_PER_ELEMENT, trained: trainer.trainedValues },
      ...(isSolved ? solvingTime(taken, trainer.flops.total / flops.total) : warmTimes(taken)),
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

/** The plan with a few training images of each database, from the lowest to the highest score, and none to validate. */
function sampledPlan(plan: RunPlan): RunPlan {
  return { ...plan, databases: plan.databases.map((one) => ({ ...one, train: acrossScores(one.train), val: [] })) };
}

function acrossScores(train: Database["train"]): Database["train"] {
  if (train.length <= ENOUGH_IMAGES) return train;
  const ascending = train.toSorted((a, b) => a.mos - b.mos);
  const step = (train.length - 1) / (ENOUGH_IMAGES - 1);
  return Array.from({ length: ENOUGH_IMAGES }, (_, i) => ascending[Math.round(i * step)]).flatMap((one) => one ?? []);
}

/** Time of the one step of a ridge regression over all images: that over a few, by the work of either. */
function solvingTime(taken: readonly LoggedStep[], share: number): ReturnType<typeof warmTimes> {
  return { seconds: sum(taken.map(({ seconds }) => seconds)) / share, dataSeconds: 0, startSeconds: 0 };
}

function isEnough(taken: readonly LoggedStep[]): boolean {
  const seconds = sum(taken.map((step) => step.seconds));
  return taken.length >= PROBED_STEPS || (taken.length === PROBED_STEPS - 1 && seconds >= ENOUGH_SECONDS);
}

/** Means over all steps but the first, which also loads, allocates and waits for the first images. */
function warmTimes(taken: readonly LoggedStep[]): Pick<Probe, "seconds" | "dataSeconds" | "startSeconds"> {
  const warm = taken.length > 1 ? taken.slice(1) : taken; // a run of one step has no other
  const mean = (of: (step: LoggedStep) => number) => sum(warm.map(of)) / warm.length;
  const seconds = mean((step) => step.seconds);
  const startSeconds = Math.max(0, (taken[0]?.seconds ?? seconds) - seconds);
  return { seconds, dataSeconds: mean((step) => step.dataSeconds), startSeconds };
}

function bytesOf(arrays: NamedArrays | null): number {
  return sum([...(arrays?.values() ?? [])].map(({ values }) => values.byteLength));
}
