import { describe, expect, it, vi } from "vitest";
import { disposeTargets } from "../../src/losses/targets.js";
import { globalNorm } from "../../src/train/gradientCache.js";
import { CROPS, EVEN_WEIGHTS, goldenModel, goldenPixels, goldenTargets, goldenTrainer } from "../support/goldenStep.js";
import { stepOn } from "../support/steps.js";

/** One step of the reference with this limit: the norm that it reports, and that of what the optimizer was given. */
async function normsOf(clipNorm: number | null): Promise<{ reported: number; applied: number }> {
  const model = await goldenModel();
  const trainer = { ...goldenTrainer(model, CROPS), clipNorm };
  let applied = NaN;
  vi.spyOn(trainer.optimizer, "apply").mockImplementation((gradients, _, factor = NaN) => {
    applied = (globalNorm([...gradients.values()]).dataSync()[0] ?? NaN) * factor;
  });
  const targets = goldenTargets(model);
  const input = { pixels: goldenPixels(), targets, taskWeights: EVEN_WEIGHTS, learningRate: 1e-3 };
  const { gradientNorm: reported } = await stepOn(trainer, input);
  disposeTargets(targets);
  trainer.optimizer.dispose();
  model.dispose();
  return { reported, applied };
}

describe("trainStep with clipNorm", () => {
  it("gives the optimizer gradients of at most that norm, and reports the norm before clipping", async () => {
    const { reported, applied } = await normsOf(null);
    expect([applied]).toBeAllClose([reported]);
    const limit = reported / 4;
    const clipped = await normsOf(limit);
    expect([clipped.reported, clipped.applied]).toBeAllClose([reported, limit]);
    const wide = await normsOf(2 * reported);
    expect([wide.reported, wide.applied]).toBeAllClose([reported, reported]);
  });
});
