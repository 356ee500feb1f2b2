/**
 * Versions, files, sizes and SHA-256 values of what is installed, each once, and the paths that derive from them: in a
 * per-user cache a folder for each flavor and version, with the unpacked libraries and the binding built against them.
 *
 *     <cache>/liqe-train/engine/cpu-2.21.0/tensorflow/libtensorflow_cc.so.2 ...
 *     <cache>/liqe-train/engine/cpu-2.21.0/binding-5f0c2a91/tfjs_binding.node
 *
 * A binding's folder is named by a hash of its sources: one that was built of others is not used, and a new one is built.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LOG_MODULE } from "../backend/nativeLog.js";
import { packageFolder } from "../packages.js";

/** Version of the TensorFlow whose C API the binding is built against. */
const TENSORFLOW_VERSION = "2.21.0";

/** Package of the kernels that call the binding; its own source of one is not used. */
export const BINDING_PACKAGE = "@tensorflow/tfjs-node-gpu";

/** Source of the binding: the build copies it beside the compiled program. */
export const BINDING_SOURCE = fileURLToPath(new URL("../binding/engine.cc", import.meta.url));

/** Node-API version that the binding asks for: every Node from 18.17 has it, so one build serves them all. */
export const NODE_API_VERSION = 8;

/** File of the Python package index. No Python runs it: its tag (cp312) only has to be always the same one. */
export type WheelPin = { readonly file: string; readonly bytes: number; readonly sha256: string };

/** TensorFlow itself; `tensorflow` is the CUDA 12 build. */
const TENSORFLOW_WHEELS = {
  cpu: {
    file: `tensorflow_cpu-${TENSORFLOW_VERSION}-cp312-cp312-manylinux_2_27_x86_64.whl`,
    bytes: 274_000_871,
    sha256: "dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb",
  },
  gpu: {
    file: `tensorflow-${TENSORFLOW_VERSION}-cp312-cp312-manylinux_2_27_x86_64.whl`,
    bytes: 572_611_111,
    sha256: "b3b95643c4e70eb925839938fb35cbe142f317ec84af6844ee61513713bb13c0",
  },
} as const satisfies Record<string, WheelPin>;

/**
 * NVIDIA's libraries for the `gpu` flavor: the extra `and-cuda` of the tensorflow wheel's METADATA, which gives ranges
 * (cublas >= 12.5.3.2 < 13, cudnn >= 9.3.0.75 < 10, nccl >= 2.27.7 < 3, ...). Each is the last release of CUDA 12.9.1;
 * cuDNN and NCCL, which are no part of CUDA, are those that were current when TensorFlow 2.21.0 came out.
 */
const NVIDIA_WHEELS: readonly WheelPin[] = [
  {
    file: "nvidia_cublas_cu12-12.9.1.4-py3-none-manylinux_2_27_x86_64.whl",
    bytes: 581_242_350,
    sha256: "453611eb21a7c1f2c2156ed9f3a45b691deda0440ec550860290dc901af5b4c2",
  },
  {
    file: "nvidia_cuda_cupti_cu12-12.9.79-py3-none-manylinux_2_25_x86_64.whl",
    bytes: 10_814_997,
    sha256: "096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f",
  },
  {
    file: "nvidia_cuda_nvcc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
    bytes: 40_546_229,
    sha256: "5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0",
  },
  {
    file: "nvidia_cuda_nvrtc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
    bytes: 89_568_129,
    sha256: "210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4",
  },
  {
    file: "nvidia_cuda_runtime_cu12-12.9.79-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    bytes: 3_493_179,
    sha256: "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3",
  },
  {
    file: "nvidia_cudnn_cu12-9.20.0.48-py3-none-manylinux_2_27_x86_64.whl",
    bytes: 657_910_570,
    sha256: "7d7479e1321c7a039b33827f0247791ee1be091759032c1f66a287c4a643396a",
  },
  {
    file: "nvidia_cufft_cu12-11.4.1.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    bytes: 200_877_592,
    sha256: "c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28",
  },
  {
    file: "nvidia_curand_cu12-10.3.10.19-py3-none-manylinux_2_27_x86_64.whl",
    bytes: 68_295_626,
    sha256: "49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e",
  },
  {
    file: "nvidia_cusolver_cu12-11.7.5.82-py3-none-manylinux_2_27_x86_64.whl",
    bytes: 338_117_415,
    sha256: "15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88",
  },
  {
    file: "nvidia_cusparse_cu12-12.5.10.65-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    bytes: 366_465_088,
    sha256: "73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78",
  },
  {
    file: "nvidia_nccl_cu12-2.29.7-py3-none-manylinux_2_18_x86_64.whl",
    bytes: 293_633_942,
    sha256: "ecd0a012051abc20c1aa87328841efa8cade3ced65803046e38c2f03c0891fea",
  },
  {
    file: "nvidia_nvjitlink_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
    bytes: 39_748_338,
    sha256: "e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9",
  },
];

/** Wheels of one flavor, and their size when installed. */
export interface FlavorParts {
  readonly wheels: readonly WheelPin[];
  /** Bytes on the disk of the files that are unpacked. */
  readonly unpackedBytes: number;
}

/** Flavors in the cache: `gpu` has NVIDIA's libraries beside it, `gpu-system` asks the system for them. */
export const FLAVORS = {
  cpu: { wheels: [TENSORFLOW_WHEELS.cpu], unpackedBytes: 0.9e9 },
  gpu: { wheels: [TENSORFLOW_WHEELS.gpu, ...NVIDIA_WHEELS], unpackedBytes: 6.5e9 },
  "gpu-system": { wheels: [TENSORFLOW_WHEELS.gpu], unpackedBytes: 1.7e9 },
} as const satisfies Readonly<Record<string, FlavorParts>>;

export type CachedFlavor = keyof typeof FLAVORS;

/** Flavors of the cache, and the one that the package's own installer puts into the package. */
export type NativeFlavor = CachedFlavor | "official";

/** `$XDG_CACHE_HOME/liqe-train`, or `~/.cache/liqe-train` where that is unset, empty or (as its standard says) relative. */
export function cacheRoot(): string {
  const xdg = process.env["XDG_CACHE_HOME"] ?? "";
  return join(isAbsolute(xdg) ? xdg : join(homedir(), ".cache"), "liqe-train");
}

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
      : join(flavorFolder(flavor), `binding-${sourcesHash()}`);
  return join(folder, "tfjs_binding.node");
}

/** First hexadecimal digits of the SHA-256 of the binding's sources. */
function sourcesHash(): string {
  return createHash("sha256").update(readFileSync(BINDING_SOURCE)).update(LOG_MODULE.source).digest("hex").slice(0, 8);
}

/** Parts of a wheel's name: project-version-python-abi-platforms.whl. */
export function parseWheelName(file: string): { project: string; version: string; platforms: readonly string[] } {
  const [project = "", version = "", , , platforms = ""] = file.replace(/\.whl$/, "").split("-");
  return { project: project.replaceAll("_", "-"), version, platforms: platforms.split(".") };
}
