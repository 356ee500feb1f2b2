import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { mapConcurrent } from "../../base/concurrency.js";
import { makeFolders } from "../../base/folders.js";
import { EXIT_PEER_LOST } from "./resources.js";
import { jobsOf, type LaunchJob, type LaunchPlan, recordPlan } from "./plan.js";

interface LocalOptions {
  /** Jobs at once. */
  readonly atOnce: number;
  /** Program and arguments of the job with a number. */
  readonly commandOf: (index: number) => readonly string[];
  /** Aborted: jobs under way are told to save and end, and no other begins. */
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
}

/** Job with the code that it ended with; null where it did not begin. */
export interface EndedJob extends LaunchJob {
  readonly code: number | null;
}

/** Times that a job is begun while it ends with 75. */
const TRIES = 4;

/** Runs all jobs on this machine, each a process with its log in its run's folder, a few at once. */
export async function launchLocal(plan: LaunchPlan, options: LocalOptions): Promise<EndedJob[]> {
  await recordPlan(plan);
  const jobs = jobsOf(plan);
  let ended = 0;
  return mapConcurrent(jobs, options.atOnce, async (job, index) => {
    const code = options.signal.aborted ? null : await runWithTries(job, index, options);
    const outcome = code === null ? "not begun" : code === 0 ? "finished" : `ended with ${code}; see ${logOf(job)}`;
    options.note(`${++ended} of ${jobs.length}: ${job.run.name} split ${job.split}: ${outcome}`);
    return { ...job, code };
  });
}

function logOf({ folder, split }: LaunchJob): string {
  return `${folder}/split-${split}.log`;
}

async function runWithTries(job: LaunchJob, index: number, options: LocalOptions): Promise<number> {
  let code = EXIT_PEER_LOST;
  for (let i = 0; i < TRIES && code === EXIT_PEER_LOST && !options.signal.aborted; i++) {
    code = await runJob(job, options.commandOf(index), options.signal);
  }
  return code;
}

/**
 * Runs a job to its end, with its output at the end of its log. It is in a group of its own: a Ctrl-C in the terminal
 * reaches this process alone, and the job is told once.
 * @returns its exit code, 128 + the number of its signal
 */
async function runJob(
  job: LaunchJob,
  [program = "", ...args]: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  await makeFolders(job.folder);
  const log = await open(logOf(job), "a");
  try {
    const child = spawn(program, args, { stdio: ["ignore", log.fd, log.fd], detached: true });
    const stop = () => child.kill("SIGTERM");
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      return await new Promise<number>((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (code) => { resolve(code ?? KILLED); }); // prettier-ignore
      });
    } finally {
      signal.removeEventListener("abort", stop);
    }
  } finally {
    await log.close();
  }
}

/** Code that shells give a process that SIGKILL ended, as the system does where memory is short. */
const KILLED = 137;
