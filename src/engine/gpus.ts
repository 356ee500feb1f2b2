/** The NVIDIA GPUs of this machine, as its driver tells. */
import { runProgram } from "./install/runProgram.js";

export interface Gpu {
  readonly name: string;
  readonly memoryBytes: number;
  readonly driver: string;
}

const FIELDS = "name,memory.total,driver_version";
const MEBIBYTE = 1 << 20;

/** Empty where there is none, or no driver. */
export async function listGpus(): Promise<Gpu[]> {
  const { code, output } = await runProgram("nvidia-smi", [`--query-gpu=${FIELDS}`, "--format=csv,noheader,nounits"]);
  return code === 0 ? parseGpus(output) : [];
}

/** Lines such as `NVIDIA H200, 143771, 570.124.06`. */
export function parseGpus(output: string): Gpu[] {
  return output
    .split("\n")
    .map((line) => line.split(",").map((field) => field.trim()))
    .filter((fields) => fields.length === 3)
    .map(([name = "", mebibytes = "", driver = ""]) => ({ name, memoryBytes: Number(mebibytes) * MEBIBYTE, driver }));
}
