import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ExportMismatchError } from "../../../src/base/errors.js";
import { seededRandom } from "../../../src/base/random.js";
import type { ExportFormat } from "../../../src/export/exportFormat.js";
import { readExportManifest } from "../../../src/export/exportManifest.js";
import { exportModel } from "../../../src/export/exportModel.js";
import { inspectOnnx } from "../../../src/export/onnx/inspectOnnx.js";
import { onnxFormat } from "../../../src/export/onnx/onnxFormat.js";
import { openaiFormat } from "../../../src/export/openaiFormat.js";
import { safetensorsFormat } from "../../../src/export/safetensorsFormat.js";
import { inspectTfjs } from "../../../src/export/tfjs/inspectTfjs.js";
import { tfjsFormat } from "../../../src/export/tfjs/tfjsFormat.js";
import type { ExportDtype } from "../../../src/inference/manifest.js";
import { inspectWeights } from "../../../src/model/weights/inspectWeights.js";
import { livelySource, toySource } from "../../support/exports.js";
import { temporaryFolder, TOY_ARCHITECTURE } from "../../support/runs.js";
import { startTestEngine } from "../../support/testEngine.js";

await startTestEngine(); // what follows computes while this file is being read

/** Exports a toy; gives what was written and what was said meanwhile. */
async function run(toy: ReturnType<typeof toySource>, format: ExportFormat, dtype: ExportDtype) {
  const notes: string[] = [];
  const note = (message: string) => notes.push(message);
  const [written] = await exportModel(toy.source, toy.golden, {
    ...{ out: temporaryFolder(), formats: [{ format, dtype }], force: false, note },
  });
  if (written === undefined) throw new Error("test: nothing was written");
  return { ...written, notes };
}

describe("an export whose type alone rounds too much", () => {
  const lively = livelySource(TOY_ARCHITECTURE);
  const IN_PROJECTION = "visual.transformer.resblocks.0.attn.in_proj_weight";

  it("keeps the one tensor in float32 that the scores hang on, f16 for tfjs, and says so in folder and notes", async () => {
    const { folder, exact, parity, notes } = await run(lively, tfjsFormat, "f16");
    expect(exact).toEqual([IN_PROJECTION]);
    expect(parity.largestDifference.quality).toBeLessThan(0.01);
    expect(notes).toEqual(["tfjs: f16 alone rounds too much; looking for the tensors to keep in float32"]);
    expect((await readExportManifest(folder)).exact).toEqual(exact);
    expect(readFileSync(join(folder, "README.md"), "utf8")).toContain(IN_PROJECTION);
    const { tensors } = await inspectTfjs(folder);
    const stored = (dtype: string) => tensors.filter((tensor) => tensor.dtype === dtype).map(({ name }) => name);
    expect(stored("float32")).toContain(IN_PROJECTION);
    expect(stored("float16")).toContain("visual.conv1.weight");
  });

  it.each([
    ["int8 for ONNX", onnxFormat, "int8"],
    ["uint8 for tfjs", tfjsFormat, "uint8"],
  ] as const)("keeps some tensors and rounds the others: %s", async (_, format, dtype) => {
    const { exact, parity } = await run(lively, format, dtype);
    expect(exact.length).toBeGreaterThan(0);
    expect(exact).not.toContain("visual.conv1.weight"); // more than half of the numbers
    expect(parity.largestDifference.quality).toBeLessThan(0.1);
  });

  it.each([
    [safetensorsFormat, "model.safetensors"],
    [openaiFormat, "liqe.pt"],
  ])("can keep any tensor of a state dict", async (format, file) => {
    const folder = temporaryFolder();
    const kept = ["visual.conv1.weight", "token_embedding.weight"];
    await format.write(folder, lively.source, { dtype: "f16", exact: new Set(kept) });
    const { tensors } = await inspectWeights(join(folder, file));
    for (const { name, shape, dtype } of tensors) {
      expect(dtype, name).toBe(shape.length >= 2 && !kept.includes(name) ? "F16" : "F32");
    }
  });

  it("keeps none where all may be rounded", async () => {
    for (const [format, dtype] of [[safetensorsFormat, "f16"], [tfjsFormat, "f16"], [onnxFormat, "int8"]] as const) {
      const { exact, notes } = await run(toySource(TOY_ARCHITECTURE), format, dtype);
      expect([exact, notes], format.name).toEqual([[], []]);
    } // prettier-ignore
  });

  it("reckons with the very tensors that an ONNX model stores in 16 bits", async () => {
    const toy = toySource(TOY_ARCHITECTURE);
    const { folder } = await run(toy, onnxFormat, "f16");
    const { tensors } = await inspectOnnx(join(folder, "model-image.onnx"));
    const stored = tensors.filter(({ dtype }) => /16/.test(dtype)).map(({ name }) => name);
    const rounded = [...toy.source.weights].filter(([name, array]) => onnxFormat.rounded(name, array, "f16") !== null);
    expect(stored.toSorted()).toEqual(rounded.map(([name]) => name).toSorted());
    expect(stored.length).toBeGreaterThan(0);
  });

  it("is refused where errors are no numbers, instead of looking for ever", async () => {
    const broken: ExportFormat = {
      ...tfjsFormat,
      rounded: (name, array, dtype) => {
        const values = tfjsFormat.rounded(name, array, dtype);
        return values && (name === "visual.conv1.weight" ? values.fill(NaN) : values);
      },
    };
    await expect(run(lively, broken, "f16")).rejects.toThrow(ExportMismatchError);
  });

  it("is refused where no choice of tensors helps, naming the type that does", async () => {
    const noise = seededRandom(1, "prompts");
    const write: ExportFormat["write"] = (folder, source, storage) => {
      if (storage.dtype === "f32") return tfjsFormat.write(folder, source, storage);
      const promptFeatures = source.promptFeatures.map((x) => x + 0.1 * noise.normal());
      return tfjsFormat.write(folder, { ...source, promptFeatures }, storage);
    };
    const refused = run(lively, { ...tfjsFormat, write }, "f16");
    await expect(refused).rejects.toThrow(ExportMismatchError);
    await expect(refused).rejects.toThrow(/may be; nothing was kept; export it with --dtype f32$/);
  });
});
