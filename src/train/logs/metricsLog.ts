import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { makeFolders } from "../../base/folders.js";

/** Fields of both kinds of lines of metrics.jsonl. */
interface Metrics {
  readonly epoch: number;
  /** Global step at the time of writing, counted from 0; of a step's line, before the step. */
  readonly step: number;
  /** The weighted sum of the losses. */
  readonly loss: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly weights: Readonly<Record<string, number>>;
  readonly learningRate: number;
  readonly memory: { readonly residentMB: number; readonly tensors: number };
}

/** One optimizer step, taken or skipped (`train.maxSkippedSteps`). */
export interface StepMetrics extends Metrics {
  readonly kind: "step" | "skipped";
  /** Global norm, before clipping. */
  readonly gradientNorm: number;
  /** Images that could not be used and were replaced. */
  readonly unreadable: number;
  readonly time: StepTime;
}

/** Time of a step and use of the machine: the part of its line that differs from run to run. */
export interface StepTime {
  readonly seconds: number;
  /** Of these, spent waiting for images. */
  readonly dataSeconds: number;
  /** Of these, spent in exchanging tensors with the other processes of the run; absent where it has none. */
  readonly peersSeconds?: number | undefined;
  readonly imagesPerSecond: number;
  /** The step's work (see `stepFlops`) a second, waiting included. */
  readonly flopsPerSecond: number;
  /** That as a share of the machine's measured peak. */
  readonly peakShare: number;
}

/** One epoch; its losses are means over its steps. */
export interface EpochMetrics extends Metrics {
  readonly kind: "epoch";
  /** Null in epochs that were not validated. */
  readonly validation: unknown;
  readonly time: { readonly seconds: number };
}

/** Line of metrics.jsonl. */
export type MetricsLine = StepMetrics | EpochMetrics;

/** JSON of measured values; numbers that are not finite, which JSON lacks, become "NaN", "Infinity" and "-Infinity". */
export function metricsJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, inner: unknown) => (typeof inner === "number" && !Number.isFinite(inner) ? String(inner) : inner),
    indent,
  );
}

/** The run's history, one JSON object a line. Keeps the file open until `close()`. */
export class MetricsLog {
  private constructor(
    private readonly handle: FileHandle,
    private length: number,
  ) {}

  /**
   * Opens the file and drops what stands behind `bytes`: steps that the checkpoint knows nothing of.
   * @returns the log, and how many bytes fewer than `bytes` there are: not 0 where someone cut the file
   */
  static async open(file: string, bytes: number): Promise<{ log: MetricsLog; missing: number }> {
    await makeFolders(path.dirname(file));
    const handle = await open(file, "a+");
    const kept = Math.min(bytes, (await handle.stat()).size); // truncating to more would fill up with zeros
    await handle.truncate(kept);
    return { log: new MetricsLog(handle, kept), missing: bytes - kept };
  }

  /** Bytes written so far: what a checkpoint remembers. */
  get bytes(): number {
    return this.length;
  }

  /** @throws the file system's own error; no part of the line is left then */
  async write(line: MetricsLine): Promise<void> {
    const text = Buffer.from(`${metricsJson(line)}\n`);
    try {
      await this.handle.appendFile(text);
    } catch (error) {
      await this.handle.truncate(this.length).catch(() => undefined); // the first error counts
      throw error;
    }
    this.length += text.length;
  }

  /** Waits until the disk has every line. */
  async sync(): Promise<void> {
    await this.handle.sync();
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
