import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import { parameterShapes } from "../../../src/model/parameters/shapes.js";
import { loadParameters, openParameters } from "../../../src/model/weights/loadParameters.js";
import { goldenWeights, type GoldenWeights } from "../../support/golden.js";

const FILES: readonly GoldenWeights[] = ["weights-hf.safetensors", "weights-openai.pt", "weights-openai-jit.pt"];

/** The fixture's architecture, from its README. */
const TINY = {
  vision: { width: 128, layers: 3, heads: 2, activation: "quick-gelu", imageSize: 224, patchSize: 32, stem: "patch" },
  text: { width: 64, layers: 2, heads: 1, activation: "quick-gelu", contextLength: 77, vocabulary: 49_408 },
  embedding: 64,
} as const;

describe("loadParameters", () => {
  it.each(FILES)("reads the architecture off %s", async (file) => {
    const { architecture, parameters } = await loadParameters(goldenWeights(file));
    expect(architecture).toEqual(TINY);
    const shapes = [...parameters].map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual([...parameterShapes(TINY)]);
  });

  it("gives the same values from Hugging Face's float32 and from OpenAI's two float16 files", async () => {
    const [hf, ...others] = await Promise.all(FILES.map((file) => loadParameters(goldenWeights(file))));
    for (const { parameters } of others) {
      for (const [name, { values }] of hf?.parameters ?? []) {
        // Buffer compares bytes at once; expect() on three million numbers takes seconds
        const other = parameters.get(name)?.values ?? new Float32Array();
        const same = Buffer.compare(Buffer.from(values.buffer), Buffer.from(other.buffer));
        expect([name, same]).toEqual([name, 0]);
      }
    }
  });

  it("refuses weights that are not the preset, naming both and the first differences", async () => {
    const load = loadParameters(goldenWeights("weights-openai.pt"), { preset: "ViT-B/32" });
    await expect(load).rejects.toThrow(CheckpointError);
    await expect(load).rejects.toThrow(
      /holds another architecture, not vit-b-32: visual.class_embedding is \[128\], needed \[768\].* and \d+ more/,
    );
  });

  it("refuses an unknown preset by the nearest name", async () => {
    const load = loadParameters(goldenWeights("weights-openai.pt"), { preset: "vit-b-23" });
    await expect(load).rejects.toThrow('did you mean "vit-b-32"?');
  });

  it("interpolates the image positions when asked for another size, and only then", async () => {
    const small = await openParameters(goldenWeights("weights-openai.pt"), { imageSize: 160 });
    expect(small.architecture.vision.imageSize).toBe(160);
    expect(small.shapes.get("visual.positional_embedding")).toEqual([26, 128]);
    expect(await small.read("visual.positional_embedding")).toHaveLength(26 * 128);
    await small.close();
    const odd = openParameters(goldenWeights("weights-openai.pt"), { imageSize: 200 });
    await expect(odd).rejects.toThrow("multiples of 32 pixels, not of 200");
  });

  it("says that there is no such file", async () => {
    await expect(loadParameters("checkpoints/none.pt")).rejects.toThrow(
      "checkpoints/none.pt: cannot be opened, there is no such file",
    );
  });
});
