/**
 * How long ago a file was changed, in milliseconds; below 0 where its machine's clock is ahead. Libraries read the clock
 * here alone: who asks wants to know whether another process is still at work, and the only trace of that is a file's
 * time, which is the wall clock's.
 */
export function ageMs(mtimeMs: number): number {
  return Date.now() - mtimeMs;
}
