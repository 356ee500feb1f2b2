import type { FileHandle } from "node:fs/promises";
import { mkdir, open } from "node:fs/promises";
import path from "node:path";

/** What both kinds of lines of metrics.jsonl hold. */
interface Metrics {
  readonly epoch: number;
  /** Optimizer steps of the run before this line's moment; of a step's line, before the step. */
  readonly step: number;
  /** The weighted sum of the losses. */
  readonly loss: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly weights: Readonly<Record<string, number>>;
  readonly learningRate: number;
  readonly memory: { readonly residentMB: number; readonly tensors: number };
}

/** What one optimizer step did. */
export interface StepMetrics extends Metrics {
  readonly kind: "step";
  /** Global norm, before clipping. */
  readonly gradientNorm: number;
  readonly time: StepTime;
}

/** How long a step took and what it made of the machine: the part of its line that differs from run to run. */
export interface StepTime {
  readonly seconds: number;
  /** Of these, spent waiting for images. */
  readonly dataSeconds: number;
  readonly imagesPerSecond: number;
  /** The step's work (see `stepFlops`) a second, waiting included. */
  readonly flopsPerSecond: number;
  /** That as a share of the machine's measured peak. */
  readonly peakShare: number;
}

/** What an epoch came to; its losses are means over its steps. */
export interface EpochMetrics extends Metrics {
  readonly kind: "epoch";
  /** Null in epochs that were not validated. */
  readonly validation: unknown;
  readonly time: { readonly seconds: number };
}

/** The run's history, one JSON object a line. Keeps the file open until `close()`. */
export class MetricsLog {
  private constructor(
    private readonly handle: FileHandle,
    private length: number,
  ) {}

  /** Opens the file and drops what stands behind `bytes`: steps that the checkpoint knows nothing of. */
  static async open(file: string, bytes: number): Promise<MetricsLog> {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(file, "a+");
    await handle.truncate(bytes);
    return new MetricsLog(handle, bytes);
  }

  /** Bytes written so far: what a checkpoint remembers. */
  get bytes(): number {
    return this.length;
  }

  async write(line: StepMetrics | EpochMetrics): Promise<void> {
    const text = Buffer.from(`${JSON.stringify(line)}\n`);
    await this.handle.appendFile(text);
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
