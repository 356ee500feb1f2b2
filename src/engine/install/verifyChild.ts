/** Program that `install.ts` runs: `node verifyChild.js <binding>` loads it, multiplies, and writes a line of JSON. */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { peakFlopsPerSecond, wideFlopsPerSecond } from "../backend/benchmark.js";
import { type LoadedNative, loadNative, NATIVE_BACKEND } from "../backend/native.js";
import * as tf from "../tf.js";

export interface Verification extends LoadedNative {
  /** Speed of float32 matrix products, 10^9 operations a second. */
  readonly gigaflops: number;
  /** The same with a matrix of 3,072 columns. */
  readonly wideGigaflops: number;
}

/** @throws where a product of small matrices is not exact */
async function verify(binding: string): Promise<Verification> {
  const loaded = loadNative(binding, { threads: availableParallelism(), tf32: false });
  await tf.setBackend(NATIVE_BACKEND);
  const product = tf.tidy(() => tf.matMul([[1, 2], [3, 4]], [[5, 6], [7, 8]]).dataSync()); // prettier-ignore
  if ([...product].join() !== "19,22,43,50") throw new Error(`the matrix product gave ${[...product].join()}`);
  return { ...loaded, gigaflops: peakFlopsPerSecond() / 1e9, wideGigaflops: wideFlopsPerSecond() / 1e9 };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(await verify(process.argv[2] ?? ""))}\n`);
}
