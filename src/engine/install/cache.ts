/**
 * Where the native engine lies: a per-user cache, a folder for each flavour and version, each with the unpacked
 * libraries and, beside them, the binding built against them.
 *
 *     <cache>/liqe-train/engine/cpu-2.21.0/tensorflow/libtensorflow_cc.so.2 ...
 *     <cache>/liqe-train/engine/cpu-2.21.0/binding-4.22.0-napi8-log1/tfjs_binding.node
 */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { QUIET_LOG_VERSION } from "../backend/nativeLog.js";
import { BINDING_VERSION, NODE_API_VERSION, TENSORFLOW_VERSION } from "./pins.js";

/** `cpu`, `gpu` with NVIDIA's libraries beside it, and `gpu-system`, which asks the system for them. */
export const CACHED_FLAVORS = ["cpu", "gpu", "gpu-system"] as const;
export type CachedFlavor = (typeof CACHED_FLAVORS)[number];

/** `$XDG_CACHE_HOME/liqe-train`, or `~/.cache/liqe-train` where that is unset, empty or (as its standard says) relative. */
export function cacheRoot(): string {
  const xdg = process.env["XDG_CACHE_HOME"] ?? "";
  return join(isAbsolute(xdg) ? xdg : join(homedir(), ".cache"), "liqe-train");
}

/** The folder that holds every flavour. */
export function engineRoot(): string {
  return join(cacheRoot(), "engine");
}

/** The folder of one flavour; it appears under this name whole or not at all. */
export function flavorFolder(flavor: CachedFlavor): string {
  return join(engineRoot(), `${flavor}-${TENSORFLOW_VERSION}`);
}

/** The binding of one flavour; it appears under this name only once it has computed a matrix product. */
export function bindingFile(flavor: CachedFlavor): string {
  return join(
    flavorFolder(flavor),
    `binding-${BINDING_VERSION}-napi${NODE_API_VERSION}-${QUIET_LOG_VERSION}`,
    "tfjs_binding.node",
  );
}
