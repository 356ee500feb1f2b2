import { readFileSync } from "node:fs";
import { EngineError } from "../base/errors.js";
import { ONEDNN_SWITCH } from "./backend/native.js";
import { canCompile } from "./compile/binding.js";
import type { Precision } from "./compile/compile.js";
import type { EngineInfo } from "./engine.js";
import { runProgram } from "./install/runProgram.js";

/** Flags of /proc/cpuinfo that name units for products in bfloat16. */
const UNITS = /\b(avx512_bf16|amx_bf16)\b/;
/** Compute capability of NVIDIA's first GPUs with such units (Ampere). */
const CAPABILITY = 8;

/** Facts about the machine that decide. */
interface Machine extends Pick<EngineInfo, "device"> {
  readonly canCompile: boolean;
  /** Text of /proc/cpuinfo. */
  readonly cpuInfo: string;
  /** Of the GPU, such as 9; null where it is not known. */
  readonly capability: number | null;
  /** False where oneDNN is off, which has the products: by the environment, or as `engine install` found it slower. */
  readonly hasOneDnn: boolean;
  /** `ONEDNN_MAX_CPU_ISA`, the instructions that oneDNN may use at most; all where undefined. */
  readonly isaLimit: string | undefined;
}

/**
 * Checks that the engine multiplies in a precision. In bfloat16 without units for it everything would be right, and
 * slower than float32: it is refused instead.
 * @throws {EngineError} with the reason
 */
export async function requirePrecision(precision: Precision, engine: EngineInfo): Promise<void> {
  if (precision === "float32") return;
  const machine = {
    device: engine.device,
    canCompile: canCompile(),
    cpuInfo: engine.device === "cpu" ? readCpuInfo() : "",
    capability: engine.device === "gpu" ? await capabilityOfGpu() : null,
    hasOneDnn: !/^(?:0|false)$/i.test(process.env[ONEDNN_SWITCH] ?? ""),
    isaLimit: process.env["ONEDNN_MAX_CPU_ISA"] ?? process.env["DNNL_MAX_CPU_ISA"], // its name before oneDNN's
  };
  const problem = bfloat16Problem(machine);
  if (problem !== null) throw new EngineError(`engine.precision: bfloat16: ${problem}; use float32`);
}

/** Limits of oneDNN's instructions that leave the units in. */
const LIMITS_WITH_UNITS = /BF16|FP16|AMX|AVX10|DEFAULT|ALL/i;

/** True where a limit of oneDNN's instructions leaves units for bfloat16; without, its products can end the process. */
export function allowsUnits(isaLimit: string | undefined): boolean {
  return isaLimit === undefined || LIMITS_WITH_UNITS.test(isaLimit);
}

/** Reason for which a machine does not multiply in bfloat16, or null. */
export function bfloat16Problem(machine: Machine): string | null {
  if (!machine.canCompile) return "it needs the native engine that `liqe engine install` provides";
  if (machine.device === "gpu") {
    const isOld = machine.capability !== null && machine.capability < CAPABILITY;
    return isOld ? `this GPU has no units for it (compute capability ${machine.capability}, and 8.0 is needed)` : null;
  }
  if (!machine.hasOneDnn) return "oneDNN, which has its products, is off (TF_ENABLE_ONEDNN_OPTS=1 turns it on)";
  if (!allowsUnits(machine.isaLimit)) return `ONEDNN_MAX_CPU_ISA=${machine.isaLimit} keeps oneDNN from its units`;
  return UNITS.test(machine.cpuInfo) ? null : "this processor has no units for it (AVX512_BF16 or AMX)";
}

function readCpuInfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return ""; // not Linux, where no native engine is installed either
  }
}

async function capabilityOfGpu(): Promise<number | null> {
  const { code, output } = await runProgram("nvidia-smi", ["--query-gpu=compute_cap", "--format=csv,noheader"]);
  const value = Number.parseFloat(output);
  return code === 0 && Number.isFinite(value) ? value : null;
}
