import type { ProgressEvent, Reporter, TrainingReport } from "../base/types.js";
import { type EngineChoice, type EngineInfo, startEngine } from "../engine/engine.js";
import type { Results } from "../evaluate/results/results.js";

/** Event of a long work: a counted job or an optimizer step moved on, a line for people, another phase, a result. */
export type WorkEvent =
  | ({ readonly kind: "progress" } & ProgressEvent)
  | ({ readonly kind: "step" } & TrainingReport)
  | { readonly kind: "note"; readonly line: string }
  /** While `evaluating` nothing is lost where the process ends: what was trained is saved. */
  | { readonly kind: "phase"; readonly phase: "training" | "evaluating" }
  | { readonly kind: "results"; readonly checkpoint: string; readonly results: Results };

/** Options of everything that computes. */
export interface WorkOptions {
  /** `auto` by default: TensorFlow's library where it is installed, else WebAssembly. */
  readonly engine?: EngineChoice | undefined;
  /** Threads that compute; by default the config's, or one a core. */
  readonly threads?: number | undefined;
  /** Listener of the work; nothing is printed. */
  readonly onProgress?: ((event: WorkEvent) => void) | undefined;
}

/** Reporter that hands everything to `onProgress`. */
export function reporterOf({ onProgress }: WorkOptions): Reporter {
  return {
    progress: (event) => onProgress?.({ kind: "progress", ...event }),
    training: (report) => onProgress?.({ kind: "step", ...report }),
    note: (line) => onProgress?.({ kind: "note", line }),
  };
}

/**
 * Starts the engine and notes why it is another one than was to be expected.
 *
 * @param configured  threads by the config
 * @throws {EngineError} where the engine that was asked for is not available
 */
export async function openEngine(options: WorkOptions, configured: number | "auto" = "auto"): Promise<EngineInfo> {
  const { engine = "auto", threads = configured, onProgress } = options;
  const started = await startEngine(engine, { threads });
  if (started.notice !== null) onProgress?.({ kind: "note", line: started.notice });
  return started;
}
