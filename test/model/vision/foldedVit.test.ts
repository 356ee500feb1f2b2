import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { canCompile } from "../../../src/engine/compile/binding.js";
import { allowsUnits } from "../../../src/engine/precision.js";
import * as tf from "../../../src/engine/tf.js";
import type { Architecture } from "../../../src/model/architecture/architecture.js";
import { gridOf, PromptsConfig } from "../../../src/model/config.js";
import { LiqeModel } from "../../../src/model/liqe.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import type { NamedArray } from "../../../src/model/parameters/parameters.js";
import { TOY_ARCHITECTURE } from "../../support/runs.js";
import { startTestEngine } from "../../support/testEngine.js";
import { expectTensorsKept } from "../../support/tensors.js";

await startTestEngine(); // `canCompile` is asked while this file is being read

/** The last block is folded in another way than those before it. */
const VISION = { ...TOY_ARCHITECTURE.vision, layers: 2, heads: 2 };
const STEM = [
  { stride: 8, width: 6 },
  { stride: 4, width: VISION.width },
];
const ARCHITECTURES = {
  "one patch": { ...TOY_ARCHITECTURE, vision: VISION },
  "a hierarchy of patches": { ...TOY_ARCHITECTURE, vision: { ...VISION, stem: STEM } },
  "GELU and a narrower feed-forward part": {
    ...TOY_ARCHITECTURE,
    vision: { ...VISION, activation: "gelu", mlpWidth: 40 },
  },
  "GELU's form by tanh": { ...TOY_ARCHITECTURE, vision: { ...VISION, activation: "gelu-tanh" } },
} as const;
const CROPS = 3;
const GRID = gridOf(PromptsConfig.parse({ template: "{quality} {scene}", scenes: ["animal", "night"] }));

/** Products and sums in another order, in float32, of unit rows. */
const FEATURES = { rtol: 0, atol: 2e-6 };
/** The same, of products of 8 bits. */
const HALF = { rtol: 0, atol: 5e-2 };

/** Weights of which none is 0 or 1, and none has mean 0: what is folded wrongly shows. */
function weightsOf(architecture: Architecture): Map<string, NamedArray> {
  const random = seededRandom(1, "weights");
  const moved = ({ shape, values }: NamedArray) => ({ shape, values: values.map((v) => v + 0.3 * random.uniform()) });
  return new Map([...initialParameters(architecture, 1)].map(([name, array]) => [name, moved(array)]));
}

function pixelsOf({ cropSize }: LiqeModel): Uint8Array {
  const random = seededRandom(1, "pixels");
  return Uint8Array.from({ length: CROPS * cropSize }, () => random.integer(256));
}

/** The tower as it is trained. */
function unfolded(model: LiqeModel, pixels: Uint8Array): tf.Tensor2D {
  return tf.tidy(() => model.encodeImages(model.patches(pixels), CROPS));
}

describe.each(Object.entries(ARCHITECTURES))("imageFeatures with %s", (_, architecture) => {
  it("gives the features of the tower as it is trained", () => {
    const model = new LiqeModel(weightsOf(architecture), GRID, { architecture });
    const pixels = pixelsOf(model);
    const features = model.imageFeatures(pixels);
    expect(features.shape).toEqual([CROPS, architecture.embedding]);
    expect(features).toBeAllClose(unfolded(model, pixels).dataSync(), FEATURES);
    model.dispose();
  });

  it("follows every weight of the image tower", () => {
    const model = new LiqeModel(weightsOf(architecture), GRID, { architecture });
    const pixels = pixelsOf(model);
    model.imageFeatures(pixels).dispose();
    for (const [name, variable] of model.parameters.variables) {
      if (!name.startsWith("visual.")) continue;
      tf.tidy(() => {
        variable.assign(tf.add(variable, tf.randomUniform(variable.shape, -0.1, 0.1, "float32", 5)));
      });
      const [features, expected] = [model.imageFeatures(pixels), unfolded(model, pixels)];
      expect(features, name).toBeAllClose(expected.dataSync(), FEATURES);
      tf.dispose([features, expected]);
    }
    model.dispose();
  });

  it("gives the same bits later, on another thread, as at once", async () => {
    const model = new LiqeModel(weightsOf(architecture), GRID);
    const pixels = pixelsOf(model);
    const [now, later] = [model.imageFeatures(pixels), await model.imageFeaturesLater(pixels)];
    expect([...later.dataSync()]).toEqual([...now.dataSync()]);
    tf.dispose([now, later]);
    model.dispose();
  });

  it.skipIf(!canCompile() || !allowsUnits(process.env["ONEDNN_MAX_CPU_ISA"]))(
    "comes near with products in bfloat16, which are not float32's",
    () => {
      const model = new LiqeModel(weightsOf(architecture), GRID);
      const half = new LiqeModel(weightsOf(architecture), GRID, { precision: "bfloat16" });
      const pixels = pixelsOf(model);
      const [features, exact] = [half.imageFeatures(pixels), model.imageFeatures(pixels)];
      expect(features).toBeAllClose(exact.dataSync(), HALF);
      expect([...features.dataSync()]).not.toEqual([...exact.dataSync()]);
      tf.dispose([features, exact]);
      half.dispose();
      model.dispose();
    },
  );

  it("keeps its matrices, once, and gives them up", () => {
    const model = new LiqeModel(weightsOf(architecture), GRID, { architecture });
    const pixels = pixelsOf(model);
    const before = tf.memory().numTensors;
    model.imageFeatures(pixels).dispose();
    const folded = tf.memory().numTensors - before;
    expect(folded).toBe(10 * architecture.vision.layers + (architecture.vision.stem === "patch" ? 1 : 0));
    expectTensorsKept(1, () => model.imageFeatures(pixels));
    expectTensorsKept(-folded, () => {
      model.forgetFoldedVision();
    });
    model.dispose();
  });
});
