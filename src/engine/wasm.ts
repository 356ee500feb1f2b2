/**
 * WebAssembly: the engine that needs no installation. In Node it computes on one thread (the package starts its
 * threaded build in browsers only), with vector instructions where the processor has them.
 */
import { join, sep } from "node:path";
import { EngineError } from "../base/errors.js";
import { loadModule, packageFolder } from "./packages.js";

export const WASM_BACKEND = "wasm";
const WASM_PACKAGE = "@tensorflow/tfjs-backend-wasm";

interface WasmModule {
  readonly setWasmPaths: (folder: string) => void;
}

/** Registers the backend; it is not yet the current one. @throws {EngineError} where the package is missing */
export function loadWasm(): void {
  const folder = packageFolder(WASM_PACKAGE);
  if (folder === null) {
    throw new EngineError(`engine: the package ${WASM_PACKAGE} is not installed; run npm install again`);
  }
  loadModule("@tensorflow/tfjs"); // for the gradients: tfjs-core itself registers none
  const { setWasmPaths } = loadModule(WASM_PACKAGE) as WasmModule;
  setWasmPaths(join(folder, "dist") + sep);
}
