/** Numbers as people read them. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const MEGABYTE = 1e6;

/** 42 → "42 s", 150 → "2 min 30 s", 5400 → "1 h 30 min". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
}

/** 1,234,567 → "1.2 MB"; decimal megabytes, as download pages count. */
export function formatBytes(bytes: number): string {
  return `${(bytes / MEGABYTE).toFixed(1)} MB`;
}
