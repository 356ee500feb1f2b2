import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { adapterShapes, mergeAdapters } from "../../src/model/parameters/lora.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { fileBase } from "../../src/train/checkpoint/adapter.js";
import { loadCheckpoint, saveCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { trainSplit } from "../../src/train/run.js";
import { goldenWeights } from "../support/golden.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";
import { relativeError } from "../support/tensors.js";

/** Python with PEFT: the one that the variable names, else the system's. */
const PYTHON = process.env["LIQE_TEST_PYTHON"] ?? "python3";
const hasPeft = spawnSync(PYTHON, ["-P", "-c", "import peft, transformers, safetensors"]).status === 0;

describe.skipIf(!hasPeft)("a checkpoint's adapters, with PEFT (LIQE_TEST_PYTHON names a Python that has it)", () => {
  it("are loaded by it and merged into the same weights", async () => {
    const base = goldenWeights("weights-hf.safetensors");
    const { parameters } = await loadParameters(base);
    const shapes = new Map([...parameters].map(([name, { shape }]) => [name, shape]));
    const random = seededRandom(11);
    const adapters = [...adapterShapes(shapes, 2, () => true)].map(([name, shape]) => {
      const size = shape.reduce((product, axis) => product * axis, 1);
      return [name, { shape, values: Float32Array.from({ length: size }, () => 0.1 * random.normal()) }] as const;
    });
    const weights = new Map([...parameters, ...adapters]);
    // A run's own checkpoint, with these weights in the place of its toy's
    const plan = await toyPlan(await toyDatabase(), temporaryFolder(), { epochs: 1, tune: "lora", lora: { rank: 2 } });
    const validate = () => Promise.resolve({ srcc: 0.5, average: 0.5 });
    await trainSplit(plan, { validate, signal: stopWhen(() => false) });
    const own = await loadCheckpoint(join(plan.folder, "last"));
    const folder = join(temporaryFolder(), "checkpoint");
    const adapter = { rank: 2, alpha: 6, dropout: 0, base: await fileBase(base) };
    await saveCheckpoint(folder, { ...own, weights, adapter, kind: {}, optimizer: null });

    const merged = join(temporaryFolder(), "merged.safetensors");
    const script = join(PACKAGE_ROOT, "scripts", "reference", "peft_check.py");
    const { status, stderr } = spawnSync(PYTHON, ["-P", script, base, folder, merged], { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    const theirs = (await loadParameters(merged)).parameters;
    const ours = mergeAdapters(weights, adapter.alpha);
    const errors = [...ours].map(([name, { values }]) => [name, relativeError(theirs.get(name)?.values ?? [], values)]);
    expect(errors.filter(([, error]) => !(Number(error) < 1e-6))).toEqual([]);
    const query = "visual.transformer.resblocks.0.attn.in_proj_weight";
    const before = parameters.get(query)?.values ?? [];
    expect(relativeError(theirs.get(query)?.values ?? [], before)).toBeGreaterThan(1e-2);
  });
});
