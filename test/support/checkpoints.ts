import { PUBLISHED_LABELS } from "../../src/model/prompts/labels.js";
import type { Checkpoint, TrainingState } from "../../src/train/checkpoint/checkpoint.js";
import { RUN_START } from "../../src/train/progress.js";

/** A checkpoint of a few numbers, after so many optimizer steps. */
export function checkpointAfter(optimizerSteps: number): Checkpoint {
  const values = Float32Array.from({ length: 6 }, (_, i) => optimizerSteps + i / 7);
  return {
    adapter: null,
    weights: new Map([["weight", { shape: [2, 3], values }]]),
    kind: { vision: { heads: 2, activation: "gelu" }, text: { heads: 1, activation: "quick-gelu" } },
    raw: null,
    optimizer: new Map([["weight.first", { shape: [6], values }]]),
    state: {
      format: 1,
      packageVersion: "0.0.0",
      seed: 1,
      split: 1,
      config: {},
      template: "a photo with {quality} quality",
      labels: structuredClone(PUBLISHED_LABELS) as unknown as TrainingState["labels"], // arrays of strings either way
      progress: structuredClone(RUN_START) as unknown as TrainingState["progress"], // plain data, by its definition
      optimizerSteps,
      untouchedDecay: 1,
      averageUntouchedDecay: null,
      logBytes: { metrics: 0, events: 0 },
      engine: { backend: "native", threads: 2 },
      trainingLists: ["/data/train.txt"],
    },
    seen: { format: 1, training: [{ path: "toys/a.png", sha256: "0".repeat(64) }], validation: [] },
  };
}
