import { describe, expect, it, vi } from "vitest";
import * as tf from "../../src/engine/tf.js";
import { AdamW } from "../../src/train/optimizer/adamw.js";
import { Trainer } from "../../src/train/trainer.js";
import type { TrainingLogs } from "../../src/train/logs/runLogs.js";
import { RUN_START } from "../../src/train/progress.js";
import { temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const nothing = () => Promise.resolve();
const SILENT_LOGS: TrainingLogs = {
  ...{ bytes: { metrics: 0, events: 0 }, firstBatch: nothing, step: nothing, skipped: nothing },
  ...{ diagnosis: () => Promise.resolve(null), epoch: nothing, sync: nothing, close: nothing },
};

describe("Trainer.step", () => {
  it("lets signals and readers have their turn after the step's computing, before it is over", async () => {
    const plan = await toyPlan(await toyDatabase(), temporaryFolder(), {});
    const events: string[] = [];
    const logs = { ...SILENT_LOGS, step: () => Promise.resolve(void events.push("logged")) };
    const trainer = await Trainer.open(plan, {
      checkpoint: null,
      seen: null,
      validate: () => Promise.resolve(null),
      logs,
    });
    const apply = vi.spyOn(AdamW.prototype, "apply").mockImplementation(() => {
      events.push("computed");
      setImmediate(() => events.push("another's turn"));
    });
    try {
      const weights = { values: { quality: 1, distortion: 1 }, gradients: "ignored" } as const;
      await trainer.step({ position: { epoch: 0, step: 0 }, weights, learningRate: 1e-3, maySkip: false });
      expect(events).toEqual(["computed", "another's turn", "logged"]);
    } finally {
      apply.mockRestore();
      await trainer.close();
    }
  });
});

describe("Trainer.checkpoint", () => {
  it.each([{ emaDecay: null }, { emaDecay: 0.9 }])(
    "reads no tensor from the device before its values are asked for ($emaDecay)",
    async ({ emaDecay }) => {
      const plan = await toyPlan(await toyDatabase(), temporaryFolder(), { emaDecay });
      const trainer = await Trainer.open(plan, {
        checkpoint: null,
        seen: null,
        validate: () => Promise.resolve(null),
        logs: SILENT_LOGS,
      });
      const reads = vi.spyOn(tf.backend(), "readSync");
      try {
        const { weights, raw, optimizer } = await trainer.checkpoint(RUN_START);
        expect(reads).not.toHaveBeenCalled();
        const groups = [weights, raw ?? new Map<string, never>(), optimizer ?? new Map<string, never>()];
        const arrays = groups.flatMap((group) => [...group]);
        arrays.forEach(([name, { shape, values }]) => {
          expect(values.length, name).toBe(shape.reduce((product, size) => product * size, 1));
        });
        expect(reads).toHaveBeenCalledTimes(arrays.length - 1); // the token table before training is on the host
      } finally {
        reads.mockRestore();
        await trainer.close();
      }
    },
  );
});
