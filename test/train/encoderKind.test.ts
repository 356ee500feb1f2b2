import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openWeights } from "../../src/api/openModel.js";
import type { Architecture } from "../../src/model/architecture/architecture.js";
import { inspectWeights } from "../../src/model/weights/inspectWeights.js";
import { trainSplit } from "../../src/train/run.js";
import { stopWhen, temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyPlan } from "../support/runs.js";

const root = await toyDatabase();

/** The toy with what its weights' shapes do not tell. */
const OTHER: Architecture = {
  ...TOY_ARCHITECTURE,
  vision: { ...TOY_ARCHITECTURE.vision, heads: 2, activation: "gelu" },
  text: { ...TOY_ARCHITECTURE.text, heads: 4, activation: "gelu" },
};

/** Trains two epochs from the same weights, stopped after some steps and taken up again. */
async function trained(architecture: Architecture, stops: readonly number[] = []) {
  const plan = { ...(await toyPlan(root, temporaryFolder(), { epochs: 2, saveEverySteps: 2 })), architecture };
  for (const stop of [...stops, Infinity]) {
    let taken = 0;
    const validate = () => Promise.resolve(null);
    await trainSplit(plan, { validate, signal: stopWhen(() => ++taken >= stop) });
  }
  return join(plan.folder, "last");
}

const hashOf = (checkpoint: string) =>
  createHash("sha256")
    .update(readFileSync(join(checkpoint, "model.safetensors")))
    .digest("hex");

describe("a run with GELU and other heads", () => {
  it("resumes to the undisturbed run's weights, which are not those of OpenAI's kind", async () => {
    const whole = await trained(OTHER);
    expect(hashOf(await trained(OTHER, [1, 3]))).toBe(hashOf(whole));
    expect(hashOf(await trained(TOY_ARCHITECTURE))).not.toBe(hashOf(whole));
  });

  it("leaves checkpoints that say what they are, and are refused for what they are not", async () => {
    const checkpoint = await trained(OTHER);
    const { architecture, assumed } = await openWeights(checkpoint);
    expect({ architecture, assumed }).toEqual({ architecture: OTHER, assumed: [] });
    const report = await inspectWeights(join(checkpoint, "model.safetensors"));
    expect(report.architecture).toMatchObject(OTHER);
    expect(report.assumed).toEqual([]);
    await expect(openWeights(checkpoint, { kind: { text: { activation: "quick-gelu" } } })).rejects.toThrow(
      "text.activation is quick-gelu by what was asked for (--heads, --activation, model.architecture), but gelu by",
    );
  });
});
