import path from "node:path";
import { writeFileAtomic } from "../../base/files.js";
import type { Batch } from "../../data/loader/loader.js";
import * as tf from "../../engine/tf.js";
import type { LiqeModel } from "../../model/liqe.js";
import type { TaskValues } from "../../model/prompts/promptGrid.js";
import { RUN_FILES } from "../checkpoint/runFolder.js";
import type { StepRecord } from "../loop.js";
import type { RunPlan } from "../plan.js";
import type { Position, RunProgress, Validation } from "../progress.js";
import type { GradientSummary, NonFiniteStepError, StepResult } from "../step.js";
import { mlflowTarget } from "./config.js";
import { stopRefreshing, writeEpochPages } from "./epochPages.js";
import { writeFirstBatch } from "./firstBatch.js";
import { metricsJson, type MetricsLine, MetricsLog, type StepMetrics } from "./metricsLog.js";
import { MlflowLog } from "./mlflow.js";
import { EventFile } from "./tensorboard.js";

/** Bytes of each log up to some position of the run. */
type LogBytes = { readonly metrics: number; readonly events: number };

/** One step, measured. */
export interface LoggedStep {
  readonly position: Position;
  readonly weights: TaskValues;
  readonly learningRate: number;
  readonly result: StepResult;
  readonly images: number;
  readonly seconds: number;
  readonly dataSeconds: number;
  /** Of exchanging tensors with other processes; undefined where there are none. */
  readonly peersSeconds?: number | undefined;
  /** Images that could not be used and were replaced. */
  readonly unreadable: number;
  /** Floating-point operations that it took. */
  readonly flops: number;
}

/** Logs of a run at work. */
export interface TrainingLogs {
  readonly bytes: LogBytes;
  /** Pictures of the run's first batch, before its first step. */
  readonly firstBatch: (batch: Batch, model: LiqeModel) => Promise<void>;
  readonly step: (record: LoggedStep) => Promise<void>;
  readonly skipped: (record: LoggedStep) => Promise<void>;
  /** Of a step that was not taken. @returns the file that has it; null where nothing is written */
  readonly diagnosis: (diagnosis: Diagnosis) => Promise<string | null>;
  readonly epoch: (last: StepRecord, progress: RunProgress, validation: Validation | null) => Promise<void>;
  /** Waits until the disk has what was written: a checkpoint is about to count it. */
  readonly sync: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Logs of what is not to be logged. */
export const NO_LOGS: TrainingLogs = {
  bytes: { metrics: 0, events: 0 },
  firstBatch: () => Promise.resolve(),
  step: () => Promise.resolve(),
  skipped: () => Promise.resolve(),
  diagnosis: () => Promise.resolve(null),
  epoch: () => Promise.resolve(),
  sync: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** Programs that a run's measures are written for; null where they are not asked for (`logging`). */
interface ScalarLogs {
  readonly events: EventFile | null;
  readonly mlflow: MlflowLog | null;
}

/** Logs of a run: metrics.jsonl, TensorBoard's events, MLflow, and reports to the plan's reporter. */
export class RunLogs implements TrainingLogs {
  /** True after the last epoch. */
  #isFinished = false;

  private constructor(
    private readonly plan: RunPlan,
    private readonly metrics: MetricsLog,
    private readonly scalarLogs: ScalarLogs & { readonly earlierBytes: number },
    private readonly clock: StepClock,
  ) {}

  /**
   * Opens the logs in the run's folder and drops what stands behind `bytes`.
   * @throws {ConfigError} where MLflow is asked for and nothing names its server
   */
  static async open(plan: RunPlan, bytes: LogBytes): Promise<RunLogs> {
    const metricsFile = path.join(plan.folder, RUN_FILES.metrics);
    const { log: metrics, missing } = await MetricsLog.open(metricsFile, bytes.metrics);
    if (missing > 0) plan.reporter.note(`${metricsFile}: its last ${missing} bytes are gone; going on without them`);
    const folder = path.join(plan.folder, RUN_FILES.tensorboard);
    const isForTensorBoard = plan.config.logging.includes("tensorboard");
    const events = isForTensorBoard ? await EventFile.open(folder, bytes.events, plan.now() / 1000) : null;
    const scalarLogs = { events, mlflow: openMlflow(plan), earlierBytes: bytes.events };
    return new RunLogs(plan, metrics, scalarLogs, new StepClock(plan.config.train, plan.now));
  }

  get bytes(): LogBytes {
    const { events, earlierBytes } = this.scalarLogs;
    return { metrics: this.metrics.bytes, events: events?.bytes ?? earlierBytes };
  }

  async #write(line: MetricsLine): Promise<void> {
    await this.metrics.write(line);
    this.plan.onMetrics?.(line);
  }

  async #scalars(step: number, values: Readonly<Record<string, number>>): Promise<void> {
    const seconds = this.plan.now() / 1000;
    this.scalarLogs.mlflow?.scalars(step, seconds, values);
    await this.scalarLogs.events?.scalars(step, seconds, values);
  }

  async firstBatch(batch: Batch, model: LiqeModel): Promise<void> {
    await writeFirstBatch(this.plan, batch, model);
  }

  async step(record: LoggedStep): Promise<void> {
    const { epochs, stepsPerEpoch } = this.plan.config.train;
    const { position, images, seconds } = record;
    const timing = this.clock.step(position, images, seconds);
    const line = this.#lineOf("step", record);
    await this.#write(line);
    const { loss, losses, weights, learningRate, gradientNorm, time, memory } = line;
    await this.#scalars(line.step, {
      "train/loss": loss,
      ...tagged("train/loss_", losses),
      ...tagged("train/weight_", weights),
      "train/learning_rate": learningRate,
      "train/gradient_norm": gradientNorm,
      "time/seconds": time.seconds,
      "time/data_seconds": time.dataSeconds,
      "time/images_per_second": time.imagesPerSecond,
      "time/flops_per_second": time.flopsPerSecond,
      "time/peak_share": time.peakShare,
      "memory/resident_mb": memory.residentMB,
      "memory/tensors": memory.tensors,
    });
    this.plan.reporter.training({
      ...{ epoch: position.epoch + 1, epochs, step: position.step + 1, stepsPerEpoch, loss, learningRate },
      ...timing,
    });
  }

  /** Records a step that was not taken in metrics.jsonl, and says so. */
  async skipped(record: LoggedStep): Promise<void> {
    const line = this.#lineOf("skipped", record);
    await this.#write(line);
    const where = `epoch ${record.position.epoch + 1}, step ${record.position.step + 1}`;
    const figures = `loss ${line.loss}, gradient norm ${line.gradientNorm}`;
    this.plan.reporter.note(`${where}: skipped, ${figures} (train.maxSkippedSteps)`);
  }

  #lineOf(
    kind: StepMetrics["kind"],
    { position, weights, learningRate, result, ...measured }: LoggedStep,
  ): StepMetrics {
    const { epoch } = position;
    const step = epoch * this.plan.config.train.stepsPerEpoch + position.step;
    const { loss, losses, gradientNorm } = result;
    const { unreadable } = measured;
    const time = timeOf(measured, this.plan.peakFlopsPerSecond);
    const line = { epoch, step, loss, losses, weights, learningRate, gradientNorm, unreadable };
    return { kind, ...line, time, memory: memoryNow() };
  }

  async diagnosis(diagnosis: Diagnosis): Promise<string> {
    return saveDiagnosis(this.plan.folder, diagnosis);
  }

  async epoch({ position, weights, learningRate }: StepRecord, progress: RunProgress, validation: Validation | null) {
    const { stepsPerEpoch } = this.plan.config.train;
    const { epoch } = position;
    const losses = progress.history.epochMeans.at(-1) ?? {};
    const loss = Object.entries(losses).reduce(
      (sum, [task, mean]) => sum + mean * (weights[task as keyof TaskValues] ?? 0), // keys of TaskValues
      0,
    );
    const step = (epoch + 1) * stepsPerEpoch;
    const seconds = this.clock.epoch();
    const line = { epoch, step, loss, losses, weights, learningRate, validation };
    await this.#write({ kind: "epoch", ...line, time: { seconds }, memory: memoryNow() });
    const { srcc = null, average = null, pairs = null } = validation ?? {};
    await this.#scalars(step, {
      ...tagged("epoch/loss_", losses),
      ...(srcc === null ? {} : { "val/srcc": srcc }),
      ...(pairs === null ? {} : { "val/pairs": pairs }),
      ...(average === null ? {} : { "val/average": average }),
    });
    this.scalarLogs.mlflow?.send();
    this.#isFinished = progress.finished;
    await writeEpochPages(this.plan, { isTraining: !progress.finished });
  }

  async sync(): Promise<void> {
    await this.metrics.sync();
    await this.scalarLogs.events?.sync();
  }

  async close(): Promise<void> {
    await this.metrics.close();
    await this.scalarLogs.mlflow?.close(this.#isFinished ? "FINISHED" : "KILLED", this.plan.now());
    await stopRefreshing(this.plan.folder);
  }
}

/** Log for MLflow; null where the run does not ask for it. */
function openMlflow({ config, record, folder, split, packageVersion, reporter, now }: RunPlan): MlflowLog | null {
  const target = mlflowTarget(config, process.env);
  if (target === null) return null;
  const run = {
    name: `${String(record["run"])}/split-${split}`,
    config: record,
    tags: { "mlflow.source.name": "liqe train", "liqe.version": packageVersion, "liqe.folder": folder },
    file: path.join(folder, RUN_FILES.mlflow),
    startedMs: now(),
  };
  return new MlflowLog(target, run, reporter.note);
}

function timeOf(
  {
    seconds,
    dataSeconds,
    peersSeconds,
    images,
    flops,
  }: Pick<LoggedStep, "seconds" | "dataSeconds" | "peersSeconds" | "images" | "flops">,
  peakFlopsPerSecond: number,
): StepMetrics["time"] {
  const flopsPerSecond = Math.round(flops / seconds);
  return {
    seconds,
    dataSeconds,
    ...(peersSeconds === undefined ? {} : { peersSeconds }),
    imagesPerSecond: images / seconds,
    flopsPerSecond,
    peakShare: flopsPerSecond / peakFlopsPerSecond,
  };
}

function tagged(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([task, value]) => [prefix + task, value]));
}

function memoryNow(): { residentMB: number; tensors: number } {
  return { residentMB: Math.round(process.memoryUsage.rss() / 2 ** 20), tensors: tf.memory().numTensors };
}

/** Decay of the shown speed's moving average: about the last twenty steps. */
const MEMORY = 0.95;

/** Speed and time left, from the steps of this process; what was done before a resume is not counted. */
class StepClock {
  #secondsPerStep: number | null = null;
  #epochStartedMs: number;

  constructor(
    private readonly run: { readonly epochs: number; readonly stepsPerEpoch: number },
    private readonly now: () => number,
  ) {
    this.#epochStartedMs = now();
  }

  /** After a step. Time left counts training steps alone, not validation. */
  step({ epoch, step }: Position, images: number, seconds: number): { imagesPerSecond: number; secondsLeft: number } {
    const { epochs, stepsPerEpoch } = this.run;
    const before = this.#secondsPerStep;
    this.#secondsPerStep = before === null ? seconds : MEMORY * before + (1 - MEMORY) * seconds;
    const stepsLeft = epochs * stepsPerEpoch - (epoch * stepsPerEpoch + step + 1);
    return { imagesPerSecond: images / this.#secondsPerStep, secondsLeft: stepsLeft * this.#secondsPerStep };
  }

  /** After an epoch: its seconds, validation included. */
  epoch(): number {
    const endedMs = this.now();
    const seconds = (endedMs - this.#epochStartedMs) / 1000;
    this.#epochStartedMs = endedMs;
    return seconds;
  }
}

/** Record of a step whose loss or gradient was not finite: `diagnosis.json` of the run's split. */
export interface Diagnosis {
  readonly epoch: number;
  /** Steps of the run before it, as in metrics.jsonl. */
  readonly step: number;
  readonly learningRate: number;
  readonly loss: number;
  readonly losses: TaskValues;
  readonly weights: TaskValues;
  readonly gradientNorm: number;
  /** The images of the batch. */
  readonly files: readonly string[];
  /** The first parameter whose gradient has an entry that is not finite; null where only the norm overflowed. */
  readonly firstNonFinite: string | null;
  readonly gradients: readonly GradientSummary[];
}

/** Diagnosis of a step that was not taken. */
export function diagnose(
  { result, gradients }: NonFiniteStepError,
  place: Pick<Diagnosis, "epoch" | "step" | "learningRate" | "files">,
): Diagnosis {
  const { epoch, step, learningRate, files } = place;
  const { loss, losses, weights, gradientNorm } = result;
  const firstNonFinite = gradients.find(({ nonFinite }) => nonFinite > 0)?.parameter ?? null;
  return { epoch, step, learningRate, loss, losses, weights, gradientNorm, files, firstNonFinite, gradients };
}

/** Writes the diagnosis into the split's folder, over an earlier one. @returns the file */
async function saveDiagnosis(folder: string, diagnosis: Diagnosis): Promise<string> {
  const file = path.join(folder, RUN_FILES.diagnosis);
  await writeFileAtomic(file, `${metricsJson(diagnosis, 1)}\n`);
  return file;
}
