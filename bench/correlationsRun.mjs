/** One measurement for correlations.mjs: SRCC and KRCC here. Argument: the folder. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { srcc } from "../dist/evaluate/metrics/correlation.js";
import { krcc } from "../dist/evaluate/metrics/kendall.js";

const [folder] = process.argv.slice(2);
const [quality, mos] = await Promise.all(["quality.f64", "mos.f64"].map(readNumbers));
console.log(JSON.stringify({ srcc: timed(srcc), krcc: timed(krcc) }));

function timed(correlation) {
  const started = performance.now();
  const result = correlation(quality, mos);
  if (!result.ok) throw new Error(result.reason);
  return { value: result.value, seconds: (performance.now() - started) / 1000 };
}

async function readNumbers(name) {
  const bytes = await readFile(path.join(folder, name));
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / Float64Array.BYTES_PER_ELEMENT);
}
