/** Numbers as people read them. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** 42 → "42 s", 150 → "2 min 30 s", 5400 → "1 h 30 min", 200,000 → "2 d 7 h". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

/** 1,234,567 → "1.2 MB", 2e9 → "2.0 GB"; decimal, as download pages count. */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** 1.95e12 → "1.95 TFLOP": three digits and the prefix that suits them. */
export function formatFlops(flops: number): string {
  const [divisor, prefix] = flops >= 1e12 ? [1e12, "T"] : flops >= 1e9 ? [1e9, "G"] : [1e6, "M"];
  const scaled = flops / divisor;
  return `${scaled < 999.5 ? scaled.toPrecision(3) : scaled.toFixed(0)} ${prefix}FLOP`;
}

/** 16000 → "16,000". */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** 0.123 → "12 %". */
export function formatPercent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
