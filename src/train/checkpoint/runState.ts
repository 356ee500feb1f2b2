/** State of the folder that a run is to be written to. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { parseDocument } from "yaml";
import { ConfigError } from "../../base/errors.js";
import { CHECKPOINT_FILES, holdsCheckpoint, RUN_FILES } from "./runFolder.js";

type RunState =
  /** Nothing of a run is there. */
  | { readonly kind: "new" }
  /** A run's config is there, or a checkpoint, which has a copy of it. */
  | {
      readonly kind: "known";
      /** As the file has it. */
      readonly config: unknown;
      /** File that it was read from. */
      readonly configFile: string;
      /** True where a whole checkpoint is there to go on from. */
      readonly hasCheckpoint: boolean;
      /** Optimizer steps that the newest checkpoint has behind it; 0 without one. */
      readonly stepsDone: number;
      /** True where training reached its end; the results may still be missing. */
      readonly isTrained: boolean;
      /** True where the results are there too; those of a run that was prolonged since do not count. */
      readonly isFinished: boolean;
    };
type KnownRun = Extract<RunState, { kind: "known" }>;

/**
 * @param folder  of one split
 * @throws {ConfigError} where its config cannot be read
 */
export function runState(folder: string): RunState {
  const checkpoints = CHECKPOINTS.map((name) => join(folder, name)).filter(holdsCheckpoint);
  const found = findConfig(folder, checkpoints);
  if (found === null) return { kind: "new" };
  const [newest] = checkpoints.filter((checkpoint) => TO_GO_ON_FROM.includes(basename(checkpoint)));
  const { progress, optimizerSteps } = newest === undefined ? {} : readState(newest);
  const isTrained = progress?.finished === true;
  return {
    kind: "known",
    ...found,
    hasCheckpoint: newest !== undefined,
    stepsDone: optimizerSteps ?? 0,
    isTrained,
    isFinished:
      isTrained && isNewer(join(folder, RUN_FILES.results), join(newest ?? folder, CHECKPOINT_FILES.manifest)),
  };
}

/** True of a split's folder that training goes on from: it holds a whole checkpoint. */
export function holdsLast(folder: string): boolean {
  const state = runState(folder);
  return state.kind === "known" && state.hasCheckpoint;
}

/** The newest first. */
const TO_GO_ON_FROM: readonly string[] = [RUN_FILES.last, RUN_FILES.previous];
const CHECKPOINTS = [...TO_GO_ON_FROM, RUN_FILES.best, RUN_FILES.bestAverage];

/** The run's config, or where that was left behind the copy in a checkpoint; null where there is neither. */
function findConfig(folder: string, checkpoints: readonly string[]): Pick<KnownRun, "config" | "configFile"> | null {
  const configFile = join(folder, RUN_FILES.config);
  if (existsSync(configFile)) return { config: parseFile(configFile), configFile };
  for (const checkpoint of checkpoints) {
    const { config } = readState(checkpoint);
    if (config !== undefined) return { config, configFile: join(checkpoint, CHECKPOINT_FILES.state) };
  }
  if (checkpoints.length === 0) return null;
  throw new ConfigError(`${folder}: holds checkpoints, but no ${RUN_FILES.config}, and none of them can be read`);
}

/** True where a file is there and was written after another one. */
function isNewer(file: string, other: string): boolean {
  const writtenMs = (name: string) => statSync(name, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
  return existsSync(file) && writtenMs(file) >= writtenMs(other);
}

function parseFile(file: string): unknown {
  const document = parseDocument(readFileSync(file, "utf8"));
  const [problem] = document.errors;
  if (problem === undefined) return document.toJS();
  throw new ConfigError(
    `${file}: is damaged (${problem.message.split("\n", 1)[0] ?? ""}); where it is moved away, a checkpoint's copy stands in`,
  );
}

/** Part of a checkpoint's state that is looked at here. */
interface GlimpsedState {
  readonly config?: unknown;
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
