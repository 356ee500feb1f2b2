import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openModel } from "../../src/api/openModel.js";
import { CheckpointError } from "../../src/base/errors.js";
import { exportModel } from "../../src/export/exportModel.js";
import { goldenImage } from "../../src/export/golden/goldenImages.js";
import { goldenCrops } from "../../src/export/golden/goldenScores.js";
import { openaiFormat } from "../../src/export/openaiFormat.js";
import { safetensorsFormat } from "../../src/export/safetensorsFormat.js";
import { posteriorOf } from "../../src/model/posterior.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { toySource } from "../support/exports.js";
import { temporaryFolder, TOY_ARCHITECTURE } from "../support/runs.js";

const TEMPLATE = "a photo with {distortion} artifacts, which is of {quality} quality";

describe("openModel of an export", () => {
  it.each([safetensorsFormat, openaiFormat])("asks its own prompts and scores identically, $name", async (format) => {
    const { source, golden } = toySource(TOY_ARCHITECTURE, promptGrid(TEMPLATE));
    const out = temporaryFolder();
    await exportModel(source, golden, { out, formats: [{ format, dtype: "f32" }], force: false });
    const opened = await openModel(join(out, format.name));
    expect(opened.model.grid.template).toBe(TEMPLATE);
    for (const { seed, crops } of golden.images) {
      const logits = opened.scorer.logits(goldenCrops(goldenImage(seed), 224));
      const prompts = logits.length / crops.length;
      const qualities = crops.map((_, i) =>
        posteriorOf(logits.subarray(i * prompts, (i + 1) * prompts), opened.scorer.axes),
      );
      expect(qualities.map(({ quality }) => quality)).toEqual(crops.map(({ quality }) => quality));
    }
    opened.dispose();
  });

  it("refuses a weight file that is not the one its manifest is of, and prompts from a folder without both towers", async () => {
    const { source, golden } = toySource();
    const out = temporaryFolder();
    await exportModel(source, golden, { out, formats: [{ format: safetensorsFormat, dtype: "f32" }], force: false });
    const folder = join(out, "safetensors");
    const bytes = readFileSync(join(folder, "model.safetensors"));
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    writeFileSync(join(folder, "model.safetensors"), bytes);
    await expect(openModel(folder)).rejects.toThrow("was changed since it was exported");
    const manifest = join(folder, "manifest.json");
    const other = readFileSync(manifest, "utf8").replace("model.safetensors", "model.onnx");
    writeFileSync(manifest, other.replace('"format": "safetensors"', '"format": "onnx"'));
    await expect(openModel(folder)).rejects.toThrow(CheckpointError);
    await expect(openModel(folder)).rejects.toThrow("is an export as onnx");
  });
});
