/** `liqe train --processes N` and `--gpus N`: all ranks of a run on this machine, started by one command. */
import { availableParallelism } from "node:os";
import path from "node:path";
import type { EndedRank } from "../api/launch/ranks.js";
import { ConfigError } from "../base/errors.js";
import { PACKAGE_ROOT } from "../base/packageInfo.js";
import { EXIT } from "./exitCodes.js";
import { isLoudness } from "./loudness.js";
import { listenForStop } from "./signals.js";

/** Options of `liqe train` that decide how many processes there are. */
interface ProcessFlags {
  readonly processes: number | undefined;
  readonly gpus: string | undefined;
  readonly threads: number | undefined;
}

/**
 * Environments of the processes to start, one each; null where this process trains, alone or as one of a cluster.
 * @throws {ConfigError} for a number of GPUs that is none
 * @throws {EngineError} where there are fewer GPUs
 */
export async function processesOf({
  processes,
  gpus,
}: ProcessFlags): Promise<Readonly<Record<string, string>>[] | null> {
  if (gpus === undefined) return processes === undefined ? null : Array.from({ length: processes }, () => ({}));
  const asked = /^[1-9]\d{0,3}$/.test(gpus) ? Number(gpus) : gpus;
  if (asked !== "all" && typeof asked === "string") {
    throw new ConfigError(`--gpus: must be a number of GPUs, or all, got "${gpus}"`);
  }
  const { oneGpuEach } = await import("../engine/gpus.js");
  return oneGpuEach(asked, process.env["CUDA_VISIBLE_DEVICES"]);
}

/** Starts a rank for each environment, waits for all of them, and sets the exit code. */
export async function runProcesses(
  environments: readonly Readonly<Record<string, string>>[],
  { threads }: Pick<ProcessFlags, "threads">,
): Promise<void> {
  const { launchRanks } = await import("../api/launch/ranks.js");
  const own = withoutOptions(process.argv.slice(2), ["--processes", "--gpus"]);
  const share = Math.max(1, Math.floor(availableParallelism() / environments.length));
  const threaded = threads === undefined ? [...own, "--threads", String(share)] : own;
  const quiet = isLoudness("usual") ? ["--quiet"] : [];
  const stop = listenForStop(() => undefined); // the first rank says so
  try {
    const ended = await launchRanks({
      environments,
      commandOf: (rank, cluster) => [
        ...[process.execPath, ...process.execArgv, path.join(PACKAGE_ROOT, "bin", "liqe.js"), ...threaded],
        ...["--cluster", cluster, "--rank", String(rank), ...(rank === 0 ? [] : quiet)],
      ],
      signal: stop.signal,
    });
    for (const line of reportOf(ended)) process.stderr.write(`${line}\n`);
    const code = codeOf(ended);
    if (code !== EXIT.done) process.exitCode = code;
  } finally {
    stop.dispose();
  }
}

/** The words without some options, each of which has a value. */
export function withoutOptions(words: readonly string[], names: readonly string[]): string[] {
  return words.filter((word, i) => {
    const isNamed = names.includes(word.split("=", 1)[0] ?? "");
    return !isNamed && !names.includes(words[i - 1] ?? "");
  });
}

/** Exit code of all: that of a rank that ended for a reason of its own, else that a peer was lost, else 0. */
export function codeOf(ended: readonly Pick<EndedRank, "code" | "signal">[]): number {
  const codes = ended.map(({ code }) => code ?? EXIT.peerLost);
  const failed = codes.filter((code) => code !== EXIT.done);
  return failed.find((code) => code !== EXIT.peerLost) ?? failed[0] ?? EXIT.done;
}

/** Lines about ranks after the first one, which speaks for itself, that ended otherwise than it. */
export function reportOf(ended: readonly EndedRank[]): string[] {
  const [first] = ended;
  return ended.flatMap(({ rank, pid, code, signal, messages }) => {
    if (signal !== null) return [`rank ${rank}: process ${pid ?? ""} was ended by ${signal}`];
    if (code === EXIT.done || code === EXIT.peerLost || code === first?.code) return [];
    return messages.trimEnd().split("\n").map((line) => line.startsWith("rank ") ? line : `rank ${rank}: ${line}`); // prettier-ignore
  });
}

/** Asks this process to stop where the one that started it as a rank has ended. */
export function stopWithParent(): void {
  if (process.channel === undefined) return;
  process.once("disconnect", () => {
    process.kill(process.pid, "SIGTERM");
  });
  process.channel.unref(); // it keeps nobody at work
}
