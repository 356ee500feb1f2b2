/** `liqe engine status`: the engine that computes here, and why. */
import { freemem, totalmem } from "node:os";
import { EngineError } from "../base/errors.js";
import { peakFlopsPerSecond } from "./backend/benchmark.js";
import { type EngineChoice, type EngineInfo, startEngine } from "./engine.js";
import type { NativeFlavor } from "./install/pins.js";
import { findInstalledEngine, listInstalled } from "./install/installed.js";
import { runProgram } from "./install/runProgram.js";

export interface EngineStatus extends EngineInfo {
  readonly choice: EngineChoice;
  /** Reason of the engine's choice. */
  readonly reason: string;
  /** Speed of float32 matrix products, measured now: 10^9 operations a second. */
  readonly gigaflops: number;
  readonly node: string;
  readonly platform: string;
  readonly gpus: readonly Gpu[];
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  readonly installed: readonly {
    readonly flavor: NativeFlavor;
    readonly binding: string;
    readonly damage: string | null;
  }[];
}

/** Starts the engine of `choice` and measures it. @throws {EngineError} where it is not available */
export async function engineStatus(choice: EngineChoice, threads: number | "auto"): Promise<EngineStatus> {
  const gpus = await listGpus();
  const info = await startEngine(choice, { threads });
  return {
    choice,
    ...info,
    reason: reasonFor(choice, info, gpus),
    gigaflops: peakFlopsPerSecond() / 1e9,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    gpus,
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    installed: listInstalled(),
  };
}

function reasonFor(choice: EngineChoice, info: EngineInfo, gpus: readonly Gpu[]): string {
  if (info.backend === "wasm") return choice === "wasm" ? "asked for" : (info.notice ?? "");
  const found = findInstalledEngine();
  if (!found.ok) throw new EngineError(`internal: ${found.reason}`);
  const { flavor, binding } = found.engine;
  return `the ${flavor} flavor is installed (${binding})${info.device === "cpu" ? gpuAdvice(flavor, gpus.length > 0) : ""}`;
}

/** Advice about GPUs where the CPU computes. */
function gpuAdvice(flavor: NativeFlavor, hasGpu: boolean): string {
  if (flavor === "cpu") return hasGpu ? "; `liqe engine install --flavor gpu` would use the GPU" : "";
  return hasGpu
    ? "; it cannot use the GPU: see that the driver is new enough for CUDA 12, and CUDA_VISIBLE_DEVICES"
    : "; it found no GPU, and no driver of NVIDIA's, so the CPU computes";
}

type Gpu = { readonly name: string; readonly memoryBytes: number; readonly driver: string };

const FIELDS = "name,memory.total,driver_version";
const MEBIBYTE = 1 << 20;

/** GPUs of this machine; empty where there is none, or no driver. */
async function listGpus(): Promise<Gpu[]> {
  const { code, output } = await runProgram("nvidia-smi", [`--query-gpu=${FIELDS}`, "--format=csv,noheader,nounits"]);
  return code === 0 ? parseGpus(output) : [];
}

/** Reads lines such as `NVIDIA H200, 143771, 570.124.06`. */
export function parseGpus(output: string): Gpu[] {
  return output
    .split("\n")
    .map((line) => line.split(",").map((field) => field.trim()))
    .filter((fields) => fields.length === 3)
    .map(([name = "", mebibytes = "", driver = ""]) => ({ name, memoryBytes: Number(mebibytes) * MEBIBYTE, driver }));
}
