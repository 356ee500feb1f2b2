import { describe, expect, it } from "vitest";
import { presetArchitecture } from "../../src/model/presets.js";
import { bytesPerCrop, chooseMicroBatch } from "../../src/train/microBatch.js";

const AUTO = { microBatch: "auto", memoryBudgetGB: "auto" } as const;
const BASE = presetArchitecture("vit-b-32");

describe("chooseMicroBatch", () => {
  it("takes all crops of a step where they fit, and no more", () => {
    expect(chooseMicroBatch(AUTO, BASE, 36, 24e9)).toEqual({ microBatch: 36, memoryBudgetGB: 12 });
  });

  it("takes as many as fit the budget, and at least one", () => {
    const { microBatch } = chooseMicroBatch({ ...AUTO, memoryBudgetGB: 2 }, BASE, 144, 24e9);
    expect(microBatch * bytesPerCrop(BASE)).toBeLessThanOrEqual(2e9);
    expect((microBatch + 1) * bytesPerCrop(BASE)).toBeGreaterThan(2e9);
    expect(chooseMicroBatch({ ...AUTO, memoryBudgetGB: 0.001 }, BASE, 144, 24e9).microBatch).toBe(1);
  });

  it("keeps a number that was given", () => {
    expect(chooseMicroBatch({ ...AUTO, microBatch: 7 }, BASE, 144, 1).microBatch).toBe(7);
  });
});

describe("bytesPerCrop", () => {
  it("comes near the 7.9 GB that 36 crops of ViT-B/32 were measured to take", () => {
    expect((36 * bytesPerCrop(BASE)) / 7.9e9).toBeCloseTo(1, 1);
  });
});
