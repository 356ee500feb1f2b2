import { readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openBase, openModel, openWeights } from "../../src/api/openModel.js";
import { CheckpointError } from "../../src/base/errors.js";
import { kindOf } from "../../src/model/architecture/architecture.js";
import { PRESETS } from "../../src/model/architecture/presets.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { adapterShapes, initialAdapters, isAdapter, mergeAdapters } from "../../src/model/parameters/lora.js";
import { parameterShapes } from "../../src/model/parameters/shapes.js";
import { randomBase } from "../../src/train/checkpoint/adapter.js";
import { loadCheckpoint, saveCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { trainSplit } from "../../src/train/run.js";
import { stopWhen, temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyPlan, toyWeights } from "../support/runs.js";
import { relativeError } from "../support/tensors.js";
import { startTestEngine } from "../support/testEngine.js";

await startTestEngine();

/** A run's checkpoint of adapters. */
let folder = "";
let base = "";

beforeAll(async () => {
  const train = { epochs: 1, tune: "lora", lora: { rank: 2 }, learningRate: 0.05 };
  const plan = await toyPlan(await toyDatabase(), temporaryFolder(), train);
  const validate = () => Promise.resolve({ srcc: 0.5, average: 0.5 });
  await trainSplit(plan, { validate, signal: stopWhen(() => false) });
  folder = join(plan.folder, "last");
  base = plan.config.model.weights;
});

describe("openWeights of a checkpoint of adapters", () => {
  it("gives weights with the adapters merged into their base", async () => {
    const { weights } = await openWeights(folder);
    expect([...weights.keys()].some(isAdapter)).toBe(false);
    const checkpoint = await loadCheckpoint(folder);
    const expected = mergeAdapters(checkpoint.weights, 16); // the usual strength
    expect([...weights.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
    const query = "visual.transformer.resblocks.0.attn.in_proj_weight";
    expect(weights.get(query)?.values).toEqual(expected.get(query)?.values);
    const before = (await openWeights(base)).weights.get(query)?.values ?? [];
    expect(relativeError(weights.get(query)?.values ?? [], before)).toBeGreaterThan(1e-3);
  });

  it("gives a model that scores, and a preset that it is not is refused", async () => {
    const opened = await openModel(folder);
    const logits = opened.scorer.logits(new Uint8Array(opened.model.cropSize).fill(100));
    expect(logits.every(Number.isFinite)).toBe(true);
    opened.dispose();
    await expect(openWeights(folder, { preset: "vit-tiny" })).rejects.toThrow("adapter.safetensors: holds");
  });

  it("refuses a file that is none of ours", async () => {
    const broken = join(temporaryFolder(), "broken");
    const checkpoint = await loadCheckpoint(folder);
    await saveCheckpoint(broken, checkpoint);
    const file = join(broken, "adapter.safetensors");
    const bytes = readFileSync(file);
    const text = bytes.toString("latin1").replace("self_attn.q_proj.lora_A", "self_attn.x_proj.lora_A");
    writeFileSync(file, text, "latin1");
    await expect(openWeights(broken)).rejects.toThrow("adapter.safetensors: was changed since it was written");
    const manifest = join(broken, "manifest.json");
    const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
    const written = JSON.parse(readFileSync(manifest, "utf8")) as { files: Record<string, { sha256: string }> };
    const record = written.files["adapter.safetensors"];
    if (record !== undefined) record.sha256 = sha256;
    writeFileSync(manifest, JSON.stringify(written));
    await expect(openWeights(broken)).rejects.toThrow(CheckpointError);
    await expect(openWeights(broken)).rejects.toThrow(/"[\w.]+x_proj\.lora_A\.weight" fits no matrix of its base/);
    await expect(openWeights(broken)).rejects.toThrow(/"[\w.]+q_proj\.lora_A\.weight" is missing/);
  });
});

describe("openBase", () => {
  it("names the file of weights and of a checkpoint with its sum, and refuses adapters", async () => {
    const sha256 = createHash("sha256").update(readFileSync(base)).digest("hex");
    expect(await openBase(base)).toEqual({ kind: "file", path: base, sha256 });
    await expect(openBase(folder)).rejects.toThrow("holds adapters, and nothing else is trained beside those");
  });
});

describe("adapters on random weights", () => {
  it("are read with the weights of their preset and seed, and refused where those come out otherwise", async () => {
    const arrays = initialParameters(PRESETS["vit-tiny"], 3);
    const shapes = adapterShapes(parameterShapes(PRESETS["vit-tiny"]), 2, () => true);
    const own = await loadCheckpoint(folder);
    const weights = new Map([...arrays, ...initialAdapters(shapes, 3)]);
    const known = randomBase("vit-tiny", 3);
    const save = async (changes: object) => {
      const target = join(temporaryFolder(), "checkpoint");
      const adapter = { rank: 2, alpha: 4, dropout: 0, base: { ...known, ...changes } };
      await saveCheckpoint(target, { ...own, weights, adapter, optimizer: null });
      return loadCheckpoint(target);
    };
    const read = (await save({})).weights;
    expect(read.get("visual.proj")?.values).toEqual(arrays.get("visual.proj")?.values);
    expect([...read.keys()].filter(isAdapter)).toHaveLength(shapes.size);
    await expect(save({ seed: 4 })).rejects.toThrow("vit-tiny at random by seed 4, comes out otherwise now");
  });
});

describe("adapters on weights whose file does not say their heads", () => {
  it("are read with the heads that the run was told", async () => {
    const narrow = { ...TOY_ARCHITECTURE, vision: { ...TOY_ARCHITECTURE.vision, width: 96, heads: 3 } };
    const file = await toyWeights(narrow);
    const shapes = adapterShapes(parameterShapes(narrow), 2, () => true);
    const own = await loadCheckpoint(folder);
    const weights = new Map([...initialParameters(narrow, 5), ...initialAdapters(shapes, 3)]);
    const target = join(temporaryFolder(), "checkpoint");
    const adapter = { rank: 2, alpha: 4, dropout: 0, base: await openBase(file) };
    await saveCheckpoint(target, { ...own, weights, adapter, kind: kindOf(narrow), optimizer: null });
    const { weights: read, kind } = await loadCheckpoint(target);
    expect(kind.vision?.heads).toBe(3);
    expect(read.get("visual.proj")?.values).toEqual(initialParameters(narrow, 5).get("visual.proj")?.values);
  });
});
