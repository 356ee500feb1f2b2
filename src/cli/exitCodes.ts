/** Exit codes, which users' scripts rely on, and their errors. */
import {
  CheckpointError,
  ConfigError,
  DataError,
  DiskError,
  EngineError,
  ExportMismatchError,
  NonFiniteLossError,
  NoSpaceError,
  PeerLostError,
} from "../base/errors.js";
import { isDiskFailure, isNoSpace, withFinalNames } from "../base/files.js";

export const EXIT = {
  done: 0,
  unexpected: 1,
  /** Bad usage or a bad config. */
  usage: 2,
  /** Bad data; also errors found by `data check`, and images that `predict` could not read. */
  data: 3,
  /** A weight file or a checkpoint was refused. */
  checkpoint: 4,
  /** The engine asked for is not available. */
  engine: 5,
  /** Training stopped itself with its last checkpoint whole: a loss that is not finite, no space left, a failing disk. */
  trainingStopped: 6,
  /** An export did not give its golden scores. */
  exportMismatch: 7,
  /** A peer was lost; trying again may help. */
  peerLost: 75,
  /** Stopped by SIGINT or SIGTERM after saving: 128 + the signal's number. */
  interrupted: 130,
  terminated: 143,
} as const;

type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CLASS: readonly (readonly [new (message: string) => Error, ExitCode])[] = [
  [ConfigError, EXIT.usage],
  [DataError, EXIT.data],
  [CheckpointError, EXIT.checkpoint],
  [EngineError, EXIT.engine],
  [ExportMismatchError, EXIT.exportMismatch],
  [NonFiniteLossError, EXIT.trainingStopped],
  [NoSpaceError, EXIT.trainingStopped],
  [DiskError, EXIT.trainingStopped],
  [PeerLostError, EXIT.peerLost],
];

/** Exit code of an error; `EXIT.unexpected` for an unplanned one. */
export function exitCodeOf(error: unknown): ExitCode {
  const known = BY_CLASS.find(([kind]) => error instanceof kind);
  if (known !== undefined) return known[1];
  if (wordsOfPlace(error) !== null) return EXIT.usage;
  return isNoSpace(error) || isDiskFailure(error) ? EXIT.trainingStopped : EXIT.unexpected;
}

/** Message of an error for users; an unplanned one gets a line that asks for a report. `debug` gives the stack. */
export function describeError(error: unknown, debug: boolean): string {
  const message = withFinalNames(error instanceof Error ? error.message : String(error));
  if (debug && error instanceof Error) return error.stack ?? message;
  const place = wordsOfPlace(error);
  if (place !== null) return place;
  if (isNoSpace(error)) return `${message}: there is no room; make some and try again`;
  if (isDiskFailure(error)) return `${message}: the disk fails; mend it or name another place, and try again`;
  if (exitCodeOf(error) !== EXIT.unexpected) return message;
  const [line = ""] = message.split("\n", 1);
  return `unexpected: ${line}\nRun again with LIQE_DEBUG=1 to see where; please report it with that output.`;
}

/** Explanations of the system's codes for a place that a user named and that cannot be read or written. */
const PLACE_PROBLEMS = new Map<unknown, string>([
  ["EACCES", "permission is denied"],
  ["EPERM", "the system does not permit it"],
  ["EROFS", "its file system is read-only"],
  ["ENOTDIR", "a part of the path is a file, not a folder"],
  ["EISDIR", "it is a folder"],
  ["ENAMETOOLONG", "the name is too long"],
]);

/** Message about a place that cannot be read or written; null for any other error. */
function wordsOfPlace(error: unknown): string | null {
  if (!(error instanceof Error && "code" in error && "path" in error)) return null;
  const problem = PLACE_PROBLEMS.get(error.code);
  return problem === undefined
    ? null
    : `${withFinalNames(String(error.path))}: ${problem}; name another place, or change this one`;
}
