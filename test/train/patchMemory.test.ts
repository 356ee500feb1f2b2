import { expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import { LossesConfig } from "../../src/losses/config.js";
import { batchTargets } from "../../src/losses/targets.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { AdamW } from "../../src/train/optimizer/adamw.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { TOY_ARCHITECTURE } from "../support/runs.js";
import { stepOn } from "../support/steps.js";

const STEPS = 3;
const CROPS = 3;
const SCORES = Float32Array.of(1, 3, 2);

/** The losses of steps whose crops all differ, and the floats that the last one left behind. */
async function lossesOf(microBatch: number, memory: (crops: number) => Float32Array | undefined) {
  const model = new LiqeModel(initialParameters(TOY_ARCHITECTURE, 5), promptGrid("a photo with {quality} quality"));
  const trained = [...model.parameters.variables.keys()].filter((name) => name !== "logit_scale");
  const variables = new Map([...model.parameters.variables].filter(([name]) => trained.includes(name)));
  const optimizer = new AdamW(variables, { weightDecay: 0.1 });
  const labels = {
    databases: [{ name: "a", images: CROPS }],
    mos: SCORES,
    mosStd: [null, null, null],
    scenes: new Float32Array(),
    distortions: Int32Array.of(-1, -1, -1),
  };
  const targets = batchTargets(labels, model.grid.axes, LossesConfig.parse({}));
  const patchMemory = memory(CROPS * model.cropSize);
  const logitScale = model.logitScale();
  const trainer = { model, optimizer, trained, logitScale, clipNorm: null, microBatch, patchMemory };
  const random = seededRandom(1, "pixels");
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const pixels = Uint8Array.from({ length: CROPS * model.cropSize }, () => random.integer(256));
    const taskWeights = { values: { quality: 1 }, gradients: "ignored" } as const;
    losses.push((await stepOn(trainer, { pixels, targets, taskWeights, learningRate: 0.01 })).loss);
  }
  optimizer.dispose();
  model.dispose();
  return { losses, patchMemory };
}

describeOnEachEngine("trainStep with memory of its own for patches", () => {
  it.each([CROPS, 2, 1])("takes the same steps as with new memory, %i crops at once", async (microBatch) => {
    const { losses, patchMemory } = await lossesOf(microBatch, (length) => new Float32Array(length));
    expect(losses).toEqual((await lossesOf(microBatch, () => undefined)).losses);
    expect(new Set(losses).size).toBe(STEPS);
    expect(patchMemory?.every((value) => value === 0)).toBe(false); // it was used
  });
});
