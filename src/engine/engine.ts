import { availableParallelism } from "node:os";
import { join, sep } from "node:path";
import { EngineError } from "../base/errors.js";
import { plural, reasonOf } from "../base/text.js";
import { type LoadedNative, loadNative, NATIVE_BACKEND, type NativeSettings } from "./backend/native.js";
import { findInstalledEngine } from "./install/installed.js";
import { loadModule, packageFolder } from "./packages.js";
import * as tf from "./tf.js";

/** `auto`: native where it is installed and loads, else WebAssembly. */
export type EngineChoice = "auto" | "native" | "wasm";

export interface EngineInfo {
  readonly backend: "native" | "wasm";
  readonly device: "cpu" | "gpu";
  /** Text such as "TensorFlow 2.21.0 on the CPU, 2 threads". */
  readonly description: string;
  /** Null on WebAssembly. */
  readonly tensorflowVersion: string | null;
  /** Threads of one operation. */
  readonly threads: number;
  /** Line to show where `auto` fell back: the reason and the command that helps; else null. */
  readonly notice: string | null;
}

/** Settings of the native engine; WebAssembly has none. */
interface EngineOptions {
  /** Threads of one operation; `auto` (default): one a core, or what the running engine has. */
  readonly threads?: number | "auto" | undefined;
  /** True where a GPU may compute in TensorFloat-32; by default it may not, or as the running engine does. */
  readonly tf32?: boolean | undefined;
}

const HELP = "`liqe engine install` provides it";

let native: (EngineInfo & Pick<NativeSettings, "tf32">) | null = null;
let wasmIsLoaded = false;

/**
 * Makes an engine the current one: TensorFlow's native library or WebAssembly. Starting it again is free.
 * @throws {EngineError} where `native` is requested and not available, or with other settings than the native engine
 *                       was started with in this process
 */
export async function startEngine(choice: EngineChoice, options: EngineOptions = {}): Promise<EngineInfo> {
  tf.env().set("PROD", true); // silences TensorFlow.js' advice to install what is installed
  if (choice === "wasm") return startWasm(null);
  const started = startNative(options);
  if (typeof started !== "string") {
    await tf.setBackend(NATIVE_BACKEND);
    return started;
  }
  if (choice === "native") throw new EngineError(`--engine native: ${started}; ${HELP}`);
  return startWasm(`Computing with WebAssembly, several times slower: ${started}; ${HELP}.`);
}

/** The native engine, or why it does not start. */
function startNative({ threads = "auto", tf32 }: EngineOptions): EngineInfo | string {
  if (native !== null) {
    if (threads !== "auto" && threads !== native.threads) throw otherSettings("threads", threads, native.threads);
    if (tf32 !== undefined && tf32 !== native.tf32) throw otherSettings("tf32", tf32, native.tf32);
    return native;
  }
  const found = findInstalledEngine();
  if (!found.ok) return found.reason;
  const count = threads === "auto" ? availableParallelism() : threads;
  try {
    const settings = { threads: count, tf32: tf32 ?? false };
    native = { ...describe(loadNative(found.engine.binding, settings), settings), tf32: settings.tf32 };
    return native;
  } catch (error) {
    return `the native engine does not load (${reasonOf(error)})`;
  }
}

function otherSettings(name: keyof NativeSettings, wanted: number | boolean, running: number | boolean): EngineError {
  return new EngineError(
    `startEngine: ${name} is ${wanted}, but this process computes with ${running} already; ` +
      "start a new process to change it",
  );
}

function describe({ tensorflowVersion, device }: LoadedNative, { threads, tf32 }: NativeSettings): EngineInfo {
  const where =
    device === "gpu" ? `the GPU${tf32 ? ", in TensorFloat-32" : ""}` : `the CPU, ${plural(threads, "thread")}`;
  const description = `TensorFlow ${tensorflowVersion} on ${where}`;
  return { backend: "native", device, description, tensorflowVersion, threads, notice: null };
}

async function startWasm(notice: string | null): Promise<EngineInfo> {
  if (!wasmIsLoaded) loadWasm();
  wasmIsLoaded = true;
  if (!(await tf.setBackend(WASM_BACKEND))) {
    throw new EngineError("engine: WebAssembly does not start on this machine; see `liqe engine status`");
  }
  const description = "WebAssembly, 1 thread";
  return { backend: "wasm", device: "cpu", description, tensorflowVersion: null, threads: 1, notice };
}

const WASM_BACKEND = "wasm";
const WASM_PACKAGE = "@tensorflow/tfjs-backend-wasm";

type WasmModule = { readonly setWasmPaths: (folder: string) => void };

/** Registers the backend; it is not yet the current one. @throws {EngineError} where the package is missing */
function loadWasm(): void {
  const folder = packageFolder(WASM_PACKAGE);
  if (folder === null) {
    throw new EngineError(`engine: the package ${WASM_PACKAGE} is not installed; run npm install again`);
  }
  loadModule("@tensorflow/tfjs"); // for the gradients: tfjs-core itself registers none
  const { setWasmPaths } = loadModule(WASM_PACKAGE) as WasmModule;
  setWasmPaths(join(folder, "dist") + sep);
}
