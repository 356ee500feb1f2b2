import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { isAdapter } from "../../src/model/parameters/lora.js";
import { readSafetensors, readWithMetadata } from "../../src/model/weights/safetensors.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { firstWeights } from "../../src/train/firstWeights.js";
import { trainSplit } from "../../src/train/run.js";
import { relativeError } from "../support/tensors.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const root = await toyDatabase();
const never = () => false;

/** Ports that validate nothing, and stop after so many steps. */
function ports(steps = Infinity) {
  let taken = 0;
  const scores = { srcc: 0.5, average: 0.5 };
  return { validate: () => Promise.resolve(scores), signal: stopWhen(() => ++taken >= steps) };
}

const TRAIN = { epochs: 2, saveEverySteps: 2 };
const LORA = { ...TRAIN, tune: "lora", lora: { rank: 2, alpha: 4 } };
const DROPPED = { ...TRAIN, tune: "lora", lora: { rank: 2, alpha: 4, dropout: 0.25 }, microBatch: 3 };
const NORMS = { ...TRAIN, tune: "norms" };
const PROBE = { ...TRAIN, tune: "probe" };
const PROMPTS = { ...TRAIN, tune: "prompts", prompts: { vectors: 2 } };
const PROMPTS_FILE = "last/prompts.safetensors";

describe.each([
  ["probe", PROBE],
  ["prompts", PROMPTS],
])("train.tune: %s", (_, train) => {
  it("learns the same by compiled functions and operation by operation", async () => {
    const compiled = await toyPlan(root, temporaryFolder(), train);
    const engine = { ...compiled.config.engine, compile: "never" as const };
    const eager = { ...compiled, folder: temporaryFolder(), config: { ...compiled.config, engine } };
    const start = await firstWeights(compiled);
    const changes: number[][] = [];
    for (const plan of [compiled, eager]) {
      await trainSplit(plan, ports());
      const [[name, { values }] = ["", { values: [] }]] = await readSafetensors(join(plan.folder, PROMPTS_FILE));
      changes.push(Array.from(values, (value, i) => value - (start.get(name)?.values[i] ?? NaN)));
    }
    const [first = [], second = []] = changes;
    expect(Math.hypot(...first)).toBeGreaterThan(0);
    expect(relativeError(second, first)).toBeLessThan(1e-3);
  });
});

describe("a checkpoint of adapters", () => {
  it("holds adapters alone, their base by its sum, and moments of nothing else", async () => {
    const plan = await toyPlan(root, temporaryFolder(), LORA);
    const before = tf.memory().numTensors;
    await trainSplit(plan, ports());
    expect(tf.memory().numTensors).toBe(before);
    const last = join(plan.folder, "last");
    const { arrays, metadata } = await readWithMetadata(join(last, "adapter.safetensors"));
    const base = plan.config.model.weights;
    const sha256 = createHash("sha256").update(readFileSync(base)).digest("hex");
    expect(JSON.parse(metadata["base"] ?? "")).toEqual({ kind: "file", path: base, sha256 });
    expect(arrays.size).toBe(2 * 6 * 2); // two blocks
    expect([...arrays.values()].every(({ values }) => values.some((value) => value !== 0))).toBe(true);
    const moments = [...(await readSafetensors(join(last, "optimizer.safetensors"))).keys()];
    expect(moments.every((name) => name.includes(".lora_"))).toBe(true);
    expect(() => statSync(join(last, "model.safetensors"))).toThrow();
    const config = JSON.parse(readFileSync(join(last, "adapter_config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({ peft_type: "LORA", r: 2, lora_alpha: 4, base_model_name_or_path: base });
    expect(config["target_modules"]).toContain("vision_model.encoder.layers.0.self_attn.q_proj");
    const { weights } = await loadCheckpoint(last);
    expect([...weights.keys()].filter(isAdapter)).toHaveLength(arrays.size);
  });

  it("tells PEFT and whoever goes on from it of their dropout, which is none where nothing is said", async () => {
    for (const [train, dropout] of [
      [DROPPED, 0.25],
      [LORA, 0],
    ] as const) {
      const plan = await toyPlan(root, temporaryFolder(), train);
      await trainSplit(plan, ports(2));
      const last = join(plan.folder, "last");
      const config = JSON.parse(readFileSync(join(last, "adapter_config.json"), "utf8")) as Record<string, unknown>;
      expect(config["lora_dropout"]).toBe(dropout);
      expect((await loadCheckpoint(last)).adapter).toMatchObject({ dropout });
      const { metadata } = await readWithMetadata(join(last, "adapter.safetensors"));
      expect("dropout" in metadata).toBe(dropout > 0);
    }
  });

  it("learned something else with dropout, by compiled functions and operation by operation alike", async () => {
    const adaptersOf = async (train: Record<string, unknown>, compile: "auto" | "never") => {
      const toy = await toyPlan(root, temporaryFolder(), train);
      const plan = { ...toy, config: { ...toy.config, engine: { ...toy.config.engine, compile } } };
      await trainSplit(plan, ports());
      const arrays = await readSafetensors(join(plan.folder, "last", "adapter.safetensors"));
      const ups = [...arrays].filter(([name]) => name.includes("lora_B")); // which begin at 0
      return ups.toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, { values }]) => [...values]);
    };
    const dropped = await adaptersOf(DROPPED, "auto");
    expect(relativeError(await adaptersOf(DROPPED, "never"), dropped)).toBeLessThan(1e-2);
    expect(relativeError(await adaptersOf(LORA, "auto"), dropped)).toBeGreaterThan(0.05);
  });

  it("refuses a base that is gone or another file than it was trained on", async () => {
    const plan = await toyPlan(root, temporaryFolder(), LORA);
    await trainSplit(plan, ports(2));
    const base = plan.config.model.weights;
    const bytes = readFileSync(base);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(base, bytes);
    const load = () => loadCheckpoint(join(plan.folder, "last"));
    await expect(load()).rejects.toThrow(CheckpointError);
    await expect(load()).rejects.toThrow(/adapter\.safetensors: its base .* is another file now, of SHA-256/);
    await expect(trainSplit(plan, ports())).rejects.toThrow("is another file now");
    rmSync(base);
    await expect(load()).rejects.toThrow("is not there; this file fits SHA-256");
  });
});

describe("train.tune: norms", () => {
  it("changes gains, shifts and biases, and nothing else", async () => {
    const plan = await toyPlan(root, temporaryFolder(), NORMS);
    const before = await plan.initialWeights();
    await trainSplit(plan, { ...ports(), signal: stopWhen(never) });
    const { weights } = await loadCheckpoint(join(plan.folder, "last"));
    const changed = [...weights].filter(([name, { values }]) => {
      const old = before.get(name)?.values ?? [];
      return values.some((value, i) => value !== old[i]);
    });
    const names = changed.map(([name]) => name);
    expect(names).toContain("visual.ln_pre.weight");
    expect(names).toContain("transformer.resblocks.0.attn.in_proj_bias");
    expect(names.filter((name) => !/ln_\w+\.weight$|bias$/.test(name))).toEqual([]);
    const expected = [...weights.keys()].filter((name) => /ln_\w+\.(weight|bias)$|bias$/.test(name));
    expect(names.toSorted()).toEqual(expected.toSorted());
  });
});
