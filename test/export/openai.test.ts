import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { storedAs } from "../../src/export/exportFormat.js";
import { exportModel } from "../../src/export/exportModel.js";
import { openaiFormat } from "../../src/export/openaiFormat.js";
import { presetArchitecture } from "../../src/model/architecture/presets.js";
import { openFile } from "../../src/model/weights/byteSource.js";
import { inspectWeights } from "../../src/model/weights/inspectWeights.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { readWeights } from "../../src/model/weights/readWeights.js";
import { writeTorchFile } from "../../src/model/weights/torch/writeTorch.js";
import { openZip } from "../../src/model/weights/torch/zip.js";
import { TOY_STEM, toySource } from "../support/exports.js";
import { goldenWeights } from "../support/golden.js";
import { temporaryFolder } from "../support/runs.js";

const f32 = { dtypeOf: () => "F32" as const };

/** Number by number a matcher would take seconds over the token table. */
function sameBytes(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

describe("writeTorchFile", () => {
  it("holds, read as PyTorch's files are, the weights of a file that PyTorch wrote", async () => {
    const { parameters } = await loadParameters(goldenWeights("weights-openai.pt"));
    const file = join(temporaryFolder(), "again.pt");
    await writeTorchFile(file, parameters, f32);
    const again = await readWeights(file);
    expect(again).toMatchObject({ format: "torch.save", naming: "OpenAI", wrappers: [] });
    expect([...again.names.keys()].sort()).toEqual([...parameters.keys()].sort());
    for (const [name, { shape, values }] of parameters) {
      expect(again.names.get(name)).toMatchObject({ shape, dtype: "F32" });
      expect(sameBytes(await again.read(name), values)).toBe(true);
    }
    await again.close();
  });

  it("stores matrices in float16 and all else in float32, where that is asked for", async () => {
    const { parameters } = await loadParameters(goldenWeights("weights-openai.pt"));
    const file = join(temporaryFolder(), "half.pt");
    await writeTorchFile(file, parameters, {
      dtypeOf: (name, shape) => storedAs({ dtype: "f16", exact: new Set() }, name, shape),
    });
    const { tensors } = await inspectWeights(file);
    for (const { shape, dtype } of tensors) expect(dtype).toBe(shape.length >= 2 ? "F16" : "F32");
    const again = await loadParameters(file); // the fixture's numbers are all float16's
    for (const [name, { values }] of parameters) {
      expect(sameBytes(again.parameters.get(name)?.values ?? new Float32Array(), values)).toBe(true);
    }
  });

  it("puts the state dict where IQA-PyTorch looks for it", async () => {
    const { source } = toySource();
    const file = join(temporaryFolder(), "wrapped.pt");
    await writeTorchFile(file, source.weights, { ...f32, prefix: "clip_model.", key: "params" });
    const read = await readWeights(file);
    expect(read.wrappers).toEqual(["params", "clip_model."]);
    await read.close();
  });

  it("aligns every tensor to 64 bytes, so that it can be mapped into memory, and writes the same bytes again", async () => {
    const { source } = toySource();
    const [one, two] = [join(temporaryFolder(), "one.pt"), join(temporaryFolder(), "two.pt")];
    for (const file of [one, two]) await writeTorchFile(file, source.weights, f32);
    const bytes = readFileSync(one);
    expect(readFileSync(two).equals(bytes)).toBe(true);
    const zip = await openFile(one);
    const data = [...(await openZip(one, zip))].filter(([name]) => name.startsWith("archive/data/"));
    expect(data.length).toBe(source.weights.size);
    for (const [name] of data) {
      const header = bytes.indexOf(Buffer.from(name)) - 30;
      const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
      expect(start % 64).toBe(0);
    }
    await zip.close();
  });
});

describe("openaiFormat", () => {
  it("wraps the state dict for IQA-PyTorch as its LIQE holds CLIP: params, clip_model.", async () => {
    const { source } = toySource();
    const folder = temporaryFolder();
    const claimed = { ...source, architecture: presetArchitecture("vit-b-32") }; // alone has such a file; the toy is small
    await openaiFormat.write(folder, claimed, { dtype: "f32", exact: new Set() });
    const wrappers = ["liqe.pt", "liqe-pyiqa.pt"].map(async (file) => {
      const read = await readWeights(join(folder, file));
      await read.close();
      return read.wrappers;
    });
    expect(await Promise.all(wrappers)).toEqual([[], ["params", "clip_model."]]);
  });

  it.each(["f32", "f16"] as const)(
    "scores the same when read back, %s, with a stem that OpenAI has no name for",
    async (dtype) => {
      const { source, golden } = toySource(TOY_STEM);
      const out = temporaryFolder();
      const formats = [{ format: openaiFormat, dtype }];
      const [exported] = await exportModel(source, golden, { out, formats, force: false });
      const within = dtype === "f32" ? 1e-6 : 5e-3;
      expect(exported?.parity.largestDifference.quality).toBeLessThan(within);
      if (dtype === "f16") expect(exported?.parity.largestDifference.quality).toBeGreaterThan(0); // it was rounded
    },
  );
});
