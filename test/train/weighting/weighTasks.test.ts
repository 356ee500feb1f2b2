import { describe, expect, it } from "vitest";
import * as tf from "../../../src/engine/tf.js";
import { LossesConfig } from "../../../src/losses/config.js";
import { taskLoss } from "../../../src/losses/multitaskLoss.js";
import { batchTargets, disposeTargets } from "../../../src/losses/targets.js";
import { LiqeModel } from "../../../src/model/liqe.js";
import { isVision } from "../../../src/model/parameters/parameters.js";
import { promptGrid, TASKS } from "../../../src/model/prompts/promptGrid.js";
import { imageLogits } from "../../../src/model/scorer.js";
import { loadParameters } from "../../../src/model/weights/loadParameters.js";
import { AdamW } from "../../../src/train/optimizer/adamw.js";
import { RUN_START } from "../../../src/train/progress.js";
import type { StepResult } from "../../../src/train/step.js";
import { stepWeights, type StepWeights } from "../../../src/train/weighting/taskWeights.js";
import { golden, goldenTensor, goldenWeights } from "../../support/golden.js";
import { stepOn } from "../../support/steps.js";

const { inputs, meta } = golden();
const input = (name: string) => goldenTensor(inputs, name);
const CROPS = 21;
const IMAGES = 7;

/** Products of gradients in float32, against sums in another order. */
const PRODUCTS = { rtol: 1e-3, atol: 1e-7 };

async function goldenModel(): Promise<LiqeModel> {
  return new LiqeModel((await loadParameters(goldenWeights("weights-hf.safetensors"))).parameters, promptGrid());
}

const trainedNames = (model: LiqeModel) =>
  [...model.parameters.variables.keys()].filter((name) => name !== "logit_scale");

function targetsOf(model: LiqeModel) {
  const labels = {
    mos: Float32Array.from(input("mos").values),
    mosStd: [...input("mos_std").values],
    scenes: Float32Array.from(input("scene").values),
    distortions: Int32Array.from(input("distortion").values),
    databases: meta.images_per_database.map((images, i) => ({ name: `database ${i}`, images })),
  };
  return batchTargets(labels, model.grid.axes, LossesConfig.parse({}));
}

/** Features without the last division by their length: a gradient by them has no part along the feature by itself. */
function slowProducts(model: LiqeModel, crops: tf.Tensor2D, text: tf.Tensor2D): number[] {
  const unit = (x: tf.Tensor) => tf.div<tf.Tensor2D>(x, tf.norm(x, "euclidean", 1, true));
  const targets = targetsOf(model);
  const gradients = TASKS.map((task) => {
    const loss = (c: tf.Tensor, t: tf.Tensor) =>
      taskLoss(imageLogits(unit(c), unit(t), IMAGES, model.logitScale()), targets, task);
    const parts = tf
      .grads(loss)([crops, text])
      .map((gradient) => Array.from(gradient.dataSync()));
    return parts.flat();
  });
  return gradients.flatMap((a) => gradients.map((b) => a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0)));
}

describe("weighTasks", () => {
  it("measures the gradients by features as if these were not brought to unit length yet", async () => {
    const { result } = await stepWith(COSINE, CROPS);
    const model = await goldenModel();
    const pixels = Uint8Array.from(input("pixels").values);
    const [crops, text] = [model.encodeImages(model.patches(pixels), CROPS), model.encodePrompts()];
    expect(result.gradients?.tasks).toEqual(TASKS);
    expect(valuesOf(result)).toBeAllClose(slowProducts(model, crops, text), PRODUCTS);
    model.dispose();
  });
});

/** One step from the reference's weights; gives the vision tower's first parameter afterwards too. */
async function stepWith(taskWeights: StepWeights, microBatch: number, trained: (name: string) => boolean = () => true) {
  const model = await goldenModel();
  const names = trainedNames(model).filter(trained);
  const optimizer = new AdamW(new Map([...model.parameters.variables].filter(([name]) => names.includes(name))), {
    weightDecay: 0.05,
  });
  const trainer = { model, optimizer, trained: names, logitScale: model.logitScale(), clipNorm: null, microBatch };
  const pixels = Uint8Array.from(input("pixels").values);
  const before = tf.memory().numTensors;
  const targets = targetsOf(model);
  const result = await stepOn(trainer, { pixels, targets, taskWeights, learningRate: 1e-3 });
  disposeTargets(targets);
  const left = tf.memory().numTensors - before;
  const after = names.flatMap((name) => Array.from(model.parameters.variables.get(name)?.dataSync() ?? []));
  optimizer.dispose();
  model.dispose();
  return { result, left, after };
}

const valuesOf = ({ gradients }: StepResult) => gradients?.values.flat() ?? [];
const COSINE = stepWeights(LossesConfig.parse({ weighting: "gradient-cosine" }), TASKS, {
  history: RUN_START.history,
  weighting: null,
});

describe("trainStep with weights that depend on the tasks' gradients", () => {
  it.each([CROPS, 8])(
    "does, bit for bit, what the same weights as numbers do, %i crops at once",
    async (microBatch) => {
      const { result, left, after } = await stepWith(COSINE, microBatch);
      expect(left).toBe(0);
      expect(result.weights.quality).toBe(1);
      const numbers = await stepWith({ values: result.weights, gradients: "ignored" }, microBatch);
      expect(numbers.after).toEqual(after);
      expect(numbers.result).toEqual({ ...result, gradients: null });
    },
  );

  it("measures the same gradients in pieces, and others where a tower is frozen", async () => {
    const whole = await stepWith(COSINE, CROPS);
    const pieces = await stepWith(COSINE, 8);
    expect(valuesOf(pieces.result)).toBeAllClose(valuesOf(whole.result), PRODUCTS);
    for (const microBatch of [CROPS, 8]) {
      const vision = await stepWith(COSINE, microBatch, isVision);
      const text = await stepWith(COSINE, microBatch, (name) => !isVision(name));
      const sum = valuesOf(vision.result).map((value, i) => value + (valuesOf(text.result)[i] ?? NaN));
      expect(sum).toBeAllClose(valuesOf(whole.result), PRODUCTS); // of two parts of one vector
      expect([vision.left, text.left]).toEqual([1, 0]); // the model keeps a frozen tower's prompts
    }
  });

  it("stops, with the weights as they were, where a weight is not a number", async () => {
    const values = { quality: NaN, scene: 1, distortion: 1 };
    await expect(stepWith({ values, gradients: "measured" }, CROPS)).rejects.toThrow("loss is NaN");
  });
});
