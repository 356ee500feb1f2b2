/** What went wrong, by whose turn it is to act. `src/cli/exitCodes.ts` gives each its exit code. */

/** The configuration or the command line is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** A list, an image or a database is wrong. */
export class DataError extends Error {
  override readonly name = "DataError";
}

/**
 * Files were asked for and did not come in time. Threads still wait for them, so that the process cannot end as usual:
 * the command line's `leave` takes care of that.
 */
export class StalledReadError extends DataError {
  constructor(
    message: string,
    /** Those that were being read. */
    readonly files: readonly string[],
  ) {
    super(message);
  }
}

/** A tensor has another shape than its reader expects. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** A weight file or a checkpoint is refused. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

/** The engine asked for is not available. */
export class EngineError extends Error {
  override readonly name = "EngineError";
}

/** A loss or a gradient is not finite; the weights are as they were. */
export class NonFiniteLossError extends Error {
  override readonly name = "NonFiniteLossError";
}

/** The disk is full, or a file grew beyond what it may: nothing half-written is left, and the last checkpoint is whole. */
export class NoSpaceError extends Error {
  override readonly name = "NoSpaceError";
}

/** An export was read back by a runtime and did not give its golden scores; nothing of it was kept. */
export class ExportMismatchError extends Error {
  override readonly name = "ExportMismatchError";
}
