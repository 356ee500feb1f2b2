import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import * as tf from "../../src/engine/tf.js";
import type { Architecture } from "../../src/model/architecture/architecture.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { PUBLISHED_LABELS } from "../../src/model/prompts/labels.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { imageLogits } from "../../src/model/scorer.js";
import { cachedGradients, type Gradients, type LossHead, type Recompute } from "../../src/train/gradientCache.js";
import { globalNorm } from "../../src/train/gradientCache.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { TOY_ARCHITECTURE } from "../support/runs.js";
import { relativeError } from "../support/tensors.js";

/** Blocks enough that some are in the middle. */
const ARCHITECTURE: Architecture = {
  vision: { ...TOY_ARCHITECTURE.vision, layers: 3 },
  text: { ...TOY_ARCHITECTURE.text, layers: 3 },
  embedding: TOY_ARCHITECTURE.embedding,
};
const CROPS = 4;

/** Of cached gradients: sums over crops in another order. */
const NORM = { rtol: 1e-5, atol: 0 };
const CACHED = 1e-4;

describeOnEachEngine("lossGradients with recomputed towers", () => {
  let model: LiqeModel;
  let trained: string[];
  beforeAll(() => {
    const grid = promptGrid("a photo with {distortion} artifacts, which is of {quality} quality", PUBLISHED_LABELS);
    model = new LiqeModel(initialParameters(ARCHITECTURE, 3), grid);
    trained = [...model.parameters.variables.keys()].filter((name) => name !== "logit_scale");
  });
  afterAll(() => {
    model.dispose();
  });

  /** Bits that depend on every crop's feature and on every prompt's. */
  const squares: LossHead = {
    name: "squares",
    inputs: [],
    loss: ({ crops, text }) => ({ value: tf.sum(tf.square(imageLogits(crops, text, 2, 20))), aux: tf.tensor1d([]) }),
  };

  async function gradients(recompute: Recompute, microBatch = CROPS, loss = squares): Promise<Gradients> {
    const random = seededRandom(1, "pixels");
    const pieces = Array.from({ length: CROPS / microBatch }, () => {
      const pixels = Uint8Array.from({ length: microBatch * model.cropSize }, () => random.integer(256));
      return { patches: model.patches(pixels), crops: microBatch };
    });
    try {
      const { measured, gradients: found } = await cachedGradients({ model, trained, recompute }, pieces, loss);
      measured.dispose();
      return found;
    } finally {
      tf.dispose(pieces.map(({ patches }) => patches));
    }
  }

  const values = (found: Gradients) => [...found].map(([name, gradient]) => [name, gradient.dataSync()] as const);

  it.each(["text", "always"] as const)("changes no gradient by a bit: %s", async (recompute) => {
    for (const microBatch of [CROPS, 2]) {
      const found = values(await gradients(recompute, microBatch));
      expect(found).toEqual(values(await gradients("never", microBatch)));
    }
  });

  it.each(["never", "text", "always"] as const)(
    "is the whole step's gradient in single crops, too: %s",
    async (recompute) => {
      const whole = await gradients("never");
      const pieces = await gradients(recompute, 1);
      const normOf = (found: Gradients) => globalNorm([...found.values()]);
      expect(normOf(pieces)).toBeAllClose(normOf(whole).dataSync(), NORM);
      for (const [name, expected] of values(whole)) {
        if (name.endsWith("attn.in_proj_bias")) continue; // its key third is rounding alone
        expect(relativeError(pieces.get(name)?.dataSync() ?? [], expected), name).toBeLessThan(CACHED);
      }
    },
  );

  it.each(["never", "text", "always"] as const)("leaves nothing behind: %s", async (recompute) => {
    for (const microBatch of [CROPS, 2]) {
      const before = tf.memory().numTensors;
      tf.dispose([...(await gradients(recompute, microBatch)).values()]);
      expect(tf.memory().numTensors).toBe(before);
      const loss: LossHead["loss"] = ({ crops }) => {
        tf.square(crops);
        throw new Error("no memory");
      };
      await expect(gradients(recompute, microBatch, { ...squares, loss })).rejects.toThrow("no memory");
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it("frees the prompts' features that a validation left, which the step makes old", async () => {
    const before = tf.memory().numTensors;
    model.promptFeatures();
    tf.dispose([...(await gradients("never")).values()]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
