/**
 * Paths of the native engine: a per-user cache, a folder for each flavor and version, each with the unpacked libraries
 * and, beside them, the binding built against them.
 *
 *     <cache>/liqe-train/engine/cpu-2.21.0/tensorflow/libtensorflow_cc.so.2 ...
 *     <cache>/liqe-train/engine/cpu-2.21.0/binding-4.22.0-napi8-log1/tfjs_binding.node
 */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { LOG_MODULE } from "../backend/nativeLog.js";
import { packageFolder } from "../packages.js";
import { BINDING_PACKAGE, BINDING_VERSION, FLAVORS, NODE_API_VERSION, TENSORFLOW_VERSION } from "./pins.js";

export type CachedFlavor = keyof typeof FLAVORS;

/** Flavors of the cache, and the one that the package's own installer puts into the package. */
export type NativeFlavor = CachedFlavor | "official";
export const NATIVE_FLAVORS = [...Object.keys(FLAVORS), "official"] as readonly NativeFlavor[]; // keys of a literal

/** `$XDG_CACHE_HOME/liqe-train`, or `~/.cache/liqe-train` where that is unset, empty or (as its standard says) relative. */
export function cacheRoot(): string {
  const xdg = process.env["XDG_CACHE_HOME"] ?? "";
  return join(isAbsolute(xdg) ? xdg : join(homedir(), ".cache"), "liqe-train");
}

/** Folder of all flavors. */
export function engineRoot(): string {
  return join(cacheRoot(), "engine");
}

/** Path of the file that names the flavor installed last. */
export function preferenceFile(): string {
  return join(engineRoot(), "preferred");
}

/** Folder of one flavor; it appears under this name whole or not at all. */
export function flavorFolder(flavor: CachedFlavor): string {
  return join(engineRoot(), `${flavor}-${TENSORFLOW_VERSION}`);
}

/** Path of one flavor's binding; in the cache, it appears only once it has computed a matrix product. */
export function bindingFile(flavor: NativeFlavor): string {
  const folder =
    flavor === "official"
      ? join(packageFolder(BINDING_PACKAGE) ?? "", "lib", `napi-v${NODE_API_VERSION}`)
      : join(flavorFolder(flavor), `binding-${BINDING_VERSION}-napi${NODE_API_VERSION}-${LOG_MODULE.version}`);
  return join(folder, "tfjs_binding.node");
}
