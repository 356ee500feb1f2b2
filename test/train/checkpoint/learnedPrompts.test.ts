import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import { writeDurable } from "../../../src/base/files.js";
import { PROMPT_CONTEXT, PROMPT_FEATURES } from "../../../src/model/parameters/learnedPrompts.js";
import type { NamedArray } from "../../../src/model/parameters/parameters.js";
import { writeSafetensors } from "../../../src/model/weights/safetensors.js";
import { adapterMetadata, fileBase, readLearnedPrompts } from "../../../src/train/checkpoint/adapter.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyWeights } from "../../support/runs.js";

const base = await toyWeights();
const metadata = adapterMetadata({ base: await fileBase(base) });
const { embedding } = TOY_ARCHITECTURE;

async function written(arrays: Record<string, NamedArray>, header: Record<string, string> = metadata): Promise<string> {
  const file = join(temporaryFolder(), "prompts.safetensors");
  await writeDurable(file, (handle) => writeSafetensors(handle, new Map(Object.entries(arrays)), header));
  return file;
}

const ones = (...shape: number[]): NamedArray => {
  return { shape, values: new Float32Array(shape.reduce((size, axis) => size * axis, 1)).fill(1) };
};

describe("readLearnedPrompts", () => {
  it("gives what was learned beside the weights of its base", async () => {
    const { weights, adapter } = await readLearnedPrompts(await written({ [PROMPT_FEATURES]: ones(10, embedding) }));
    expect(weights.get(PROMPT_FEATURES)?.shape).toEqual([10, embedding]);
    expect(weights.has("visual.proj")).toBe(true);
    expect(adapter).toEqual({ base: await fileBase(base) });
  });

  it("refuses anything else, naming what it found", async () => {
    const refused = async (file: Promise<string>, why: string) => {
      const reading = readLearnedPrompts(await file);
      await expect(reading).rejects.toThrow(CheckpointError);
      await expect(reading).rejects.toThrow(why);
    };
    const good = { [PROMPT_CONTEXT]: ones(2, TOY_ARCHITECTURE.text.width) };
    await refused(
      written({ ...good, other: ones(1) }),
      "got other, prompt_context; was it written by another program?",
    );
    await refused(written({ "visual.proj": ones(2, 2) }), 'must hold "prompt_features" or "prompt_context" alone');
    await refused(
      written({ [PROMPT_CONTEXT]: ones(2, 5) }),
      '"prompt_context" is [2, 5], and its base has 8 numbers a row',
    );
    await refused(written({ [PROMPT_FEATURES]: { shape: [1, 1], values: Float32Array.of(NaN) } }), "of finite numbers");
    await refused(written(good, {}), "its header does not say the base that it belongs to");
    const gone = await toyWeights();
    const lost = written(good, adapterMetadata({ base: await fileBase(gone) }));
    rmSync(gone);
    await refused(lost, "is not there; this file fits SHA-256");
  });
});
