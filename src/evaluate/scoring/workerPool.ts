import { type ChildProcess, fork, type ForkOptions } from "node:child_process";
import { EngineError } from "../../base/errors.js";
import type { EngineInfo } from "../../engine/engine.js";
import * as tf from "../../engine/tf.js";
import type { Architecture } from "../../model/architecture/architecture.js";
import { isVision, type NamedArrays } from "../../model/parameters/parameters.js";
import type { LiqeModel } from "../../model/liqe.js";
import { imageLogits } from "../../model/scorer.js";
import type { EvaluateConfig } from "../config.js";
import { type CropScorer, EVALUATION_BATCH, type Scorer } from "./scoreImages.js";
import type { ImageReply, ImageRequest } from "./worker.js";

type OpenModel = { readonly model: LiqeModel; readonly weights: NamedArrays; readonly scorer: CropScorer };

/**
 * Opens the scorer of a model's crops: the model's own, or one of several processes where they are asked for or pay.
 * @param model    borrowed until `close()`
 * @param weights  the model's own, borrowed until this resolves
 * @throws {EngineError} where several processes are asked for on an engine that has no threads to share
 */
export async function openScorer(
  { model, weights, scorer }: OpenModel,
  wanted: ProcessesWanted,
): Promise<{ readonly scorer: Scorer; readonly close: () => void }> {
  const shared = chooseProcesses(wanted);
  if (shared === null) return { scorer, close: () => undefined };
  const pool = await WorkerPool.open(weights, model.architecture, shared);
  const close = () => {
    pool.close();
  };
  try {
    model.promptFeatures(); // holds this thread while the processes start, not when their first features come
    return { scorer: parallelScorer(model, pool), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Scorer by a model whose image encoder runs in a pool's processes. */
function parallelScorer(model: LiqeModel, pool: WorkerPool): Scorer {
  const logitScale = model.logitScale();
  return {
    axes: model.grid.axes,
    atOnce: pool.batches,
    logitsLater: async (pixels) => {
      const crops = pixels.length / model.cropSize;
      const features = await pool.features(pixels, crops);
      const rows = tf.tensor2d(features, [crops, features.length / crops]);
      const logits = imageLogits(rows, model.promptFeatures(), crops, logitScale);
      const values = Float32Array.from(logits.dataSync()); // the engine may hand out its own memory
      tf.dispose([rows, logits]);
      return values;
    },
  };
}

/** Number of crops from which a second process pays for its start and its memory. */
const MANY_CROPS = 20 * EVALUATION_BATCH;

/** Number of processes of `auto`. Each has the weights in its memory; more than two have not been measured. */
const USUAL = 2;

interface ProcessesWanted {
  readonly processes: EvaluateConfig["processes"];
  readonly engine: Pick<EngineInfo, "backend" | "device" | "threads">;
  readonly crops: number;
}

/**
 * Number of processes that encode images, and of each one's threads; null where this process does it alone.
 * @throws {EngineError} where several are asked for on an engine that has no threads to share
 */
export function chooseProcesses({ processes, engine, crops }: ProcessesWanted): WorkerPoolOptions | null {
  const { backend, device, threads } = engine;
  const canShare = backend === "native" && device === "cpu";
  if (processes === "auto") {
    const isWorthwhile = canShare && threads >= USUAL && crops >= MANY_CROPS;
    return isWorthwhile ? { processes: USUAL, threads: Math.floor(threads / USUAL) } : null;
  }
  if (processes === 1) return null;
  if (canShare) return { processes, threads: Math.max(1, Math.floor(threads / processes)) };
  throw new EngineError(`${processes} processes to score with need the native engine on a CPU; leave their number out`);
}

interface Pending {
  readonly resolve: (features: Float32Array) => void;
  readonly reject: (reason: Error) => void;
}

/** A child, which answers in the order of the requests. */
type Child = { readonly process: ChildProcess; readonly pending: Pending[] };

interface WorkerPoolOptions {
  readonly processes: number;
  /** Number of threads of each process. */
  readonly threads: number;
}

/**
 * Processes that encode crops side by side, each with weights and an engine of its own. Two of one thread encode more
 * than one of two (docs/performance.md, Evaluation): a thread with its own batch never waits for another.
 */
class WorkerPool {
  readonly #children: readonly Child[];
  #next = 0;
  #failure: EngineError | null = null;

  private constructor(processes: number) {
    this.#children = Array.from({ length: processes }, () => this.#start());
  }

  /** Starts the processes, which run a compiled file. The weights are borrowed until they are sent. */
  static async open(
    weights: NamedArrays,
    architecture: Architecture,
    { processes, threads }: WorkerPoolOptions,
  ): Promise<WorkerPool> {
    const opened = new WorkerPool(processes);
    const sendAll = async ({ process }: Child) => {
      for (const [name, { shape, values }] of weights) {
        if (isVision(name)) await send(process, { kind: "parameter", name, shape, values });
      }
      await send(process, { kind: "start", architecture, threads });
    };
    await Promise.all(opened.#children.map(sendAll));
    return opened;
  }

  /** Number of batches that keep all processes busy: one in work and one waiting for each. */
  get batches(): number {
    return 2 * this.#children.length;
  }

  /**
   * @param pixels  [crops, imageSize, imageSize, 3], RGB, 0 to 255, borrowed
   * @returns       [crops, embedding], unit rows
   * @throws {EngineError} where a process ended or could not compute
   */
  features(pixels: Uint8Array, crops: number): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      const child = this.#children[this.#next++ % this.#children.length];
      if (child === undefined || this.#failure !== null) {
        reject(this.#failure ?? new EngineError("internal: WorkerPool: there is no process"));
        return;
      }
      child.pending.push({ resolve, reject });
      void send(child.process, { kind: "pixels", crops, pixels });
    });
  }

  close(): void {
    this.#failure ??= new EngineError("internal: WorkerPool: they were closed");
    for (const { process } of this.#children) process.kill("SIGKILL"); // nothing of theirs is lost
  }

  #start(): Child {
    const options: ForkOptions = { serialization: "advanced", stdio: ["ignore", "ignore", "inherit", "ipc"] };
    const child: Child = { process: fork(new URL("./worker.js", import.meta.url), options), pending: [] };
    child.process.on("message", (reply: ImageReply) => {
      if (reply.kind === "features") child.pending.shift()?.resolve(reply.features);
      else this.#fail(`could not compute: ${reply.message}`);
    });
    child.process.on("error", (error) => {
      this.#fail(`could not be started: ${error.message}`);
    });
    child.process.on("exit", (code, signal) => {
      this.#fail(signal === null ? `ended with code ${code}` : `was ended by ${signal} (out of memory?)`);
    });
    return child;
  }

  #fail(what: string): void {
    this.#failure ??= new EngineError(
      `a process that encodes images ${what}; with \`--processes 1\`, or \`evaluate: { processes: 1 }\` in the config, ` +
        "one process does all, with less memory",
    );
    for (const { pending } of this.#children) {
      for (const { reject } of pending.splice(0)) reject(this.#failure);
    }
  }
}

/** Resolves when the channel has the message, so that one is under way; its error shows as the process's exit. */
function send(to: ChildProcess, request: ImageRequest): Promise<void> {
  return new Promise((resolve) => {
    if (!to.connected) resolve();
    else
      to.send(request, () => {
        resolve();
      });
  });
}
