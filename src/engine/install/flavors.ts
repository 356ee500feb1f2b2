/** What each flavour of the cache consists of. */
import type { CachedFlavor } from "./cache.js";
import { NVIDIA_WHEELS, TENSORFLOW_WHEELS, type WheelPin } from "./pins.js";

export interface FlavorParts {
  readonly wheels: readonly WheelPin[];
  /** What `isWanted` of them takes on the disk. */
  readonly unpackedBytes: number;
}

export const FLAVORS: Readonly<Record<CachedFlavor, FlavorParts>> = {
  cpu: { wheels: [TENSORFLOW_WHEELS.cpu], unpackedBytes: 0.9e9 },
  gpu: { wheels: [TENSORFLOW_WHEELS.gpu, ...NVIDIA_WHEELS], unpackedBytes: 6.5e9 },
  "gpu-system": { wheels: [TENSORFLOW_WHEELS.gpu], unpackedBytes: 1.7e9 },
};

const WANTED = [
  /^tensorflow\/libtensorflow_(cc|framework)\.so\.2$/,
  // The folders of the headers that the C API and the binding read; all of them would be 4,500 files.
  /^tensorflow\/include\/(tensorflow\/(c|core\/platform)|xla\/tsl\/c|tsl\/platform)\/.*\.h$/,
  // Of NVIDIA's wheels what runs: libraries, and for code compiled on the spot ptxas and libdevice.
  /^nvidia\/\w+\/(lib|bin|nvvm)\/.*$/,
];

/** Whether a file of a wheel, by its path in there, is unpacked. */
export function isWanted(path: string): boolean {
  return WANTED.some((pattern) => pattern.test(path));
}
