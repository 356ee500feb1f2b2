/** Error classes by what the user has to do. `src/cli/exitCodes.ts` gives each its exit code. */

/** The configuration or the command line is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** A list, an image or a database is wrong. */
export class DataError extends Error {
  override readonly name = "DataError";
}

/** A read did not end in time. Threads still wait for it, so the process cannot exit as usual: see `leave` in src/cli. */
export class StalledReadError extends DataError {
  constructor(
    message: string,
    /** Files that were being read. */
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

/** The requested engine is not available. */
export class EngineError extends Error {
  override readonly name = "EngineError";
}

/** A loss or a gradient is not finite; the weights are as they were. */
export class NonFiniteLossError extends Error {
  override readonly name = "NonFiniteLossError";
}

/** The disk is full, or a file grew beyond a limit: nothing half-written is left, and the last checkpoint is whole. */
export class NoSpaceError extends Error {
  override readonly name = "NoSpaceError";
}

/** A runtime that read an export back did not reproduce its golden scores; nothing of the export was kept. */
export class ExportMismatchError extends Error {
  override readonly name = "ExportMismatchError";
}

/** Value of a key that the map must have. @throws an internal error that names `where` and the key */
export function getOrThrow<K, V>(map: ReadonlyMap<K, V>, key: K, where: string): V {
  const value = map.get(key);
  if (value === undefined) throw new Error(`internal: ${where}: no entry "${String(key)}"`);
  return value;
}
