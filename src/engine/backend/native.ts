/**
 * TensorFlow's C++ library as a backend. The binding is loaded from the folder where it was built, not through the
 * package's own entry, which looks for it inside `node_modules`: nothing has to be written there, and a fresh
 * node_modules needs no build. The rest of that entry is repeated here: register the kernels, then the backend.
 */
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import util from "node:util";
import { isMainThread } from "node:worker_threads";
import { BINDING_PACKAGE } from "../install/pins.js";
import { loadModule } from "../packages.js";
import * as tf from "../tf.js";
import { LOG_MODULE } from "./nativeLog.js";
import { hostMemoryBytes } from "../memory.js";

interface Binding {
  readonly TF_Version: string;
  /** Ends the process where a call of a compiled function still computes. The package's own binding has no such calls. */
  leave?(code: number): void;
  /** Lets C's `exit` begin with `leave`. */
  leaveAtExit?(): void;
}
interface NativeBackend extends tf.KernelBackend {
  readonly isUsingGpuDevice: boolean;
}
interface BackendModule {
  readonly NodeJSKernelBackend: new (binding: Binding, packageName: string) => NativeBackend;
}

/** Settings that TensorFlow and NVIDIA's libraries read from the environment as they load. */
export interface NativeSettings {
  /** Threads of one operation. */
  readonly threads: number;
  /** True where matrix products on a GPU may be computed in TensorFloat-32. */
  readonly tf32: boolean;
}

export type LoadedNative = { readonly tensorflowVersion: string; readonly device: "cpu" | "gpu" };

/** Name of the backend, for which the package registers its kernels. */
export const NATIVE_BACKEND = "tensorflow";

/** Environment variable by which TensorFlow uses oneDNN, 1 by default, or not. */
export const ONEDNN_SWITCH = "TF_ENABLE_ONEDNN_OPTS";
/** File beside a binding that names the processor on which `engine install` found products quicker without oneDNN. */
export const NO_ONEDNN_FILE = "no-onednn";

/** Name of this kind of processor. */
export function processor(): string {
  return cpus()[0]?.model.trim() ?? "";
}

/** False on another kind of processor than the one that was measured: an engine can be copied to another machine. */
function isQuickerWithoutOneDnn(binding: string): boolean {
  const file = join(dirname(binding), NO_ONEDNN_FILE);
  return existsSync(file) && readFileSync(file, "utf8").split("\n")[0] === processor();
}

/**
 * Loads the binding into this process and registers its backend; the backend is not yet the current one. Once a
 * process: TensorFlow reads its settings and log level as it loads.
 * @throws the dynamic loader's error, where the binding or one of its libraries does not load
 */
export function loadNative(binding: string, settings: NativeSettings): LoadedNative {
  prepareEnvironment(settings);
  if (isQuickerWithoutOneDnn(binding)) process.env[ONEDNN_SWITCH] ??= "0";
  restoreUtil();
  silenceTensorFlowLog(binding);
  const native = loadModule(binding) as Binding;
  leaveDuringCalls(native);
  loadModule(`${BINDING_PACKAGE}/dist/register_all_kernels`);
  const { NodeJSKernelBackend } = loadModule(`${BINDING_PACKAGE}/dist/nodejs_kernel_backend`) as BackendModule;
  const backend = new NodeJSKernelBackend(native, BINDING_PACKAGE);
  tf.registerBackend(NATIVE_BACKEND, () => backend, 3); // above WebAssembly's 2, as in the package's own entry
  return { tensorflowVersion: native.TF_Version, device: backend.isUsingGpuDevice ? "gpu" : "cpu" };
}

/** Keeps a user's own settings, except for threads and TF32, which have options of their own. */
function prepareEnvironment({ threads, tf32 }: NativeSettings): void {
  process.env["TF_NUM_INTRAOP_THREADS"] = String(threads);
  // TensorFlow allows TF32 by itself; cuBLAS and cuDNN heed this above all that programs ask of them
  process.env["NVIDIA_TF32_OVERRIDE"] = tf32 ? "1" : "0";
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "3"; // errors come back as exceptions; the log would only repeat them
  // Memory is reused instead of freed: a third of the time in system calls, and a little less memory (measured: three
  // MLP blocks of width 768, 900 rows, forward and backward). Its own limit would be 64 GB.
  process.env["TF_CPU_ALLOCATOR_USE_BFC"] ??= "true";
  process.env["TF_CPU_BFC_MEM_LIMIT_IN_MB"] ??= String(Math.floor(hostMemoryBytes() / 2 ** 20));
  process.env["TF_FORCE_GPU_ALLOW_GROWTH"] ??= "true"; // else it takes the whole card at once
}

/**
 * Lets a process that exits during a call end with its own exit code. C's `exit` destroys what TensorFlow's threads are
 * using, the code of oneDNN's products among it: one process in fifteen crashed. `process.exit` ends in `reallyExit`; an
 * uncaught exception does not, and is left to a handler that is registered as late as can be.
 */
function leaveDuringCalls(native: Binding): void {
  if (!isMainThread) return; // in a worker both mean the worker
  const ending = process as unknown as { reallyExit(code?: number | string): void };
  const reallyExit = ending.reallyExit.bind(process);
  ending.reallyExit = (code) => {
    native.leave?.(Number(code ?? 0));
    reallyExit(code);
  };
  process.on("exit", () => native.leaveAtExit?.());
}

/** Restores two functions that the backend (4.22.0) calls: Node 22 warns at their use, Node 23 removed them. */
function restoreUtil(): void {
  Object.assign(util, { isNullOrUndefined: (x: unknown) => x === null || x === undefined, isArray: Array.isArray });
}

/** Silences TensorFlow's startup log. Bindings built by the package's own installer lack this module and keep logging. */
function silenceTensorFlowLog(binding: string): void {
  const file = join(dirname(binding), LOG_MODULE.file);
  if (existsSync(file)) loadModule(file);
}
