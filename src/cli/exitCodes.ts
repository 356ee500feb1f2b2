/** What a user's script reads from `liqe`: the exit codes, and which error means which. */
import {
  CheckpointError,
  ConfigError,
  DataError,
  EngineError,
  ExportMismatchError,
  NonFiniteLossError,
  NoSpaceError,
} from "../base/errors.js";
import { isNoSpace } from "../base/files.js";

export const EXIT = {
  done: 0,
  unexpected: 1,
  /** Bad usage or a bad config. */
  usage: 2,
  /** Bad data; also findings of `data check`, and images that `predict` could not read. */
  data: 3,
  /** A weight file or a checkpoint was refused. */
  checkpoint: 4,
  /** The engine asked for is not available. */
  engine: 5,
  /** Training stopped itself with its last checkpoint whole: a loss that is not finite, or no space left. */
  trainingStopped: 6,
  /** An export did not give its golden scores. */
  exportMismatch: 7,
  /** A peer was lost; trying again may help. */
  peerLost: 75,
  /** Stopped by SIGINT or SIGTERM after saving: 128 + the signal's number. */
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CLASS: readonly (readonly [new (message: string) => Error, ExitCode])[] = [
  [ConfigError, EXIT.usage],
  [DataError, EXIT.data],
  [CheckpointError, EXIT.checkpoint],
  [EngineError, EXIT.engine],
  [ExportMismatchError, EXIT.exportMismatch],
  [NonFiniteLossError, EXIT.trainingStopped],
  [NoSpaceError, EXIT.trainingStopped],
];

/** The exit code that the contract gives this error; `EXIT.unexpected` for one that nobody planned. */
export function exitCodeOf(error: unknown): ExitCode {
  const known = BY_CLASS.find(([kind]) => error instanceof kind);
  if (known !== undefined) return known[1];
  if (wordsOfPlace(error) !== null) return EXIT.usage;
  return isNoSpace(error) ? EXIT.trainingStopped : EXIT.unexpected;
}

/**
 * What the user reads about an error: its own message where it is one of ours, one line and the way to more where it
 * is not. `debug` (LIQE_DEBUG=1) adds the stack of either.
 */
export function describeError(error: unknown, debug: boolean): string {
  const message = error instanceof Error ? error.message : String(error);
  if (debug && error instanceof Error) return error.stack ?? message;
  const place = wordsOfPlace(error);
  if (place !== null) return place;
  if (exitCodeOf(error) !== EXIT.unexpected) return message;
  return `unexpected: ${firstLine(message)}\nRun again with LIQE_DEBUG=1 to see where; please report it with that output.`;
}

/** What the system says of a place that a user named and that cannot be read or written. */
const PLACE_PROBLEMS = new Map<unknown, string>([
  ["EACCES", "permission is denied"],
  ["EPERM", "the system does not permit it"],
  ["EROFS", "its file system is read-only"],
  ["ENOTDIR", "a part of the path is a file, not a folder"],
  ["EISDIR", "it is a folder"],
  ["ENAMETOOLONG", "the name is too long"],
]);

/** Null for any other error. */
function wordsOfPlace(error: unknown): string | null {
  if (!(error instanceof Error && "code" in error && "path" in error)) return null;
  const problem = PLACE_PROBLEMS.get(error.code);
  return problem === undefined ? null : `${String(error.path)}: ${problem}; name another place, or change this one`;
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? "";
}
