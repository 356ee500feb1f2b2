import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import * as tf from "../../src/engine/tf.js";
import { LiqeModel } from "../../src/model/liqe.js";
import {
  adapterShapes,
  fromPeftName,
  initialAdapters,
  isAdapter,
  mergeAdapters,
  peftName,
} from "../../src/model/parameters/lora.js";
import type { NamedArrays } from "../../src/model/parameters/parameters.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { golden, goldenTensor, goldenWeights } from "../support/golden.js";
import { startTestEngine } from "../support/testEngine.js";
import { relativeError } from "../support/tensors.js";

await startTestEngine();

const { parameters } = await loadParameters(goldenWeights("weights-hf.safetensors"));
const SHAPES = new Map([...parameters].map(([name, { shape }]) => [name, shape]));
const RANK = 3;
const ALPHA = 12;
const adapters = adapterShapes(SHAPES, RANK, () => true);

/** Adapters that change something: both matrices at random. */
function randomAdapters(): NamedArrays {
  const random = seededRandom(3);
  return new Map(
    [...adapters].map(([name, shape]) => {
      const size = shape.reduce((product, axis) => product * axis, 1);
      return [name, { shape, values: Float32Array.from({ length: size }, () => 0.05 * random.normal()) }];
    }),
  );
}

const { inputs } = golden();
const PIXELS = Uint8Array.from(goldenTensor(inputs, "pixels").values.subarray(0, 3 * 224 * 224 * 3));

/** Features of crops and prompts, on the host. */
function featuresOf(weights: NamedArrays) {
  const model = new LiqeModel(weights, promptGrid(), { loraAlpha: ALPHA });
  const patches = model.patches(PIXELS);
  const all = {
    plain: [...model.encodeImages(patches, 3).dataSync()],
    folded: [...model.imageFeatures(PIXELS).dataSync()],
    prompts: [...model.promptFeatures().dataSync()],
  };
  patches.dispose();
  model.dispose();
  return all;
}

describe("adapters", () => {
  it("have the shapes and names of PEFT's, for each linear map of a block, and back", () => {
    const blocks = new Set([...adapters.keys()].map((name) => /^.*?resblocks\.\d+/.exec(name)?.[0])).size;
    expect(adapters.size).toBe(2 * 6 * blocks);
    const width = SHAPES.get("visual.ln_post.weight")?.[0];
    const query = "visual.transformer.resblocks.0.self_attn.q_proj.lora_B.weight";
    expect(adapters.get(query)).toEqual([width, RANK]);
    expect(peftName(query)).toBe("base_model.model.vision_model.encoder.layers.0.self_attn.q_proj.lora_B.weight");
    for (const name of adapters.keys()) {
      expect(isAdapter(name)).toBe(true);
      expect(fromPeftName(peftName(name))).toBe(name);
    }
    expect(fromPeftName("base_model.model.vision_model.encoder.layers.0.self_attn.q_proj.weight")).toBeNull();
    expect(isAdapter("visual.transformer.resblocks.0.attn.in_proj_weight")).toBe(false);
  });

  it("are made for what is chosen alone", () => {
    const chosen = adapterShapes(SHAPES, 2, (name, part) => part === "feed-forward" && name.startsWith("visual."));
    expect([...chosen.keys()].every((name) => /^visual\..*\.mlp\.fc[12]\.lora/.test(name))).toBe(true);
    expect(chosen.size).toBeGreaterThan(0);
  });

  it("change nothing at first, and are another start with another seed", () => {
    const first = initialAdapters(adapters, 1);
    expect(initialAdapters(adapters, 1)).toEqual(first);
    expect(initialAdapters(adapters, 2)).not.toEqual(first);
    expect(featuresOf(new Map([...parameters, ...first]))).toEqual(featuresOf(parameters));
  });

  it("have the features of the weights that they are merged into", () => {
    const adapted = new Map([...parameters, ...randomAdapters()]);
    const merged = mergeAdapters(adapted, ALPHA);
    expect([...merged.keys()].some(isAdapter)).toBe(false);
    const [ours, wanted] = [featuresOf(adapted), featuresOf(merged)];
    const before = featuresOf(parameters);
    for (const kind of ["plain", "folded", "prompts"] as const) {
      expect(relativeError(ours[kind], wanted[kind])).toBeLessThan(1e-5);
      expect(relativeError(before[kind], wanted[kind])).toBeGreaterThan(1e-2);
    }
  });

  it.each(["q_proj", "k_proj", "v_proj"])("%s of PEFT's changes the rows of its own map alone", (map) => {
    const block = "visual.transformer.resblocks.0";
    const only = new Map([...randomAdapters()].filter(([name]) => name.startsWith(`${block}.self_attn.${map}`)));
    const zeros = new Map([...adapters].filter(([name]) => !only.has(name)).map(([name, shape]) => [name, { shape, values: new Float32Array(shape.reduce((product, axis) => product * axis, 1)) }])); // prettier-ignore
    const weight = `${block}.attn.in_proj_weight`;
    const [before, after] = [parameters, mergeAdapters(new Map([...parameters, ...zeros, ...only]), ALPHA)].map((all) => all.get(weight)); // prettier-ignore
    const third = (before?.values.length ?? 0) / 3;
    const changed = [0, 1, 2].map(
      (part) =>
      (before?.values ?? []).slice(part * third, (part + 1) * third).some((value, i) => value !== after?.values[part * third + i]), // prettier-ignore
    );
    expect(changed).toEqual(["q_proj", "k_proj", "v_proj"].map((name) => name === map));
  });

  it("leave no tensor behind", () => {
    const before = tf.memory().numTensors;
    featuresOf(new Map([...parameters, ...randomAdapters()]));
    expect(tf.memory().numTensors - before).toBe(2); // encodeImages' and imageFeatures' results, given to the test
  });
});
