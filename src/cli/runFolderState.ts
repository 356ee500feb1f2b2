/** What already lies in the folder that a run is to be written to. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { CHECKPOINT_FILES, holdsCheckpoint, RUN_FILES } from "../train/runFolder.js";
import type { RunConfig } from "./runConfig.js";

export type RunState =
  /** Nothing of a run is there. */
  | { readonly kind: "new" }
  /** A run's config is there. */
  | {
      readonly kind: "known";
      /** As the file has it, for comparing. */
      readonly config: unknown;
      /** Whether a whole checkpoint is there to go on from. */
      readonly hasCheckpoint: boolean;
      /** Optimizer steps that the newest checkpoint has behind it; 0 without one. */
      readonly stepsDone: number;
      /** Whether training reached its end; the results may still be missing. */
      readonly isTrained: boolean;
      /** Whether the results are there too. */
      readonly isFinished: boolean;
    };

/** @param folder  of one split */
export function runState(folder: string): RunState {
  const configFile = join(folder, RUN_FILES.config);
  if (!existsSync(configFile)) return { kind: "new" };
  const checkpoints = [RUN_FILES.last, RUN_FILES.previous].map((name) => join(folder, name)).filter(holdsCheckpoint);
  const newest = checkpoints[0] === undefined ? null : readState(checkpoints[0]);
  const isTrained = newest?.progress?.finished === true;
  return {
    kind: "known",
    config: parse(readFileSync(configFile, "utf8")),
    hasCheckpoint: checkpoints.length > 0,
    stepsDone: newest?.optimizerSteps ?? 0,
    isTrained,
    isFinished: isTrained && existsSync(join(folder, RUN_FILES.results)),
  };
}

/**
 * Compares by value, whatever the order of keys and the layout of the file. `auto` is the same as whatever a run has
 * chosen for it.
 */
export function isSameConfig(config: RunConfig, saved: unknown): boolean {
  return canonical(config) === canonical(autoWhere(config, saved));
}

/** `saved` with `auto` where `config` has it. */
function autoWhere(config: unknown, saved: unknown): unknown {
  if (config === "auto") return config;
  if (!isRecord(config) || !isRecord(saved)) return saved;
  return Object.fromEntries(Object.entries(saved).map(([key, value]) => [key, autoWhere(config[key], value)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** What is looked at here of a checkpoint's state. */
interface GlimpsedState {
  readonly progress?: { readonly finished?: unknown };
  readonly optimizerSteps?: number;
}

/** Of a state that cannot be read, nothing: loading the checkpoint says what is wrong, and goes on from another one. */
function readState(checkpoint: string): GlimpsedState {
  try {
    const state = JSON.parse(readFileSync(join(checkpoint, CHECKPOINT_FILES.state), "utf8")) as GlimpsedState | null;
    return state ?? {}; // each of its keys may be missing
  } catch {
    return {};
  }
}
