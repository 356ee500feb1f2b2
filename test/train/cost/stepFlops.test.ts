import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as tf from "../../../src/engine/tf.js";
import { gridOf, PromptsConfig } from "../../../src/model/config.js";
import { LiqeModel } from "../../../src/model/liqe.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import { isVision } from "../../../src/model/parameters/parameters.js";
import { imageLogits } from "../../../src/model/scorer.js";
import { stepFlops } from "../../../src/train/cost/stepFlops.js";
import { cachedGradients, type LossHead } from "../../../src/train/gradientCache.js";
import { TOY_ARCHITECTURE } from "../../support/runs.js";

const GRID = gridOf(PromptsConfig.parse({ template: "{quality} {scene}", scenes: ["animal", "night"] }));
const IMAGES = 2;
const CROPS = 4;

let counted = 0;
let original: tf.KernelConfig | undefined;

/** Counts what the engine is really asked to multiply. */
beforeAll(() => {
  const backend = tf.getBackend();
  original = tf.getKernel("BatchMatMul", backend);
  tf.unregisterKernel("BatchMatMul", backend);
  tf.registerKernel({
    ...original,
    kernelFunc: (params) => {
      const { a, b } = params.inputs as { a: tf.Tensor; b: tf.Tensor }; // BatchMatMul's
      const { transposeA, transposeB } = params.attrs as { transposeA: boolean; transposeB: boolean };
      const inner = a.shape.at(transposeA ? -2 : -1) ?? NaN;
      const cols = b.shape.at(transposeB ? -2 : -1) ?? NaN;
      counted += 2 * a.size * cols; // a holds [stack, rows, inner]
      expect(b.shape.at(transposeB ? -1 : -2)).toBe(inner);
      return original?.kernelFunc(params) ?? [];
    },
  });
});

afterAll(() => {
  if (original === undefined) return;
  tf.unregisterKernel("BatchMatMul", original.backendName);
  tf.registerKernel(original);
});

/** What the gradient of a batch costs, as the engine sees it. */
async function measured(model: LiqeModel, microBatch: number, freeze: readonly string[]): Promise<number> {
  const trained = [...model.parameters.variables.keys()].filter(
    (name) => name !== "logit_scale" && !freeze.includes(isVision(name) ? "vision" : "text"),
  );
  model.promptFeatures(); // a frozen text tower has encoded its prompts before the step
  counted = 0;
  const head: LossHead = {
    name: "sum",
    inputs: [],
    loss: ({ crops, text }) => ({ value: tf.sum(imageLogits(crops, text, IMAGES, 1)), aux: tf.tensor1d([]) }),
  };
  const batch = Array.from({ length: CROPS / microBatch }, () => ({
    patches: model.patches(new Uint8Array(microBatch * model.cropSize)),
    crops: microBatch,
  }));
  const { measured: read, gradients } = await cachedGradients({ model, trained }, batch, head);
  tf.dispose([read, ...gradients.values(), ...batch.map(({ patches }) => patches)]);
  return counted;
}

describe("stepFlops", () => {
  const stem = [
    { stride: 8, width: 6 },
    { stride: 4, width: 16 },
  ];
  const architectures = {
    "CLIP's patches": TOY_ARCHITECTURE,
    "a stem": { ...TOY_ARCHITECTURE, vision: { ...TOY_ARCHITECTURE.vision, stem } },
  };
  const cases = Object.keys(architectures).flatMap((name) =>
    [CROPS, 2].flatMap((microBatch) =>
      ([[], ["text"], ["vision"]] as const).map((freeze) => [name, microBatch, freeze] as const),
    ),
  );

  it.each(cases)("is every product of the step: %s, %i crops at once, frozen %j", async (name, microBatch, freeze) => {
    const architecture = architectures[name as keyof typeof architectures]; // one of its own keys
    const model = new LiqeModel(initialParameters(architecture, 1), GRID);
    const network = { architecture, tree: model.promptTree };
    const { total, images, prompts, logits } = stepFlops(network, {
      images: IMAGES,
      crops: CROPS,
      microBatch,
      freeze,
    });
    expect(total).toBe(images + prompts + logits);
    expect(await measured(model, microBatch, freeze)).toBe(total);
    model.dispose();
  });

  it.each(["lora", "norms", "prompts"] as const)(
    "counts two passes in place of three where matrices get no gradient: %s",
    (tune) => {
      const model = new LiqeModel(initialParameters(TOY_ARCHITECTURE, 1), GRID);
      const network = { architecture: TOY_ARCHITECTURE, tree: model.promptTree };
      const step = { images: IMAGES, crops: CROPS, microBatch: CROPS, freeze: [] };
      const [all, some] = [stepFlops(network, step), stepFlops(network, { ...step, tune })];
      expect([3 * some.images, 3 * some.prompts, some.logits]).toEqual([2 * all.images, 2 * all.prompts, all.logits]);
      model.dispose();
    },
  );
});
