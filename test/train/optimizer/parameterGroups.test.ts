import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/base/errors.js";
import { PRESETS } from "../../../src/model/architecture/presets.js";
import { isVision } from "../../../src/model/parameters/parameters.js";
import { parameterShapes } from "../../../src/model/parameters/shapes.js";
import { TrainConfig } from "../../../src/train/config.js";
import {
  freezeProblem,
  frozenTowers,
  trainableParameters,
  tunedParameters,
} from "../../../src/train/optimizer/parameterGroups.js";

const NAMES = [...parameterShapes(PRESETS["vit-b-32"]).keys()];
const isText = (name: string) => !isVision(name) && name !== "logit_scale";
const block = (name: string) => Number(/resblocks\.(\d+)\./.exec(name)?.[1] ?? NaN);

/** What the patterns take away from training. */
const frozen = (...patterns: string[]) => {
  const trained = new Set(trainableParameters(NAMES, patterns));
  return NAMES.filter((name) => name !== "logit_scale" && !trained.has(name));
};

describe("trainedParameters", () => {
  it("trains everything but the logit scale where nothing is frozen, in the given order", () => {
    expect(trainableParameters(NAMES, [])).toEqual(NAMES.filter((name) => name !== "logit_scale"));
  });

  it.each([
    ["text", isText],
    ["vision", isVision],
    ["vision.stem", (name: string) => name === "visual.conv1.weight"],
    ["vision.head", (name: string) => /^visual\.(ln_post\.|proj)/.test(name)],
    ["vision.blocks", (name: string) => isVision(name) && block(name) >= 0],
    ["vision.blocks.1", (name: string) => isVision(name) && block(name) === 1], // and not 10 or 11
    ["vision.blocks.0-5", (name: string) => isVision(name) && block(name) <= 5],
    ["vision.blocks.9-11", (name: string) => isVision(name) && block(name) >= 9],
    ["text.blocks.0-3", (name: string) => isText(name) && block(name) <= 3],
    ["text.embeddings", (name: string) => ["token_embedding.weight", "positional_embedding"].includes(name)],
  ])("freezes with %s what it names, and nothing else", (pattern, isNamed) => {
    const named = NAMES.filter(isNamed);
    expect(named.length).toBeGreaterThan(0);
    expect(frozen(pattern)).toEqual(named);
  });

  it("adds patterns up", () => {
    const both = new Set([...frozen("vision.stem"), ...frozen("text.blocks.0-3")]);
    expect(new Set(frozen("vision.stem", "text.blocks.0-3", "text.blocks.2"))).toEqual(both);
  });

  it("names all patterns that do not fit this network", () => {
    const call = () => trainableParameters(NAMES, ["vision.blocks.8-12", "text.blocks.12", "vision.stem"]);
    expect(call).toThrow(ConfigError);
    expect(call).toThrow(
      'train.freeze: "vision.blocks.8-12": this network has vision.blocks.0-11\n' +
        'train.freeze: "text.blocks.12": this network has text.blocks.0-11',
    );
    expect(() => trainableParameters(["visual.proj"], ["vision.blocks"])).toThrow(
      '"vision.blocks": this network has no',
    );
  });

  it("refuses to freeze everything, in whatever words", () => {
    for (const patterns of [
      ["vision", "text"],
      ["vision.stem", "vision.embeddings", "vision.blocks.0-11", "vision.head", "text"],
    ]) {
      expect(() => trainableParameters(NAMES, patterns)).toThrow("leaves nothing to train");
    }
  });
});

describe("TrainConfig.freeze", () => {
  const problems = (freeze: unknown) => TrainConfig.safeParse({ freeze }).error?.issues.map(({ message }) => message);

  it("takes every word of the grammar", () => {
    const words = ["text", "text.head", "vision.stem", "vision.embeddings", "vision.blocks", "vision.blocks.0-5"];
    expect(problems(words)).toBeUndefined();
  });

  it.each([
    "vision.block",
    "vison",
    "text.stem",
    "vision.blocks.5-0",
    "vision.blocks.",
    "vision.stem.0",
    "blocks.1",
    "",
  ])("refuses %j, and says what there is", (pattern) => {
    const [message = ""] = problems([pattern]) ?? [];
    expect(message).toContain(`"${pattern}" names no part of the network`);
    expect(message).toContain("vision.stem, vision.embeddings, vision.blocks, vision.head, text, text.embeddings");
  });

  it("suggests the nearest word", () => {
    expect(problems(["vision.block"])?.[0]).toContain('did you mean "vision.blocks"?');
  });

  it("refuses both towers together before any network is known", () => {
    expect(problems(["text", "vision"])).toEqual(["leaves nothing to train; freeze one tower, or evaluate instead"]);
  });
});

describe("tunedParameters", () => {
  const SHAPES = parameterShapes(PRESETS["vit-tiny"]);
  const tuned = (train: Record<string, unknown>) => tunedParameters(SHAPES, TrainConfig.parse(train));

  it("trains what freeze leaves, by default", () => {
    expect(tuned({ freeze: ["text"] })).toEqual(trainableParameters(SHAPES.keys(), ["text"]));
  });

  it("takes gains, shifts and biases of what freeze leaves alone, those of a stem's norms among them", () => {
    const names = tuned({ tune: "norms", freeze: ["text"] });
    expect(names).toContain("visual.stem.0.norm.weight");
    expect(names).toContain("visual.transformer.resblocks.3.attn.in_proj_bias");
    expect(names.some((name) => /^(transformer|ln_final)/.test(name) || /attn\.\w+weight$/.test(name))).toBe(false);
  });

  it("gives adapters to the blocks and parts that lora names, queries, keys and values apart", () => {
    const lora = { layers: ["vision.blocks.2-3"], parts: ["attention"] };
    const names = tuned({ tune: "lora", lora });
    const maps = ["q_proj", "k_proj", "v_proj", "out_proj"];
    const expected = [2, 3].flatMap((block) =>
      maps.flatMap((map) =>
        ["A", "B"].map((side) => `visual.transformer.resblocks.${block}.self_attn.${map}.lora_${side}.weight`),
      ),
    );
    expect(names).toEqual(expected);
  });

  it("takes a ResNet's batch norms for norms, and refuses adapters in its image tower", () => {
    const shapes = parameterShapes(PRESETS["rn50"]);
    const norms = tunedParameters(shapes, TrainConfig.parse({ tune: "norms", freeze: ["text"] }));
    expect(norms).toContain("visual.bn1.weight");
    expect(norms).toContain("visual.layer1.0.downsample.1.weight");
    expect(norms.some((name) => /conv\d\.weight|running/.test(name))).toBe(false);
    const call = () => tunedParameters(shapes, TrainConfig.parse({ tune: "lora" }));
    expect(call).toThrow('train.lora.layers: "vision.blocks": adapters are for transformers');
    const text = TrainConfig.parse({ tune: "lora", lora: { layers: ["text.blocks"] } });
    expect(tunedParameters(shapes, text)).toHaveLength(12 * 6 * 2);
  });

  it("refuses adapters in blocks that the network does not have, and settings that do not go together", () => {
    const call = () => tuned({ tune: "lora", lora: { layers: ["vision.blocks.2-7"] } });
    expect(call).toThrow('train.lora.layers: "vision.blocks.2-7": this network has vision.blocks.0-3');
    for (const train of [
      { tune: "lora", freeze: ["text"] },
      { lora: { rank: 4 } },
      { tune: "lora", lora: { layers: ["vision.stem"] } },
      { tune: "lora", lora: { layers: [] } },
    ]) {
      expect(TrainConfig.safeParse(train).success).toBe(false);
    }
  });
});

describe("what is said of parts", () => {
  it("is every word that there is, and the nearest", () => {
    const known =
      "(known: vision, vision.stem, vision.embeddings, vision.blocks, vision.head, text, text.embeddings, text.blocks, " +
      "text.head, and blocks by number, such as vision.blocks.3 or text.blocks.0-5)";
    expect(freezeProblem("vision.hed")).toBe(
      `"vision.hed" names no part of the network; did you mean "vision.head"? ${known}`,
    );
    expect(freezeProblem("text.blocks.5-4")).toContain('"text.blocks.5-4" names no part of the network');
    expect(["text.blocks.4-4", "text.blocks.0", "vision"].map(freezeProblem)).toEqual([null, null, null]);
  });

  it("is each problem on a line of its own", () => {
    const freeze = ["text.blocks.12", "vision.hed", "vision.blocks.11"];
    expect(() => trainableParameters(NAMES, freeze)).toThrow(
      new ConfigError(
        `train.freeze: "text.blocks.12": this network has text.blocks.0-11\ntrain.freeze: ${freezeProblem("vision.hed") ?? ""}`,
      ),
    );
    expect(() => trainableParameters(["visual.proj"], ["vision.blocks"])).toThrow(
      new ConfigError('train.freeze: "vision.blocks": this network has no such part'),
    );
    expect(() => trainableParameters(NAMES, ["vision", "text"])).toThrow(
      new ConfigError("train.freeze: [vision, text] leaves nothing to train; name fewer parts, or evaluate instead"),
    );
    const shapes = parameterShapes(PRESETS["rn50"]);
    expect(() => tunedParameters(shapes, TrainConfig.parse({ tune: "lora" }))).toThrow(
      new ConfigError(
        'train.lora.layers: "vision.blocks": adapters are for transformers, and this network has none there; name other ' +
          "blocks, or set train.tune: norms",
      ),
    );
    const lora = { layers: ["vision.blocks.12", "text.blocks.9-12"] };
    expect(() =>
      tunedParameters(parameterShapes(PRESETS["vit-b-32"]), TrainConfig.parse({ tune: "lora", lora })),
    ).toThrow(
      new ConfigError(
        'train.lora.layers: "vision.blocks.12": this network has vision.blocks.0-11\n' +
          'train.lora.layers: "text.blocks.9-12": this network has text.blocks.0-11',
      ),
    );
  });

  it("is which towers nothing is trained of", () => {
    expect(frozenTowers([])).toEqual(["text", "vision"]);
    expect(frozenTowers(["visual.proj"])).toEqual(["text"]);
    expect(frozenTowers(["text_projection"])).toEqual(["vision"]);
    expect(frozenTowers(["visual.proj", "text_projection", "logit_scale"])).toEqual([]);
  });

  it("is one name for what a probe and what prompts learn", () => {
    const shapes = parameterShapes(PRESETS["vit-b-32"]);
    expect(tunedParameters(shapes, TrainConfig.parse({ tune: "probe" }))).toEqual(["prompt_features"]);
    expect(tunedParameters(shapes, TrainConfig.parse({ tune: "prompts" }))).toEqual(["prompt_context"]);
  });
});
