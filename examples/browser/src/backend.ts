import "@tensorflow/tfjs-backend-webgl";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import simdWasm from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threadedWasm from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import plainWasm from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import * as tf from "@tensorflow/tfjs-core";

/**
 * WebGL where the graphics card computes in float32; WebAssembly everywhere else. Some phones have float16 alone, in
 * which CLIP's logits lose a digit too many.
 *
 * @param wanted  "webgl" or "wasm", to try one of them; null to choose
 * @returns       the backend that was started
 */
export async function startBackend(wanted: string | null): Promise<string> {
  setWasmPaths({
    "tfjs-backend-wasm.wasm": plainWasm,
    "tfjs-backend-wasm-simd.wasm": simdWasm,
    "tfjs-backend-wasm-threaded-simd.wasm": threadedWasm,
  });
  for (const backend of wanted === null ? ["webgl", "wasm"] : [wanted]) {
    if (!tf.engine().registryFactory[backend]) continue;
    const isStarted = await tf.setBackend(backend);
    if (isStarted && (backend !== "webgl" || tf.env().getBool("WEBGL_RENDER_FLOAT32_CAPABLE"))) return backend;
  }
  throw new Error("This browser offers neither WebGL with 32-bit numbers nor WebAssembly; try a newer one.");
}
