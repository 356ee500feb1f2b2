import path from "node:path";
import { writeFileAtomic } from "../../base/files.js";
import type { TaskValues } from "../../model/prompts/promptGrid.js";
import { RUN_FILES } from "../checkpoint/runFolder.js";
import type { GradientSummary, NonFiniteStepError } from "../step.js";
import { metricsJson } from "./metricsLog.js";

/** Record of a step whose loss or gradient was not finite: `diagnosis.json` of the run's split. */
export interface Diagnosis {
  readonly epoch: number;
  /** Steps of the run before it, as in metrics.jsonl. */
  readonly step: number;
  readonly learningRate: number;
  readonly loss: number;
  readonly losses: TaskValues;
  readonly weights: TaskValues;
  readonly gradientNorm: number;
  /** The images of the batch. */
  readonly files: readonly string[];
  /** The first parameter whose gradient has an entry that is not finite; null where only the norm overflowed. */
  readonly firstNonFinite: string | null;
  readonly gradients: readonly GradientSummary[];
}

/** Diagnosis of a step that was not taken. */
export function diagnose(
  { result, gradients }: NonFiniteStepError,
  place: Pick<Diagnosis, "epoch" | "step" | "learningRate" | "files">,
): Diagnosis {
  const { epoch, step, learningRate, files } = place;
  const { loss, losses, weights, gradientNorm } = result;
  const firstNonFinite = gradients.find(({ nonFinite }) => nonFinite > 0)?.parameter ?? null;
  return { epoch, step, learningRate, loss, losses, weights, gradientNorm, files, firstNonFinite, gradients };
}

/** Writes the diagnosis into the split's folder, over an earlier one. @returns the file */
export async function saveDiagnosis(folder: string, diagnosis: Diagnosis): Promise<string> {
  const file = path.join(folder, RUN_FILES.diagnosis);
  await writeFileAtomic(file, `${metricsJson(diagnosis, 1)}\n`);
  return file;
}
