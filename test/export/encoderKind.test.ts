import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openModel } from "../../src/api/openModel.js";
import { ConfigError } from "../../src/base/errors.js";
import { exportModel } from "../../src/export/exportModel.js";
import { goldenImage } from "../../src/export/golden/goldenImages.js";
import { goldenCrops, scoreOfLogits } from "../../src/export/golden/goldenScores.js";
import { differencesOf, TOLERANCES } from "../../src/export/golden/parity.js";
import { onnxFormat } from "../../src/export/onnx/onnxFormat.js";
import { openaiFormat } from "../../src/export/openaiFormat.js";
import { safetensorsFormat } from "../../src/export/safetensorsFormat.js";
import { tfjsFormat } from "../../src/export/tfjs/tfjsFormat.js";
import type { Architecture } from "../../src/model/architecture/architecture.js";
import { livelySource, toySource } from "../support/exports.js";
import { startTestEngine } from "../support/testEngine.js";
import { temporaryFolder, TOY_ARCHITECTURE } from "../support/runs.js";

await startTestEngine();

const OTHER: Architecture = {
  ...TOY_ARCHITECTURE,
  vision: { ...TOY_ARCHITECTURE.vision, heads: 2, activation: "gelu" },
  text: { ...TOY_ARCHITECTURE.text, heads: 2, activation: "gelu" },
};
const { source, golden } = livelySource(OTHER);

describe("exports of a model with GELU and other heads", () => {
  it.each([safetensorsFormat, onnxFormat, tfjsFormat])("give its golden scores, $name", async (format) => {
    const out = temporaryFolder();
    await exportModel(source, golden, { out, formats: [{ format, dtype: "f32" }], force: false });
    const manifest = JSON.parse(readFileSync(join(out, format.name, "manifest.json"), "utf8")) as unknown;
    expect(manifest).toMatchObject({ manifestVersion: 2, model: { architecture: OTHER } });
  });

  it("are told from those of OpenAI's kind by these scores", () => {
    const usual = livelySource(TOY_ARCHITECTURE).golden;
    const [mine, theirs] = [golden.images[0], usual.images[0]];
    expect(Math.abs((mine?.quality ?? NaN) - (theirs?.quality ?? NaN))).toBeGreaterThan(2 * TOLERANCES.f32.quality);
  });

  it("are opened again as what they are", async () => {
    const out = temporaryFolder();
    const formats = [{ format: safetensorsFormat, dtype: "f32" as const }];
    await exportModel(source, golden, { out, formats, force: false });
    const opened = await openModel(join(out, "safetensors"));
    expect(opened.architecture).toEqual(OTHER);
    expect(opened.assumed).toEqual([]);
    for (const expected of golden.images) {
      const score = scoreOfLogits(
        opened.scorer.logits(goldenCrops(goldenImage(expected.seed), 224)),
        opened.scorer.axes,
      );
      expect(differencesOf(score, expected).quality).toBeLessThan(TOLERANCES.f32.quality);
    }
    opened.dispose();
  });

  it("are refused for code of OpenAI's, by what it lacks", async () => {
    await expect(openaiFormat.check(source)).rejects.toThrow(ConfigError);
    await expect(openaiFormat.check(source)).rejects.toThrow("this model has gelu and 2 heads of 8 (image)");
  });
});

describe("an export of OpenAI's kind", () => {
  it("is version 1, and its .pt file is known by the manifest", async () => {
    const toy = toySource();
    const out = temporaryFolder();
    const formats = [{ format: openaiFormat, dtype: "f32" as const }];
    await exportModel(toy.source, toy.golden, { out, formats, force: false });
    const opened = await openModel(join(out, "openai"));
    expect(opened.assumed).toEqual([]);
    opened.dispose();
  });
});
