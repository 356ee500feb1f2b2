import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { CheckpointError, ExportMismatchError } from "../../../src/base/errors.js";
import { seededRandom } from "../../../src/base/random.js";
import * as tf from "../../../src/engine/tf.js";
import { exportModel } from "../../../src/export/exportModel.js";
import { inspectTfjs, tfjsFolder } from "../../../src/export/tfjs/inspectTfjs.js";
import { SHARD_BYTES, storeWeight, tfjsFormat, writeShards } from "../../../src/export/tfjs/tfjsFormat.js";
import type { WeightSpecs } from "../../../src/inference/weightSpecs.js";
import { livelySource, TOY_STEM, toySource, toyTfjs, weightOf } from "../../support/exports.js";
import { temporaryFolder } from "../../support/runs.js";
import { startTestEngine } from "../../support/testEngine.js";

/** Weights as TensorFlow.js itself reads them. */
function readShards(folder: string, { paths, weights }: WeightSpecs): Record<string, tf.Tensor> {
  const shards = paths.map((name) => new Uint8Array(readFileSync(join(folder, name))).buffer);
  return tf.io.decodeWeights(shards, [...weights]);
}

function specsOf(folder: string): WeightSpecs {
  const model = JSON.parse(readFileSync(join(folder, "model.json"), "utf8")) as { weightsManifest: [WeightSpecs] };
  return model.weightsManifest[0];
}

const bytesOf = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".bin"))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

describe("writeShards", () => {
  it("cuts weights at 4 MiB, wherever that is, and TensorFlow.js puts them together again", async () => {
    const random = seededRandom(3, "shards");
    const values = (size: number) => Float32Array.from({ length: size }, () => random.normal());
    const big = { shape: [3, 700_001], values: values(3 * 700_001) }; // 8.4 MB
    const small = { shape: [5], values: values(5) };
    const folder = temporaryFolder();
    const stored = [...storeWeight("small", small, "float32"), ...storeWeight("big", big, "float32")];
    const specs = await writeShards(folder, stored);
    expect(specs.paths).toEqual(["group1-shard1of3.bin", "group1-shard2of3.bin", "group1-shard3of3.bin"]);
    const sizes = specs.paths.map((name) => statSync(join(folder, name)).size);
    expect(sizes).toEqual([SHARD_BYTES, SHARD_BYTES, 4 * (3 * 700_001 + 5) - 2 * SHARD_BYTES]);
    const read = readShards(folder, specs);
    expect([...(read["small"]?.dataSync() ?? [])]).toEqual([...small.values]);
    expect(read["big"]?.dataSync().every((value, i) => value === big.values[i])).toBe(true);
  });

  it("keeps zero exact in uint8, and every value within half a step of its row's reach", async () => {
    const array = { shape: [3, 4], values: Float32Array.of(0, 1, -2, 0.5, 1e-4, -3e-4, 0, 2e-4, 0, 0, 0, 0) };
    const folder = temporaryFolder();
    const read = readShards(folder, await writeShards(folder, storeWeight("x", array, "uint8")));
    const [x, scale] = [read["x"]?.dataSync() ?? [], read["x.row_scale"]?.dataSync() ?? []];
    expect([...scale].slice(0, 2)).toEqual([2, Math.fround(3e-4)]);
    array.values.forEach((value, i) => {
      const largest = scale[Math.floor(i / 4)] ?? NaN;
      const error = Math.abs((x[i] ?? NaN) * largest - value);
      expect(error).toBeLessThanOrEqual((largest / 127 / 2) * (1 + 1e-5));
      if (value === 0) expect(Math.abs(x[i] ?? NaN)).toBe(0);
    });
  });
});

await startTestEngine(); // what follows computes while this file is being read

describe("tfjsFormat", () => {
  const toy = toySource(TOY_STEM);
  const folders: Record<string, string> = {};
  beforeAll(async () => {
    for (const dtype of ["f32", "f16", "uint8"] as const) folders[dtype] = await toyTfjs(dtype, toy);
  });

  it("stores the image tower bit for bit in f32, the prompts' features beside it, and no text tower", () => {
    const folder = folders["f32"] ?? "";
    const read = readShards(folder, specsOf(folder));
    for (const name of Object.keys(read).filter((key) => key !== "prompt_features")) {
      expect([...(read[name]?.dataSync() ?? [])], name).toEqual([...weightOf(toy.source, name).values]);
    }
    const vision = [...toy.source.weights.keys()].filter((name) => name.startsWith("visual."));
    expect(Object.keys(read).sort()).toEqual([...vision, "prompt_features"].sort());
    expect(read["prompt_features"]?.shape).toEqual([495, 8]);
    expect([...(read["prompt_features"]?.dataSync() ?? [])]).toEqual([...toy.source.promptFeatures]);
  });

  it("stores matrices in fewer bytes with f16 and uint8; vectors, positions and prompts as they are", () => {
    for (const [dtype, bytes] of [
      ["f16", 2],
      ["uint8", 1],
    ] as const) {
      const folder = folders[dtype] ?? "";
      const { weights } = specsOf(folder);
      const small = weights.filter((entry) => entry.quantization !== undefined);
      expect(small.map(({ name }) => name)).toContain("visual.transformer.resblocks.0.mlp.c_fc.weight");
      expect(small.filter(({ shape, name }) => shape.length < 2 || /positional|prompt/.test(name))).toEqual([]);
      const count = (entries: typeof weights) =>
        entries.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      expect(bytesOf(folder)).toBe(4 * (count(weights) - count(small)) + bytes * count(small));
    }
  });

  it("leaves nothing where the shards read back are not those that were written, or score otherwise", async () => {
    const lively = livelySource(TOY_STEM);
    const run = (write: typeof tfjsFormat.write) =>
      exportModel(lively.source, lively.golden, {
        out: temporaryFolder(),
        formats: [{ format: { ...tfjsFormat, write }, dtype: "f32" }],
        force: false,
      });
    const wrongScores = run((folder, source, dtype) => {
      const features = source.promptFeatures.map((x, i) => (i % 8 === 0 ? -x : x));
      return tfjsFormat.write(folder, { ...source, promptFeatures: features }, dtype);
    });
    await expect(wrongScores).rejects.toThrow(ExportMismatchError);
    await expect(wrongScores).rejects.toThrow(/^tfjs: TensorFlow\.js 4\.22\.0 \(\w+\) does not give the golden scores/);
    const wrongShape = run((folder, source, dtype) => {
      const { vision } = source.architecture;
      const architecture = { ...source.architecture, vision: { ...vision, layers: 0 } };
      return tfjsFormat.write(folder, { ...source, architecture }, dtype);
    });
    await expect(wrongShape).rejects.toThrow(CheckpointError);
  });
});

describe("inspectTfjs", () => {
  it("finds an export by its folder or its model.json, and tells what is in it", async () => {
    const folder = await toyTfjs("uint8");
    expect([await tfjsFolder(folder), await tfjsFolder(join(folder, "model.json"))]).toEqual([folder, folder]);
    expect(await tfjsFolder(join(folder, "manifest.json"))).toBeNull();
    expect(await tfjsFolder(temporaryFolder())).toBeNull();
    const report = await inspectTfjs(folder);
    expect(report).toMatchObject({ dtype: "uint8", shards: 1, bytes: bytesOf(folder) });
    const matrices = report.tensors.filter(({ dtype }) => dtype === "uint8").map(({ name }) => name);
    expect(report.dtypes["uint8"]).toBe(matrices.length);
    expect(matrices).toContain("visual.proj");
    expect(report.tensors.find(({ name }) => name === "visual.proj.row_scale")?.shape).toEqual([16]);
  });

  it("refuses one whose shard was changed", async () => {
    const folder = await toyTfjs("f32");
    const shard = join(folder, "group1-shard1of1.bin");
    writeFileSync(
      shard,
      readFileSync(shard).map((byte, i) => (i === 77 ? byte ^ 4 : byte)),
    );
    await expect(inspectTfjs(folder)).rejects.toThrow(`${shard}: was changed since it was written`);
  });
});
