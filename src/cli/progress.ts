/** Progress of a command on standard error: bars on a terminal, a line now and then in a log. */
import { SingleBar } from "cli-progress";
import type { WorkEvent } from "../api/work.js";
import { isLoudness } from "./loudness.js";
import { epochOf, formatBytes, trainingDetails } from "../base/text.js";
import { type ProgressEvent, type Reporter, SILENT } from "../base/types.js";

/** Least time between two lines of one job in a log. */
const SECONDS_BETWEEN_LINES = 15;

/** Columns from which a terminal has room for a long bar beside the words. */
const WIDE_TERMINAL = 100;
const USUAL_TERMINAL = 80;
const BAR_COLUMNS = { wide: 24, narrow: 10 };
/** Columns of " " after the label and " 100%  " after the bar. */
const PERCENTAGE_COLUMNS = 8;

export interface Progress extends Reporter {
  /** Shows an event of the library: progress, a step or a note. Others are the command's to print. */
  readonly onEvent: (event: WorkEvent) => void;
  /** Wipes the bar that is still shown, so that output begins on its own line. Call it in `finally`. */
  readonly stop: () => void;
}

/** Stream of `createProgress`, such as `process.stderr`. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * Progress for people: bars where `stream` is a terminal, lines where it is not or NO_COLOR is set.
 * @param stream  standard error, except in tests; standard output is for results
 */
export function createProgress(stream: ProgressStream = process.stderr): Progress {
  if (isLoudness("quiet")) return { ...SILENT, onEvent: () => {}, stop: () => {} };
  const wantsBars = stream.isTTY === true && !process.env["NO_COLOR"];
  const shown = wantsBars ? barProgress(stream) : lineProgress(stream);
  return {
    ...shown,
    onEvent: (event) => {
      show(shown, event);
    },
  };
}

/** The run that a command takes where none is named, said on standard error. @throws {ConfigError} where there is not one */
export async function theOnlyRun(): Promise<string> {
  const { onlyRun } = await import("../api/runs.js");
  return onlyRun(createProgress().note);
}

/** Runs `work` with progress on standard error, and stops that afterwards. */
export async function withProgress(work: (progress: Progress) => Promise<void>): Promise<void> {
  const progress = createProgress();
  await work(progress).finally(progress.stop);
}

function show(to: Reporter, event: WorkEvent): void {
  if (event.kind === "progress") to.progress(event);
  else if (event.kind === "step") to.training(event);
  else if (event.kind === "note") to.note(event.line);
}

type Shown = Omit<Progress, "onEvent">;

/** One bar at a time: it is wiped when its job is done, when another begins and while a line is written. */
function barProgress(stream: ProgressStream): Shown {
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
    if (done >= total) wipe();
  };
  return {
    progress: (event) => {
      show(event.label, event.done, event.total, countOf(event));
    },
    training: (event) => {
      const label = epochOf(event);
      const room = parseColumns(stream) - label.length - barColumns(stream) - PERCENTAGE_COLUMNS;
      show(label, event.step, event.stepsPerEpoch, trainingDetails(event, room));
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
    barsize: barColumns(stream),
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

/** Present columns of the terminal, which may have been resized. */
function parseColumns({ columns }: ProgressStream): number {
  return columns ?? USUAL_TERMINAL;
}

function barColumns(stream: ProgressStream): number {
  return parseColumns(stream) >= WIDE_TERMINAL ? BAR_COLUMNS.wide : BAR_COLUMNS.narrow;
}

function lineProgress(stream: ProgressStream): Shown {
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
    progress: (event) => {
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
