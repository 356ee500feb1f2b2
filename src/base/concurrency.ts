import { availableParallelism } from "node:os";
import { StalledReadError } from "./errors.js";

/** How many files are worked on at once: enough to keep libuv's four threads and the disk busy. */
export const FILES_AT_ONCE = Math.min(8, Math.max(4, availableParallelism()));

/** Runs a task as soon as there is room, in the order of asking. */
type Limiter = <T>(task: () => Promise<T>) => Promise<T>;

/** A lane in which at most `width` tasks run at once. */
export function createLimiter(width: number): Limiter {
  const waiting: (() => void)[] = [];
  let running = 0;
  const leave = () => {
    running--;
    waiting.shift()?.();
  };
  return async (task) => {
    if (running >= width) await new Promise<void>((enter) => waiting.push(enter));
    running++;
    try {
      return await task();
    } finally {
      leave();
    }
  };
}

/** Applies `task` to every item, `width` at a time; results in the items' order. Stops at the first error. */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  width: number,
  task: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries(); // shared: each worker takes the next one
  const work = async () => {
    for (const [index, item] of queue) results[index] = await task(item, index);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  return results;
}

/** Files named in a message about a stall; the others are counted. */
const NAMED_FILES = 5;

/**
 * The task's result, or an error that names what it waits for when it stalls. Seconds are counted in turns of the event
 * loop, at most one for each: a training step that blocks the loop for a minute is not held against the disk.
 *
 * @param files  what is being read, asked when it is too late
 * @throws {StalledReadError} after `seconds` of waiting
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

/** The error for files that did not come. */
export function stalledRead(files: readonly string[], seconds: number): StalledReadError {
  const named = files.slice(0, NAMED_FILES).join(", ");
  const more = files.length > NAMED_FILES ? ` and ${files.length - NAMED_FILES} more` : "";
  return new StalledReadError(
    `${named}${more}: no answer after ${seconds} s (data.stallSeconds); does the disk or network folder hang?`,
    files,
  );
}
