import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { inspectOnnx, isOnnx } from "../../src/export/onnx/inspectOnnx.js";
import { onnxFormat } from "../../src/export/onnx/onnxFormat.js";
import type { ExportSource } from "../../src/export/exportFormat.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { toySource } from "../support/exports.js";
import { temporaryFolder, toyWeights } from "../support/runs.js";

describe("inspectOnnx", () => {
  let source: ExportSource;
  let file: string;
  beforeAll(async () => {
    ({ source } = toySource());
    const folder = temporaryFolder();
    await onnxFormat.write(folder, source, { dtype: "int8", exact: new Set() });
    file = join(folder, "model-image.onnx");
  });

  it("tells architecture, prompts, inputs, outputs and how weights are stored", async () => {
    const report = await inspectOnnx(file);
    expect(report.liqe?.model.architecture).toEqual(source.architecture);
    expect(report.liqe?.prompts.template).toBe(source.grid.template);
    expect(report.opset).toBe(17);
    expect(report.inputs).toMatchObject([{ name: "image", type: "UINT8", shape: ["rows", "cols", 3] }]);
    expect(report.outputs.map(({ name }) => name).slice(0, 5)).toEqual([
      ...["quality", "levels", "scene", "distortion", "joint"],
    ]);
    expect(report.tensors).toContainEqual({ name: "visual.conv1.weight", dtype: "INT8", shape: [16, 3, 32, 32] });
    expect(report.dtypes["INT8"]).toBe(5); // the patch, and four matrices of the one block
  });

  it("is asked for ONNX files alone", async () => {
    expect(await isOnnx(file)).toBe(true);
    expect(await isOnnx(await toyWeights())).toBe(false);
    expect(await isOnnx(temporaryFolder())).toBe(false);
    expect(await isOnnx("no/such/file")).toBe(false);
  });

  it("refuses a file that is cut short, wherever that is", async () => {
    const bytes = readFileSync(file);
    for (const part of [0.1, 0.5, 0.9, 0.999]) {
      const cut = join(temporaryFolder(), "cut.onnx");
      writeFileSync(cut, bytes.subarray(0, Math.floor(part * bytes.length)));
      await expect(inspectOnnx(cut)).rejects.toThrow(CheckpointError);
    }
  });

  it("is no weight file to train or score with, and that is said", async () => {
    await expect(loadParameters(file)).rejects.toThrow("is an ONNX model, which has no text tower");
  });
});
