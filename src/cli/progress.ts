/** How far a command is: bars on a terminal, now and then a line in a log. Standard error only; results are not. */
import { SingleBar } from "cli-progress";
import type { ProgressEvent, ReportProgress } from "../base/progress.js";
import type { TrainingReport } from "../train/runPlan.js";
import { formatBytes, formatDuration } from "./format.js";

/** In a log: at most one line of each job in this time. */
const SECONDS_BETWEEN_LINES = 15;

export interface Progress {
  /** A counted job: a download, the images of a list. Its bar goes when `done` reaches `total`. */
  readonly report: ReportProgress;
  /** One step of training: loss, learning rate, images/s, time left. */
  readonly training: (event: TrainingReport) => void;
  /** A line that stays: a notice, an epoch's validation. */
  readonly note: (line: string) => void;
  /** Ends what is still shown, so that what is printed next begins on its own line. Call it in `finally`. */
  readonly stop: () => void;
}

/** What `createProgress` asks of a stream; `process.stderr` is one. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/**
 * Progress for people: bars where `stream` is a terminal, lines where it is not or NO_COLOR is set.
 *
 * @param stream  standard error, except in tests; standard output is for results
 */
export function createProgress(stream: ProgressStream = process.stderr): Progress {
  const wantsBars = stream.isTTY === true && !process.env["NO_COLOR"];
  return wantsBars ? barProgress(stream) : lineProgress(stream);
}

/** One bar at a time: it is wiped when its job is done, when another begins and while a line is written. */
function barProgress(stream: ProgressStream): Progress {
  let shown: { readonly label: string; readonly bar: SingleBar } | undefined;
  const wipe = () => {
    shown?.bar.stop();
    shown = undefined;
  };
  process.on("exit", wipe); // a bar hides the cursor
  const show = (label: string, done: number, total: number, details: string) => {
    if (shown?.label !== label) wipe();
    shown ??= { label, bar: startedBar(stream, label, { done, total, details }) };
    shown.bar.setTotal(total);
    shown.bar.update(done, { label, details });
    if (done >= total) wipe(); // what came of it is the command's to say, with `note` or as its result
  };
  return {
    report: (event) => {
      show(event.label, event.done, event.total, countOf(event));
    },
    training: (event) => {
      show(epochOf(event), event.step, event.stepsPerEpoch, trainingDetails(event));
    },
    note: (line) => {
      wipe();
      stream.write(`${line}\n`);
    },
    stop: () => {
      wipe();
      process.off("exit", wipe);
    },
  };
}

function startedBar(
  stream: ProgressStream,
  label: string,
  { done, total, details }: { readonly done: number; readonly total: number; readonly details: string },
): SingleBar {
  const bar = new SingleBar({
    stream,
    format: "{label} {bar} {percentage}%  {details}",
    barsize: 24,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    emptyOnZero: true,
    clearOnComplete: true,
    gracefulExit: false, // signals are `signals.ts`'s
  });
  bar.start(total, done, { label, details });
  return bar;
}

function lineProgress(stream: ProgressStream): Progress {
  const say = (line: string) => {
    stream.write(`${line}\n`);
  };
  const saidAtMs = new Map<string, number>();
  const sayNowAndThen = (label: string, line: () => string) => {
    const now = Date.now();
    const last = saidAtMs.get(label);
    if (last !== undefined && now - last < 1000 * SECONDS_BETWEEN_LINES) return;
    saidAtMs.set(label, now);
    if (last !== undefined) say(line()); // a job shorter than that needs no line
  };
  return {
    report: (event) => {
      sayNowAndThen(event.label, () => `${event.label}: ${countOf(event)}`);
      if (event.done >= event.total) saidAtMs.delete(event.label);
    },
    training: (event) => {
      sayNowAndThen("training", () => `${epochOf(event)}  ${trainingDetails(event)}`);
    },
    note: say,
    stop: () => {},
  };
}

function countOf({ done, total, unit }: ProgressEvent): string {
  return unit === "bytes" ? `${formatBytes(done)} of ${formatBytes(total)}` : `${done} of ${total} ${unit}`;
}

function epochOf({ epoch, epochs }: TrainingReport): string {
  return `epoch ${epoch} of ${epochs}`;
}

function trainingDetails({ step, stepsPerEpoch, loss, learningRate, ...speed }: TrainingReport): string {
  return [
    `step ${step}/${stepsPerEpoch}`,
    `loss ${loss.toFixed(4)}`,
    `rate ${learningRate.toExponential(1)}`,
    `${speed.imagesPerSecond.toFixed(1)} images/s`,
    `${formatDuration(speed.secondsLeft)} left`,
  ].join("  ");
}
