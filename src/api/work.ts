import type { ProgressEvent, Reporter, TrainingReport } from "../base/types.js";
import type { EngineConfig } from "../engine/config.js";
import { type EngineChoice, type EngineInfo, startEngine } from "../engine/engine.js";
import type { Results } from "../evaluate/results/results.js";

/** Event of a long job: progress of a counted task, an optimizer step, a line for people, a new phase or results. */
export type WorkEvent =
  | ({ readonly kind: "progress" } & ProgressEvent)
  | ({ readonly kind: "step" } & TrainingReport)
  | { readonly kind: "note"; readonly line: string }
  /** The phase `evaluating` begins after the trained weights were saved. */
  | { readonly kind: "phase"; readonly phase: "training" | "evaluating" }
  | { readonly kind: "results"; readonly checkpoint: string; readonly results: Results };

/** Options of every function that computes. */
export interface WorkOptions {
  /** Engine: `auto` (default) takes TensorFlow's library where it is installed, else WebAssembly. */
  readonly engine?: EngineChoice | undefined;
  /** Number of computing threads, 1 or more; by default the config's, or one a core. */
  readonly threads?: number | undefined;
  /** Listener of the job; the library prints nothing. */
  readonly onProgress?: ((event: WorkEvent) => void) | undefined;
}

/** Reporter that passes events on to `onProgress`. */
export function reporterOf({ onProgress }: WorkOptions): Reporter {
  return {
    progress: (event) => onProgress?.({ kind: "progress", ...event }),
    training: (report) => onProgress?.({ kind: "step", ...report }),
    note: (line) => onProgress?.({ kind: "note", line }),
  };
}

/**
 * Starts the engine, and notes why where `auto` fell back to WebAssembly.
 * @param configured  section `engine` of the config, where there is one
 * @throws {EngineError} where the engine that was asked for is not available
 */
export async function openEngine(options: WorkOptions, configured?: EngineConfig): Promise<EngineInfo> {
  const { engine = "auto", threads = configured?.threads, onProgress } = options;
  const started = await startEngine(engine, { threads, tf32: configured?.tf32 });
  if (started.notice !== null) onProgress?.({ kind: "note", line: started.notice });
  return started;
}
