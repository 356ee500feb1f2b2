import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/base/errors.js";
import { PRESETS } from "../../../src/model/architecture/presets.js";
import { isVision } from "../../../src/model/parameters/parameters.js";
import { parameterShapes } from "../../../src/model/parameters/shapes.js";
import { TrainConfig } from "../../../src/train/config.js";
import { trainableParameters } from "../../../src/train/optimizer/parameterGroups.js";

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
