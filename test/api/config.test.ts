import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findConfig, loadConfig, parseConfig } from "../../src/api/config.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { formatConfig } from "../../src/train/run.js";

const SMALLEST = `
run: mine
model: { weights: w.safetensors }
data: { databases: [{ name: kadid10k, imagesPerStep: 16 }] }
`;

describe("the configs of the package", () => {
  it.each(readdirSync(join(PACKAGE_ROOT, "configs")))("%s has no problem, and its run bears its name", (name) => {
    expect(`${loadConfig(name).config.run}.yaml`).toBe(name);
  });

  it("paper.yaml is six-databases.yaml with the released losses, and nothing else", () => {
    const { losses, ...paper } = loadConfig("paper.yaml").config;
    const { losses: ours, ...joint } = loadConfig("six-databases.yaml").config;
    expect({ ...paper, run: joint.run }).toEqual(joint);
    expect(losses).toEqual({ ...ours, scene: "fidelity", distortion: "fidelity-released" });
  });
});

describe("parseConfig", () => {
  it("fills in the published recipe's values", () => {
    const { seed, train, losses, evaluate } = parseConfig(SMALLEST, "mine.yaml");
    expect({ seed, losses: losses.weighting, crops: evaluate.crops }).toEqual({
      seed: 20200626,
      losses: "dwa",
      crops: 15,
    });
    expect(train).toMatchObject({ epochs: 80, stepsPerEpoch: 200, learningRate: 5e-6, weightDecay: 1e-3 });
  });

  it("reads 5e-6 and 1_0 as YAML 1.2 does: a number and a text", () => {
    expect(parseConfig(SMALLEST, "mine.yaml", ["train.learningRate=5e-6"]).train.learningRate).toBe(5e-6);
    expect(() => parseConfig(SMALLEST, "mine.yaml", ["train.epochs=1_0"])).toThrow('got "1_0"');
  });

  it("lists every problem with its path, the value and the nearest known name", () => {
    const text = `${SMALLEST}
train: { epoch: 3, learningRate: fast }
losses: { target: thurston, weights: { qualty: 2 } }
`;
    expect(() => parseConfig(text, "mine.yaml")).toThrow(
      [
        "mine.yaml: 4 problems",
        '  losses.target: expected one of "sign"|"thurstone", got "thurston"',
        '  losses.weights.qualty: unknown key; did you mean "quality"?',
        '  train.learningRate: expected number, got "fast"',
        '  train.epoch: unknown key; did you mean "epochs"?',
      ].join("\n"),
    );
  });

  it("shows one screen of problems and counts the others", () => {
    const keys = Array.from({ length: 30 }, (_, i) => `key${i}: 1`).join("\n");
    expect(() => parseConfig(`${SMALLEST}${keys}\n`, "mine.yaml")).toThrow(
      /^mine.yaml: 30 problems\n(?: {2}key\d+: .*\n){20} {2}and 10 more$/,
    );
    const broken = Array.from({ length: 30 }, () => "a: b: c").join("\n");
    expect(() => parseConfig(broken, "mine.yaml")).toThrow(/^mine.yaml: \d+ problems\n(?:.*\n){1,18} {2}and \d+ more$/);
  });

  it("says of a number that is none which one it is", () => {
    expect(() => parseConfig(SMALLEST, "mine.yaml", ["train.learningRate=.nan"])).toThrow("expected number, got NaN");
    expect(() => parseConfig(SMALLEST, "mine.yaml", ["train.clipNorm=.inf"])).toThrow("got Infinity");
  });

  it("refuses a config whose only weighed task is not one that the prompts ask about", () => {
    const text = `${SMALLEST}
prompts: { template: "a photo with {quality} quality" }
losses: { weighting: single, weights: { quality: 0, distortion: 0 } }
`;
    expect(() => parseConfig(text, "mine.yaml")).toThrow(
      "losses.weights: must have one above 0 of a task that prompts.template asks about",
    );
    expect(parseConfig(text.replace("a photo", "a photo of a {scene}"), "mine.yaml").losses.weights.scene).toBe(1);
  });

  it("finds the nearest name inside a list too", () => {
    const text = SMALLEST.replace("imagesPerStep", "imagesPerStop");
    expect(() => parseConfig(text, "mine.yaml")).toThrow(
      'data.databases.0.imagesPerStop: unknown key; did you mean "imagesPerStep"?',
    );
  });

  it.each([
    ["a key given twice", `${SMALLEST}run: other\n`, "Map keys must be unique at line 5"],
    ["an empty file", "# nothing\n", "is empty"],
    ["a weight file", "\u{10}\0\0\0{}", "mine.yaml: is no text, and so no config"],
    ["a list at the top", "- run\n", "(top level): expected object"],
    ["an alias of nothing", "run: *name\n", "Unresolved alias"],
    ["a tag that YAML 1.2 does not know", "run: !!python/object x\n", "Unresolved tag"],
    ["a section left out", "run: mine\n", "data: is missing"],
    ["a run that would leave its folder", SMALLEST.replace("mine", "../mine"), 'got "../mine"'],
  ])("refuses %s", (_, text, message) => {
    expect(() => parseConfig(text, "mine.yaml")).toThrow(message);
  });

  it("gives back what formatConfig wrote", () => {
    const config = parseConfig(SMALLEST, "mine.yaml", ["train.freeze=[text]"]);
    expect(parseConfig(formatConfig(config), "config.yaml")).toEqual(config);
  });
});

describe("findConfig", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "liqe-config-"));
    mkdirSync(join(folder, "configs"));
    for (const file of ["here.yaml", "configs/here.yaml", "configs/kadid.yaml", "configs/folder"]) {
      writeFileSync(join(folder, file), "");
    }
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it("takes a bare name from the folder itself, then its configs, then the package's", () => {
    expect(findConfig("here.yaml", folder)).toBe(join(folder, "here.yaml"));
    expect(findConfig("kadid.yaml", folder)).toBe(join(folder, "configs", "kadid.yaml"));
    expect(findConfig("live.yaml", folder)).toBe(join(PACKAGE_ROOT, "configs", "live.yaml"));
  });

  it("takes a path from the folder alone", () => {
    expect(findConfig("configs/here.yaml", folder)).toBe(join(folder, "configs", "here.yaml"));
    expect(() => findConfig("./live.yaml", folder)).toThrow(`looked for ${join(folder, "live.yaml")}\n`);
  });

  it("says where it looked, what there is and which name is near", () => {
    const message = (() => {
      try {
        return findConfig("kadi", folder);
      } catch (error) {
        return String(error);
      }
    })();
    expect(message).toContain('kadi: no such config; did you mean "kadid.yaml"?');
    expect(message).toContain(join(folder, "configs", "kadi"));
    expect(message).toContain("six-databases.yaml");
  });

  it("suggests nothing where nothing is near", () => {
    expect(() => findConfig("zzzzzzzzzz.yaml", folder)).toThrow("zzzzzzzzzz.yaml: no such config\n");
  });
});
