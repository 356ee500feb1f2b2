import { EngineError } from "../../base/errors.js";
import type { EngineInfo } from "../../engine/engine.js";
import type { EvaluateConfig } from "../config.js";
import type { ImageProcessesOptions } from "./imageProcesses.js";
import { EVALUATION_BATCH } from "./scoreImages.js";

/** Crops from which the second process earns its start and its memory. */
const MANY_CROPS = 20 * EVALUATION_BATCH;

/** What `auto` takes. Every process has the weights in its memory, and more than two have not been measured. */
const USUAL = 2;

/**
 * How many processes encode images, and with how many threads each; null: this process does it.
 *
 * @param crops  how many there are to score
 * @throws {EngineError} where several are asked for on an engine that has no threads to share
 */
export function scoringProcesses(
  setting: EvaluateConfig["processes"],
  { backend, device, threads }: EngineInfo,
  crops: number,
): ImageProcessesOptions | null {
  const canShare = backend === "native" && device === "cpu";
  if (setting === "auto") {
    const isWorthwhile = canShare && threads >= USUAL && crops >= MANY_CROPS;
    return isWorthwhile ? { processes: USUAL, threads: Math.floor(threads / USUAL) } : null;
  }
  if (setting === 1) return null;
  if (canShare) return { processes: setting, threads: Math.max(1, Math.floor(threads / setting)) };
  throw new EngineError(`${setting} processes to score with need the native engine on a CPU; leave their number out`);
}
