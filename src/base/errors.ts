/** Error classes by what the user has to do. `src/cli/exitCodes.ts` gives each its exit code. */

/** An error that the library announces: its message says where, what is wrong and what to do. */
export abstract class LiqeError extends Error {
  /** Word for programs: one for each class. */
  abstract readonly code: string;
}

/** The configuration or the command line is wrong. */
export class ConfigError extends LiqeError {
  override readonly name = "ConfigError";
  override readonly code = "CONFIG";
}

/** A list, an image or a database is wrong. */
export class DataError extends LiqeError {
  override readonly name = "DataError";
  override readonly code: string = "DATA";
}

/** A read did not end in time. Threads still wait for it, so the process cannot exit as usual: see `leave` in src/cli. */
export class StalledReadError extends DataError {
  override readonly code = "STALLED_READ";

  constructor(
    message: string,
    /** Files that were being read. */
    readonly files: readonly string[],
  ) {
    super(message);
  }
}

/** A tensor has another shape than its reader expects. */
export class ShapeError extends LiqeError {
  override readonly name = "ShapeError";
  override readonly code = "SHAPE";
}

/** A weight file or a checkpoint is refused. */
export class CheckpointError extends LiqeError {
  override readonly name = "CheckpointError";
  override readonly code = "CHECKPOINT";
}

/** The requested engine is not available. */
export class EngineError extends LiqeError {
  override readonly name = "EngineError";
  override readonly code = "ENGINE";
}

/** A loss or a gradient is not finite; the weights are as they were. */
export class NonFiniteLossError extends LiqeError {
  override readonly name = "NonFiniteLossError";
  override readonly code = "NON_FINITE_LOSS";
}

/** The disk is full, or a file grew beyond a limit: nothing half-written is left, and the last checkpoint is whole. */
export class NoSpaceError extends LiqeError {
  override readonly name = "NoSpaceError";
  override readonly code = "NO_SPACE";
}

/** The disk, or the folder of a network, fails: nothing half-written is left, and the last checkpoint is whole. */
export class DiskError extends LiqeError {
  override readonly name = "DiskError";
  override readonly code = "DISK";
}

/** A runtime that read an export back did not reproduce its golden scores; nothing of the export was kept. */
export class ExportMismatchError extends LiqeError {
  override readonly name = "ExportMismatchError";
  override readonly code = "EXPORT_MISMATCH";
}

/** A process that trains with this one was lost, or is not there: all of them have to be started again. */
export class PeerLostError extends LiqeError {
  override readonly name = "PeerLostError";
  override readonly code = "PEER_LOST";
}
