import { ConfigError } from "../../base/errors.js";

/** Exit code of a job that lost a peer and may be tried again. */
export const EXIT_PEER_LOST = 75;

/** Resources of one job. */
export interface Resources {
  readonly cpus: number;
  /** Megabytes. */
  readonly memory: number;
  readonly gpus: number;
  /** Most hours and minutes of one job, as Slurm writes them: 24:00:00. */
  readonly time: string;
  /** Jobs at once; all that there is room for where undefined. */
  readonly atOnce?: number | undefined;
}

/** Environment variables by which schedulers number the jobs of an array. */
const INDEX_VARIABLES = ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"];

/** Number of a job by `--index`: itself, or `env` for what the scheduler says. @throws {ConfigError} where it is none */
export function jobIndex(given: string, jobs: number, env: Readonly<Record<string, string | undefined>>): number {
  const named = INDEX_VARIABLES.find((name) => env[name] !== undefined);
  const text = given === "env" ? (named === undefined ? undefined : env[named]) : given;
  if (text === undefined)
    throw new ConfigError(`--index env: neither ${INDEX_VARIABLES.join(" nor ")} is set; give a number`);
  if (/^\d{1,9}$/.test(text) && Number(text) < jobs) return Number(text);
  throw new ConfigError(`--index: must be from 0 to ${jobs - 1}, one of ${jobs} jobs, got "${text}"`);
}

/** Word of a shell's command line. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
