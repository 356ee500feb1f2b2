/** In the order in which they are tried. */
export const BACKENDS = ["webgpu", "webgl", "wasm"] as const;
export type Backend = (typeof BACKENDS)[number];

/** As a reader knows them. Apart from `backend.ts`, which loads all of TensorFlow.js. */
export const BACKEND_NAMES: Readonly<Record<Backend, string>> = {
  webgpu: "WebGPU",
  webgl: "WebGL",
  wasm: "WebAssembly",
};
