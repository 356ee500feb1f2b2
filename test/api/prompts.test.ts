import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/api/evaluate/evaluate.js";
import { choicesBy, openModel } from "../../src/api/openModel.js";
import { predict, type Prediction } from "../../src/api/predict.js";
import { ConfigError } from "../../src/base/errors.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";
import { writeDurable } from "../../src/base/files.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyWeights } from "../support/runs.js";

const folder = temporaryFolder();
const weights = await toyWeights();
const root = await toyDatabase();
const TEMPLATE = "a photo with {quality} quality";
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const config = write(
  "five.yaml",
  `run: q\nmodel: { weights: ${weights} }\nprompts: { template: "${TEMPLATE}" }\n` +
    `data:\n  root: ${root}\n  databases: [{ name: toys, imagesPerStep: 2 }]\n`,
);

async function first(options: Readonly<Record<string, unknown>>): Promise<Prediction> {
  const photo = join(root, "toys", "test0.png");
  for await (const prediction of predict([photo], { checkpoint: weights, crops: 1, ...options })) return prediction;
  throw new Error("nothing was predicted");
}

describe("prompts of a weight file", () => {
  it("are the config's in predict and evaluate, where the file has none of its own", async () => {
    const prediction = await first({ config });
    expect(prediction).toMatchObject({ scene: null, distortion: null, levels: 5 });
    const results = await evaluate(weights, { config, crops: 1 });
    expect(results.databases[0]?.sceneAccuracy).toMatchObject({ value: null });
    expect(results.databases[0]?.images).toBe(6);
  });

  it("are those of a file: a section of a config, or a config with one", async () => {
    const three = write(
      "three.yaml",
      'template: "{quality}, {scene}"\nqualities: [low, fair, high]\nscenes: [in, out]\n',
    );
    const prediction = await first({ prompts: three });
    expect(prediction).toMatchObject({ distortion: null, levels: 3 });
    expect(prediction).toHaveProperty("probabilities.scene.out");
    expect(choicesBy({ prompts: config }).asked).toEqual(choicesBy({ config }).asked);
  });

  it("are refused where the file is not there, has other keys, or both are named", () => {
    expect(() => choicesBy({ prompts: join(folder, "gone.yaml") })).toThrow(ConfigError);
    expect(() => choicesBy({ prompts: write("odd.yaml", "templat: x\n") })).toThrow(
      /templat: unknown key; did you mean/,
    );
    expect(() => choicesBy({ config, prompts: config })).toThrow("do not go together");
  });
});

describe("features of prompts that a weight file stores", () => {
  const five = write("stored.yaml", `template: "${TEMPLATE}"\n`);
  const fileWith = async (features: Float32Array | null) => {
    const parameters = initialParameters(TOY_ARCHITECTURE, 5);
    if (features !== null) parameters.set("text_features", { shape: [5, 8], values: features });
    const file = join(temporaryFolder(), "stored.safetensors");
    await writeDurable(file, (handle) => writeSafetensors(handle, parameters));
    return file;
  };
  const featuresOf = async (prompts: string) => {
    const opened = await openModel(await fileWith(null), choicesBy({ prompts }));
    const features = Float32Array.from(opened.model.promptFeatures().dataSync());
    opened.dispose();
    return features;
  };

  it("are taken with the prompts that they are of", async () => {
    const features = await featuresOf(five);
    const inside = new Map(
      [...initialParameters(TOY_ARCHITECTURE, 5)].map(([name, array]) => [`clip_model.${name}`, array]),
    );
    const wrapped = join(temporaryFolder(), "wrapped.safetensors");
    const beside = new Map([...inside, ["text_feat", { shape: [5, 8], values: features }] as const]);
    await writeDurable(wrapped, (handle) => writeSafetensors(handle, beside));
    for (const file of [await fileWith(features), wrapped]) {
      const opened = await openModel(file, choicesBy({ prompts: five }));
      expect(opened.model.grid.prompts).toHaveLength(5);
      opened.dispose();
    }
  });

  it("refuse a grid of another size, and one of as many other prompts", async () => {
    const file = await fileWith(await featuresOf(five));
    await expect(openModel(file)).rejects.toThrow(
      "stores features of 5 prompts in 8 numbers, where 495 prompts are asked",
    );
    const turned = write("turned.yaml", `template: "${TEMPLATE}"\nqualities: [perfect, good, fair, poor, bad]\n`);
    await expect(openModel(file, choicesBy({ prompts: turned }))).rejects.toThrow(
      'its stored features are not those of "a photo with perfect quality"',
    );
  });
});

describe("openModel of weights that do not fit", () => {
  const { vision, text } = TOY_ARCHITECTURE;

  it.each([
    [
      "another vocabulary",
      { text: { ...text, vocabulary: 32_000 } },
      /vocabulary has 32000 tokens, the tokenizer.* 49408/,
    ],
    [
      "windows that no image is cut into",
      { vision: { ...vision, imageSize: 800 } },
      /windows of 800 pixels, more than the 768.*--image-size N/,
    ],
  ])("refuses %s", async (name, changes, message) => {
    const file = join(folder, `${name}.safetensors`);
    const parameters = initialParameters({ ...TOY_ARCHITECTURE, ...changes }, 1);
    await writeDurable(file, (handle) => writeSafetensors(handle, parameters));
    await expect(openModel(file)).rejects.toThrow(message);
    await expect(openModel(file)).rejects.toMatchObject({ name: "CheckpointError" });
  });
});
