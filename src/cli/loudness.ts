/** Loudness of a command on standard error, beside its errors: `--quiet` says nothing, `--verbose` where errors come from. */
type Loudness = "quiet" | "usual" | "verbose";

let loudness: Loudness = "usual";

/** Sets it by the command line, once, before the command begins. */
export function setLoudness(args: readonly string[]): void {
  loudness = args.includes("--quiet") ? "quiet" : args.includes("--verbose") ? "verbose" : "usual";
}

export function isLoudness(asked: Loudness): boolean {
  return loudness === asked;
}
