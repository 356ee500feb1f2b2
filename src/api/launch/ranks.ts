import { type ChildProcess, spawn } from "node:child_process";
import { freePorts } from "../../engine/cluster/ports.js";

interface RanksOptions {
  /** Variables of each process, by rank, besides those of this one: there are as many processes. */
  readonly environments: readonly Readonly<Record<string, string>>[];
  /** Program and arguments of a rank, given the addresses of all. */
  readonly commandOf: (rank: number, cluster: string) => readonly string[];
  /** Aborted with a signal's name: it is passed on to every rank. */
  readonly signal: AbortSignal;
}

/** Process of a rank that has ended. */
export interface EndedRank {
  readonly rank: number;
  readonly pid: number | undefined;
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Standard error of a rank after the first one, whose own is that of this process: its end, at most. */
  readonly messages: string;
}

/** Characters of a rank's messages that are kept. */
const MOST_MESSAGES = 65_536;

/**
 * Runs the ranks of one run on this machine, over loopback, to their ends. The first one has this process's output. Each is
 * in a group of its own, so that a Ctrl-C in the terminal reaches this process alone, and is told once; where this process
 * ends before them, they see their channel to it close.
 */
export async function launchRanks({ environments, commandOf, signal }: RanksOptions): Promise<EndedRank[]> {
  const cluster = (await freePorts(environments.length)).map((port) => `127.0.0.1:${port}`).join(",");
  const ranks = environments.map((environment, rank) => startRank(rank, commandOf(rank, cluster), environment));
  const passOn = () => {
    for (const { child } of ranks) child.kill(signal.reason === "SIGINT" ? "SIGINT" : "SIGTERM");
  };
  const endAll = () => {
    for (const { child } of ranks) child.kill("SIGKILL");
  };
  process.on("exit", endAll); // a second signal ends this process at once
  signal.addEventListener("abort", passOn);
  if (signal.aborted) passOn();
  try {
    return await Promise.all(ranks.map(({ ended }) => ended));
  } catch (error) {
    endAll();
    throw error;
  } finally {
    signal.removeEventListener("abort", passOn);
    process.off("exit", endAll);
  }
}

function startRank(
  rank: number,
  [program = "", ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
): { readonly child: ChildProcess; readonly ended: Promise<EndedRank> } {
  const output = rank === 0 ? ("inherit" as const) : ("pipe" as const);
  const child = spawn(program, args, {
    stdio: ["ignore", rank === 0 ? "inherit" : "ignore", output, "ipc"],
    env: { ...process.env, ...environment },
    detached: true,
  });
  let messages = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    messages = (messages + chunk.toString()).slice(-MOST_MESSAGES);
  });
  const ended = new Promise<EndedRank>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ rank, pid: child.pid, code, signal, messages });
    });
  });
  return { child, ended };
}
