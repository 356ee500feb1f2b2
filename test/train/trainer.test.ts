import { describe, expect, it, vi } from "vitest";
import { AdamW } from "../../src/train/optimizer/adamw.js";
import { Trainer } from "../../src/train/trainer.js";
import type { TrainingLogs } from "../../src/train/logs/runLogs.js";
import { temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const nothing = () => Promise.resolve();
const SILENT_LOGS: TrainingLogs = {
  ...{ bytes: { metrics: 0, events: 0 }, step: nothing, skipped: nothing },
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
