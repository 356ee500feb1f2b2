import { type ChildProcess, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { mapConcurrent } from "../../base/concurrency.js";
import { makeFolders } from "../../base/folders.js";
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

/**
 * Runs all jobs on this machine, each a process with its log in its run's folder, a few at once. Where one cannot be run,
 * the others are told to save and end before the error is thrown. A second signal, which ends this process at once,
 * ends the jobs with it.
 */
export async function launchLocal(plan: LaunchPlan, options: LocalOptions): Promise<EndedJob[]> {
  await recordPlan(plan);
  const jobs = jobsOf(plan);
  const failure = new AbortController();
  const stop = { signal: AbortSignal.any([options.signal, failure.signal]), children: new Set<ChildProcess>() };
  const { signal } = stop;
  const endAll = () => {
    for (const child of stop.children) child.kill("SIGKILL");
  };
  let ended = 0;
  const runInTurn = async (job: LaunchJob, index: number): Promise<EndedJob> => {
    const code = signal.aborted ? null : await runJob(job, options.commandOf(index), stop);
    const outcome = code === null ? "not begun" : code === 0 ? "finished" : `ended with ${code}; see ${logOf(job)}`;
    options.note(`${++ended} of ${jobs.length}: ${job.run.name} split ${job.split}: ${outcome}`);
    return { ...job, code };
  };
  process.on("exit", endAll); // one for all: Node warns of many
  const outcomes = await mapConcurrent(jobs, options.atOnce, (job, index) =>
    runInTurn(job, index).catch((error: unknown) => {
      failure.abort(error);
      return { ...job, code: null };
    }),
  );
  process.off("exit", endAll);
  failure.signal.throwIfAborted();
  return outcomes;
}

function logOf({ folder, split }: LaunchJob): string {
  return `${folder}/split-${split}.log`;
}

/**
 * Runs a job to its end, with its output at the end of its log. It is in a group of its own: a Ctrl-C in the terminal
 * reaches this process alone, and the job is told once; it is among `children` while it runs.
 * @returns its exit code, 128 + the number of its signal
 */
async function runJob(
  job: LaunchJob,
  [program = "", ...args]: readonly string[],
  { signal, children }: { readonly signal: AbortSignal; readonly children: Set<ChildProcess> },
): Promise<number> {
  await makeFolders(job.folder);
  const log = await open(logOf(job), "a");
  try {
    const child = spawn(program, args, { stdio: ["ignore", log.fd, log.fd], detached: true });
    const stop = () => child.kill("SIGTERM");
    children.add(child);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      return await new Promise<number>((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (code) => { resolve(code ?? KILLED); }); // prettier-ignore
      });
    } finally {
      signal.removeEventListener("abort", stop);
      children.delete(child);
    }
  } finally {
    await log.close();
  }
}

/** Code that shells give a process that SIGKILL ended, as the system does where memory is short. */
const KILLED = 137;
