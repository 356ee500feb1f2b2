import "@tensorflow/tfjs-backend-webgl";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import simdWasm from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threadedWasm from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import plainWasm from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import { type Backend, BACKEND_NAMES, BACKENDS } from "./backendNames";

/**
 * WebGPU where there is a graphics card for it, then WebGL where the card computes in float32, then WebAssembly. Some
 * phones have float16 alone in WebGL, in which CLIP's logits lose a digit too many.
 *
 * @param wanted  one of them, to try it, a processor's WebGPU too; null to choose
 * @returns       the backend that was started
 */
export async function startBackend(wanted: string | null): Promise<Backend> {
  setWasmPaths({
    "tfjs-backend-wasm.wasm": plainWasm,
    "tfjs-backend-wasm-simd.wasm": simdWasm,
    "tfjs-backend-wasm-threaded-simd.wasm": threadedWasm,
  });
  for (const backend of BACKENDS) {
    if (wanted !== null && wanted !== backend) continue;
    if (!tf.engine().registryFactory[backend]) continue;
    if (backend === "webgpu" && !(await hasWebGpu(wanted !== null))) continue;
    const isStarted = await tf.setBackend(backend);
    if (isStarted && (backend !== "webgl" || tf.env().getBool("WEBGL_RENDER_FLOAT32_CAPABLE"))) return backend;
  }
  const asked = BACKENDS.find((backend) => backend === wanted);
  throw new Error(
    asked === undefined
      ? "This browser offers no WebGPU, no WebGL with 32-bit numbers and no WebAssembly; try a newer one."
      : `This browser does not offer ${BACKEND_NAMES[asked]}; open the page without ?backend=${asked}.`,
  );
}

/** What is asked of `navigator.gpu`, which not every browser's types have. */
interface Gpu {
  requestAdapter(): Promise<{ readonly info: { readonly isFallbackAdapter?: boolean } } | null>;
}

/** Asked before the backend is started: it takes for granted that there is an adapter. */
async function hasWebGpu(maySoftware: boolean): Promise<boolean> {
  const { gpu } = navigator as { readonly gpu?: Gpu }; // undefined in older browsers, and on pages without HTTPS
  const adapter = (await gpu?.requestAdapter()) ?? null;
  return adapter !== null && (maySoftware || adapter.info.isFallbackAdapter !== true);
}
