/** GPUs of this machine, found before any engine starts. */
import { EngineError } from "../base/errors.js";
import { plural } from "../base/text.js";
import { findInstalledEngine } from "./install/installed.js";
import { runProgram } from "./install/runProgram.js";

export interface Gpu {
  readonly name: string;
  readonly memoryBytes: number;
  readonly driver: string;
}

const FIELDS = "name,memory.total,driver_version";
const MEBIBYTE = 1 << 20;

/** GPUs of this machine; empty where there is none, or no driver. */
export async function listGpus(): Promise<Gpu[]> {
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

/** Variables of a process that is to see one GPU alone. */
export type GpuEnvironment = Readonly<Record<string, string>>;

/**
 * Environments of processes that have a GPU each, one a process.
 * @param asked    number of GPUs, or all that this process may use
 * @param visible  CUDA_VISIBLE_DEVICES of this process: only those are given away
 * @throws {EngineError} where there are fewer, or the installed engine computes on none
 */
export async function oneGpuEach(asked: number | "all", visible: string | undefined): Promise<GpuEnvironment[]> {
  const found = findInstalledEngine();
  if (!found.ok || found.engine.flavor === "cpu") {
    const why = found.ok ? "the installed engine is the CPU's" : found.reason;
    throw new EngineError(`--gpus: ${why}; \`liqe engine install --flavor gpu\` provides the GPU's`);
  }
  return shareGpus(asked, (await listGpus()).length, visible);
}

/** @param present  number of the machine's GPUs. @throws {EngineError} as `oneGpuEach` */
export function shareGpus(asked: number | "all", present: number, visible: string | undefined): GpuEnvironment[] {
  const all = Array.from({ length: present }, (_, index) => ({
    CUDA_DEVICE_ORDER: "PCI_BUS_ID", // as nvidia-smi counts them
    CUDA_VISIBLE_DEVICES: String(index),
  }));
  const usable = visible === undefined || present === 0 ? all : named(visible);
  const wanted = asked === "all" ? Math.max(usable.length, 1) : asked;
  if (usable.length >= wanted) return usable.slice(0, wanted);
  const count = usable.length === 0 ? "no GPU" : plural(usable.length, "GPU");
  const where = visible === undefined || present === 0 ? "nvidia-smi finds" : `CUDA_VISIBLE_DEVICES=${visible} leaves`;
  throw new EngineError(
    `--gpus ${asked}: ${where} ${count}${usable.length === 0 ? "; --processes N trains on the CPU" : ""}`,
  );
}

/** Devices of CUDA_VISIBLE_DEVICES, of which CUDA takes those before the first -1. */
function named(visible: string): GpuEnvironment[] {
  const names = visible.split(",").map((name) => name.trim());
  const end = names.findIndex((name) => name === "" || name === "-1");
  return names.slice(0, end < 0 ? names.length : end).map((name) => ({ CUDA_VISIBLE_DEVICES: name }));
}
