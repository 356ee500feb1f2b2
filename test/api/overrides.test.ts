import { describe, expect, it } from "vitest";
import { applyOverrides } from "../../src/api/config.js";

const CONFIG = { run: "a", train: { epochs: 80 }, data: { databases: [{ imagesPerStep: 4 }] } };

describe("applyOverrides", () => {
  it("puts YAML values in, in order, and leaves the given config as it was", () => {
    const changed = applyOverrides(CONFIG, ["train.epochs=2", "train.learningRate=5e-6", "train.epochs=3", "run=b"]);
    expect(changed).toEqual({ ...CONFIG, run: "b", train: { epochs: 3, learningRate: 5e-6 } });
    expect(CONFIG.train.epochs).toBe(80);
  });

  it("reaches into a list by number and makes sections that are not there", () => {
    const changed = applyOverrides(CONFIG, ["data.databases.0.imagesPerStep=8", "losses.weights.scene=.3"]);
    expect(changed).toMatchObject({ data: { databases: [{ imagesPerStep: 8 }] }, losses: { weights: { scene: 0.3 } } });
  });

  it("keeps what stands behind the first equals sign, and spaces in a name", () => {
    expect(applyOverrides({}, ['run="a=b"', "prompts.distortions.jpeg compression=[jpg]"])).toEqual({
      run: "a=b",
      prompts: { distortions: { "jpeg compression": ["jpg"] } },
    });
  });

  it.each([
    ["train.epochs", "must be path=value"],
    ["=3", "must be path=value"],
    ["train..epochs=3", '"" names no key'],
    ["__proto__.x=3", '"__proto__" names no key'],
    ["run.name=3", 'run is a value and has no "name"'],
    ["data.databases.1.imagesPerStep=8", 'data.databases is a list of 1, counted from 0, and has no "1"'],
    ["run=[a", "the value is not YAML"],
  ])("refuses %j", (override, message) => {
    expect(() => applyOverrides(CONFIG, [override])).toThrow(`--set ${override}: ${message}`);
  });

  it("names every one that is wrong", () => {
    expect(() => applyOverrides(CONFIG, ["a", "train.epochs=2", "b"])).toThrow(/--set a: .*\n--set b: /);
  });
});
