import { existsSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ConfigError } from "../../src/base/errors.js";
import type { SavedResults } from "../../src/evaluate/results/splitSummary.js";
import type { ExportFormat } from "../../src/export/exportFormat.js";
import { exportModel } from "../../src/export/exportModel.js";
import { hubFormat } from "../../src/export/hub/hubFormat.js";
import { readExportManifest } from "../../src/export/exportManifest.js";
import { readResults } from "../../src/evaluate/results/splitSummary.js";
import { toTransformers } from "../../src/model/weights/transformersNames.js";
import { readWeights } from "../../src/model/weights/readWeights.js";
import { readSafetensors } from "../../src/model/weights/safetensors.js";
import { TOY_STEM, toySource } from "../support/exports.js";
import { temporaryFolder } from "../support/runs.js";

const QUICKSTART = join(import.meta.dirname, "../fixtures/quickstart/results.json");

type Toy = ReturnType<typeof toySource>;

async function exported({ source, golden }: Toy, changes: Partial<ExportFormat> = {}, dtype: "f32" | "f16" = "f32") {
  const formats = [{ format: { ...hubFormat, ...changes }, dtype }];
  const [folder] = await exportModel(source, golden, { out: temporaryFolder(), formats, force: false });
  if (folder === undefined) throw new Error("test: nothing was exported");
  return folder;
}

function withResults(toy: Toy, results: SavedResults): Toy {
  const training = { config: { run: "quickstart" }, databases: [{ name: "clive-sample" }] };
  return { ...toy, source: { ...toy.source, results, training } };
}

/** Front matter of a README. */
function frontMatterOf(folder: string): unknown {
  const [, text = ""] = readFileSync(join(folder, "README.md"), "utf8").split(/^---$/m);
  return parse(text);
}

describe("hubFormat", () => {
  it.each(["f32", "f16"] as const)("is read back by three runtimes, %s", async (dtype) => {
    const { folder, parity } = await exported(toySource(), {}, dtype);
    expect(parity.runtime).toMatch(/^liqe-train .*, onnxruntime-node .*, TensorFlow\.js /);
    expect(parity.largestDifference.quality).toBeLessThan(dtype === "f32" ? 1e-4 : 1e-2);
    const { files } = await readExportManifest(folder);
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(["config.json", "onnx/model-image.onnx", "tfjs/model.json"]),
    );
  });

  it("holds the weights under transformers' names, which are read as the same numbers", async () => {
    const toy = toySource(TOY_STEM);
    const { folder } = await exported(toy);
    const weights = await readWeights(join(folder, "model.safetensors"));
    expect(weights.naming).toBe("Hugging Face");
    expect([...weights.names.keys()].sort()).toEqual([...toy.source.weights.keys()].sort());
    for (const [name, { shape, values }] of toy.source.weights) {
      expect(weights.names.get(name)?.shape, name).toEqual(shape);
      expect(await weights.read(name), name).toEqual(values);
    }
    await weights.close();
    const stored = await readSafetensors(join(folder, "model.safetensors"));
    expect(stored.get("prompt_features")?.values).toEqual(toy.source.promptFeatures);
    expect(stored.get("vision_model.embeddings.patch_embedding.1.norm.weight")?.shape).toEqual([16]);
  });

  it.each([
    ["model.safetensors", 1, "golden scores"],
    ["onnx/model-image.onnx", 0.5, "golden scores"],
    ["tfjs/group1-shard1of1.bin", 0.5, "was changed since it was written"],
  ])("is refused where %s has other numbers than those that were meant", async (file, place, message) => {
    const write: ExportFormat["write"] = async (folder, ...rest) => {
      await hubFormat.write(folder, ...rest);
      const handle = await open(join(folder, file), "r+");
      const { size } = await handle.stat();
      await handle.write(
        Buffer.from(Float32Array.of(40, -40, 40, -40).buffer),
        0,
        16,
        4 * Math.floor((place * size) / 4) - 16,
      );
      await handle.close();
    };
    await expect(exported(toySource(), { write })).rejects.toThrow(message);
  });

  it("has a card with the run's results, and one file of them a database", async () => {
    const results = await readResults(QUICKSTART);
    const { folder } = await exported(withResults(toySource(), results));
    const [database] = results.databases;
    const card = frontMatterOf(folder);
    expect(card).toMatchObject({
      license: "other",
      library_name: "transformers",
      datasets: ["clive-sample"],
      "model-index": [{ name: "liqe-quickstart", results: [{ dataset: { name: "clive-sample", split: "test" } }] }],
    });
    expect(JSON.stringify(card)).toContain(`{"type":"spearmanr","name":"SRCC","value":${database?.srcc.value ?? NaN}}`);
    const entries: unknown = parse(readFileSync(join(folder, ".eval_results", "clive-sample.yaml"), "utf8"));
    expect(entries).toContainEqual({
      dataset: { id: "clive-sample", task_id: "plcc" },
      value: database?.plcc.value,
      notes: "split 1, test list, 120 images; protocol liqe, 5 windows an image; 95 % interval 0.468 to 0.746",
    });
    expect(readFileSync(join(folder, "README.md"), "utf8")).toContain("| 0.556 (0.397 to 0.700) |");
  });

  it("refuses a ResNet, which CLIPModel is not, before anything is computed", async () => {
    const { source } = toySource();
    const vision = { kind: "resnet", imageSize: 224, width: 8, stages: [1, 1, 1, 1], heads: 4 } as const;
    const check = hubFormat.check({ ...source, architecture: { ...source.architecture, vision } });
    await expect(check).rejects.toThrow(ConfigError);
  });

  it("claims no results where there are none", async () => {
    const { folder } = await exported(toySource());
    expect(existsSync(join(folder, ".eval_results"))).toBe(false);
    expect(frontMatterOf(folder)).not.toHaveProperty("model-index");
  });
});

describe("toTransformers", () => {
  it("turns projections, cuts the map of queries, keys and values in three, and keeps the rest", () => {
    const values = Float32Array.from({ length: 6 }, (_, i) => i);
    const weights = new Map([
      ["visual.proj", { shape: [2, 3], values }],
      ["transformer.resblocks.1.attn.in_proj_weight", { shape: [6, 1], values }],
      ["logit_scale", { shape: [], values: Float32Array.of(4) }],
    ]);
    const tensors = toTransformers(weights);
    const plain = [...tensors].map(([name, tensor]) => [name, tensor.shape, [...tensor.values()]]);
    const layer = "text_model.encoder.layers.1.self_attn";
    expect(plain).toEqual([
      ["visual_projection.weight", [3, 2], [0, 3, 1, 4, 2, 5]],
      [`${layer}.q_proj.weight`, [2, 1], [0, 1]],
      [`${layer}.k_proj.weight`, [2, 1], [2, 3]],
      [`${layer}.v_proj.weight`, [2, 1], [4, 5]],
      ["logit_scale", [], [4]],
    ]);
  });
});
