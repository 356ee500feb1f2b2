/** `liqe engine status`: the engine that computes here, and why. */
import { freemem, totalmem } from "node:os";
import { EngineError } from "../base/errors.js";
import { peakFlopsPerSecond } from "./backend/benchmark.js";
import { execute, nativeBackend } from "./compile/binding.js";
import { type EngineChoice, type EngineInfo, startEngine } from "./engine.js";
import { type Gpu, listGpus } from "./gpus.js";
import type { NativeFlavor } from "./install/pins.js";
import { findInstalledEngine, listInstalled } from "./install/installed.js";
import * as tf from "./tf.js";

export interface EngineStatus extends EngineInfo {
  readonly choice: EngineChoice;
  /** Reason of the engine's choice. */
  readonly reason: string;
  /** Speed of float32 matrix products, measured now: 10^9 operations a second. */
  readonly gigaflops: number;
  readonly node: string;
  readonly platform: string;
  readonly gpus: readonly Gpu[];
  /** True where the engine was built with NCCL, NVIDIA's collectives; null on WebAssembly. */
  readonly nccl: boolean | null;
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
    nccl: info.backend === "native" ? hasNccl() : null,
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

/** TensorFlow's words about an operation that its build has no code for. */
const NO_KERNEL = "<no registered kernels>";

/**
 * True where the native engine, the current one, was built with NVIDIA's collectives, as TensorFlow's CUDA build is: the
 * library is asked for a sum over one device, and says itself where it has no code for it.
 */
function hasNccl(): boolean {
  const { TF_ATTR_TYPE, TF_ATTR_STRING, TF_ATTR_INT, TF_FLOAT } = nativeBackend().binding;
  const attributes = [
    { name: "T", type: TF_ATTR_TYPE, value: TF_FLOAT },
    { name: "reduction", type: TF_ATTR_STRING, value: "sum" },
    { name: "num_devices", type: TF_ATTR_INT, value: 1 },
    { name: "shared_name", type: TF_ATTR_STRING, value: "liqe engine status" },
  ];
  const one = tf.scalar(1);
  try {
    tf.dispose(execute({ name: "NcclAllReduce", attributes, inputs: [one], outputs: 1 }));
    return true;
  } catch (error) {
    return !String(error).includes(NO_KERNEL);
  } finally {
    one.dispose();
  }
}
