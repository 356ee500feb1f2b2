import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { startLiqe } from "../support/disturbed.js";
import { temporaryFolder } from "../support/runs.js";

/** The library of faults.c, compiled; null where there is no compiler. */
export function compileFaults(): string | null {
  const library = join(temporaryFolder(), "faults.so");
  const source = join(PACKAGE_ROOT, "test", "chaos", "faults.c");
  const { status } = spawnSync("cc", ["-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"]);
  return status === 0 ? library : null;
}

/** What goes wrong with what a process writes below a folder. */
export interface WriteFault {
  readonly root: string;
  readonly code: "ENOSPC" | "EIO" | "EROFS" | "EDQUOT";
  /** Number of the first write that fails, from 1. */
  readonly at: number;
  /** True: that one alone. */
  readonly once: boolean;
}

/** Environment of a process whose writes fail, or whose clock jumps by up to so many seconds. */
export function faultyEnvironment(
  library: string,
  { fault, logFile, clockSeconds = 0 }: { fault?: WriteFault; logFile?: string; clockSeconds?: number },
): NodeJS.ProcessEnv {
  return {
    LD_PRELOAD: library,
    LIQE_FAULT_CLOCK: String(clockSeconds),
    ...(logFile === undefined ? {} : { LIQE_FAULT_LOG: logFile }),
    ...(fault === undefined
      ? {}
      : {
          LIQE_FAULT_ROOT: fault.root,
          LIQE_FAULT_AT: String(fault.at),
          LIQE_FAULT_ONCE: fault.once ? "1" : "0",
          LIQE_FAULT_ERRNO: String(constants.errno[fault.code]),
        }),
  };
}

/** Writes below `root` of a process that is left alone, in their order: what is done, and the path with ids left out. */
export async function writesOf(library: string, root: string, args: readonly string[]): Promise<string[]> {
  const logFile = join(temporaryFolder(), "writes");
  const fault = { root, code: "EIO", at: 0, once: true } as const;
  const { code, messages } = await startLiqe(args, faultyEnvironment(library, { fault, logFile })).ended;
  if (code !== 0) throw new Error(`the undisturbed process ended with ${String(code)}: ${messages}`);
  const lines = readFileSync(logFile, "utf8").trimEnd().split("\n");
  return lines.map((line) => line.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "ID"));
}
