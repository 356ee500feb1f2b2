import { availableParallelism } from "node:os";
import { StalledReadError } from "./errors.js";

/** Number of files processed at once: enough to keep libuv's four threads and the disk busy. */
export const FILES_AT_ONCE = Math.min(8, Math.max(4, availableParallelism()));

/** Function that runs tasks in the order of asking, at most `width` of them at once. */
export function createLimiter(width: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= width) await new Promise<void>((enter) => waiting.push(enter));
    running++;
    try {
      return await task();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}

/** Results of `task` for every item, in the items' order; runs `width` at a time, and begins none after the first error. */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  width: number,
  task: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries(); // shared: each worker takes the next one
  let isOver = false;
  const work = async () => {
    try {
      for (const [index, item] of queue) {
        if (isOver) return;
        results[index] = await task(item, index);
      }
    } finally {
      isOver = true; // by an error, or the queue's end
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  return results;
}

/** Files that a message about a stall names; the others are counted. */
const NAMED_FILES = 5;

/**
 * Result of a task, or an error where it stalls. Seconds are counted in turns of the event loop, at most one for each:
 * a training step that blocks the loop for a minute is not held against the disk.
 * @throws {StalledReadError} after `seconds` of waiting, naming `files()`
 */
export async function withTimeout<T>(task: Promise<T>, seconds: number, files: () => readonly string[]): Promise<T> {
  let clock: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    let waited = 0;
    clock = setInterval(() => {
      waited++;
      if (waited >= seconds) reject(stalledRead(files(), seconds));
    }, 1000);
  });
  try {
    return await Promise.race([task, stalled]);
  } finally {
    clearInterval(clock);
  }
}

/** Error that names files whose read did not end. */
export function stalledRead(files: readonly string[], seconds: number): StalledReadError {
  const named = files.slice(0, NAMED_FILES).join(", ");
  const more = files.length > NAMED_FILES ? ` and ${files.length - NAMED_FILES} more` : "";
  return new StalledReadError(
    `${named}${more}: no answer after ${seconds} s (data.stallSeconds); does the disk or network folder hang?`,
    files,
  );
}
