import * as tf from "../../src/engine/tf.js";
import { patchBatches } from "../../src/model/vision/patches.js";
import { type StepContext, type StepInput, type StepResult, trainStep } from "../../src/train/step.js";

/** A step's context, and how its crops are cut into micro-batches. */
export interface SteppedContext extends StepContext {
  readonly microBatch: number;
  readonly patchMemory?: Float32Array | undefined;
}

/** One training step on pixels, as `Trainer` takes it: their patches live as long as the step. */
export async function stepOn(
  { microBatch, patchMemory, ...context }: SteppedContext,
  { pixels, ...input }: Omit<StepInput, "crops"> & { readonly pixels: Uint8Array },
): Promise<StepResult> {
  const settings = { size: microBatch, memory: patchMemory };
  const crops = patchBatches(pixels, context.model.architecture.vision, settings);
  try {
    return await trainStep(context, { ...input, crops });
  } finally {
    tf.dispose(crops.map(({ patches }) => patches));
  }
}
