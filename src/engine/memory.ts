import { totalmem } from "node:os";
import { runProgram } from "./install/runProgram.js";

/** Memory of the machine, in bytes, or what a container may have of it (cgroup v1 or v2) where that is less. */
export function hostMemoryBytes(constrained: number = process.constrainedMemory(), total: number = totalmem()): number {
  return constrained > 0 ? Math.min(constrained, total) : total; // 0, or more than there is: no limit
}

/**
 * Free memory of the GPU that the engine will use, in bytes; null without one. Asked before the engine starts, which takes
 * nearly all of it.
 */
export async function freeGpuBytes(): Promise<number | null> {
  const { code, output } = await runProgram("nvidia-smi", ["--query-gpu=memory.free", "--format=csv,noheader,nounits"]);
  return code === 0 ? parseFreeMemory(output, process.env["CUDA_VISIBLE_DEVICES"]) : null;
}

/** Bytes of the first visible device in lines of mebibytes; null where none is visible. */
export function parseFreeMemory(output: string, visible: string | undefined): number | null {
  const free = output.split("\n").flatMap((line) => (/^\s*\d+\s*$/.test(line) ? [Number(line) * 2 ** 20] : []));
  const first = visible?.split(",")[0]?.trim();
  if (first === "" || first === "-1") return null;
  return free[first !== undefined && /^\d+$/.test(first) ? Number(first) : 0] ?? null;
}
