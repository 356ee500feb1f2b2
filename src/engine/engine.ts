// TEMPORARY, replaced by the engine work: loads a binding built by hand.
import { createRequire } from "node:module";
import * as tf from "./tf.js";
export type EngineChoice = "auto" | "native" | "wasm";
export interface EngineInfo {
  readonly backend: "native" | "wasm";
  readonly description: string;
  readonly threads: number;
  readonly notice: string | null;
}
// eslint-disable-next-line
export async function startEngine(
  _choice: EngineChoice,
  _options: { threads?: number | "auto" } = {},
): Promise<EngineInfo> {
  process.env["TF_CPP_MIN_LOG_LEVEL"] = "3";
  const require = createRequire(import.meta.url);
  const util = require("util");
  util.isNullOrUndefined ??= (x: unknown) => x == null;
  util.isArray ??= Array.isArray;
  tf.env().set("IS_TEST", true);
  const bindings = require("/tmp/w/tfjs_binding.node");
  require("@tensorflow/tfjs-node-gpu/dist/register_all_kernels");
  const { NodeJSKernelBackend } = require("@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend");
  tf.registerBackend("tensorflow", () => new NodeJSKernelBackend(bindings, "x"), 3);
  await tf.setBackend("tensorflow");
  return { backend: "native", description: "", threads: 2, notice: null };
}
