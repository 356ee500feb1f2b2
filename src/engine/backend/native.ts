/**
 * TensorFlow's C++ library as a backend, through the binding of the cache.
 *
 * The binding is loaded straight from where it was built, and the package's own entry, which looks for it inside
 * `node_modules`, is passed by: so nothing has to be written there, a global or read-only installation works, and a
 * fresh install of node_modules costs no build. What the entry does besides is repeated here: register the kernels,
 * then the backend.
 */
import { totalmem } from "node:os";
import util from "node:util";
import { BINDING_PACKAGE } from "../install/pins.js";
import { loadModule } from "../packages.js";
import * as tf from "../tf.js";
import { silenceTensorFlowLog } from "./nativeLog.js";

/** The part of the binding that is used here; the backend knows the rest. */
interface Binding {
  readonly TF_Version: string;
}
interface NativeBackend extends tf.KernelBackend {
  readonly isUsingGpuDevice: boolean;
}
interface BackendModule {
  readonly NodeJSKernelBackend: new (binding: Binding, packageName: string) => NativeBackend;
}

export interface LoadedNative {
  readonly tensorflowVersion: string;
  readonly device: "cpu" | "gpu";
}

/** The kernels are registered for this name. */
export const NATIVE_BACKEND = "tensorflow";

/**
 * Loads the binding into this process and registers its backend; the backend is not yet the current one.
 *
 * TensorFlow reads its thread count and log level once, as it loads; so this is done once a process.
 * @throws whatever the dynamic loader has to say, where the binding or a library of its does not load
 */
export function loadNative(binding: string, threads: number): LoadedNative {
  prepareEnvironment(threads);
  restoreUtil();
  silenceTensorFlowLog(binding);
  const native = loadModule(binding) as Binding;
  loadModule(`${BINDING_PACKAGE}/dist/register_all_kernels`);
  const { NodeJSKernelBackend } = loadModule(`${BINDING_PACKAGE}/dist/nodejs_kernel_backend`) as BackendModule;
  const backend = new NodeJSKernelBackend(native, BINDING_PACKAGE);
  tf.registerBackend(NATIVE_BACKEND, () => backend, 3); // above WebAssembly's 2, as in the package's own entry
  return { tensorflowVersion: native.TF_Version, device: backend.isUsingGpuDevice ? "gpu" : "cpu" };
}

/** A user's own setting of any of these is kept, but for the threads, which have an option of their own. */
function prepareEnvironment(threads: number): void {
  process.env["TF_NUM_INTRAOP_THREADS"] = String(threads);
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "3"; // errors come back as exceptions; its log would only repeat them
  // Memory is used again instead of given back: a third of the time in the system's calls, and a little less memory
  // (measured: three MLP blocks of width 768, 900 rows, forward and backward). Its own limit would be 64 GB.
  process.env["TF_CPU_ALLOCATOR_USE_BFC"] ??= "true";
  process.env["TF_CPU_BFC_MEM_LIMIT_IN_MB"] ??= String(Math.floor(totalmem() / 2 ** 20));
  process.env["TF_FORCE_GPU_ALLOW_GROWTH"] ??= "true"; // else it takes the whole card at once
}

/**
 * Gives `util` back two functions that the backend calls: Node 22 warns at their use, Node 23 and later have them no
 * more (repaired after 4.22.0, never published).
 */
function restoreUtil(): void {
  Object.assign(util, { isNullOrUndefined: (x: unknown) => x === null || x === undefined, isArray: Array.isArray });
}
