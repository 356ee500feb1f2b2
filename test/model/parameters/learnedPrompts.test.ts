import { describe, expect, it } from "vitest";
import {
  checkLearnedPrompts,
  contextShape,
  hasLearnedPrompts,
  initialContext,
  networkArrays,
  promptArrays,
} from "../../../src/model/parameters/learnedPrompts.js";
import type { NamedArray } from "../../../src/model/parameters/parameters.js";

const array = (...shape: readonly number[]): NamedArray => ({ shape, values: new Float32Array() });
const ADAPTER = "transformer.resblocks.0.mlp.fc1.lora_A.weight";

describe("learned prompts", () => {
  it("are told from the network's arrays and its adapters", () => {
    const features = new Map([
      ["visual.proj", array(2)],
      ["prompt_features", array(1)],
      [ADAPTER, array(1)],
    ]);
    const context = new Map([["prompt_context", array(1)]]);
    expect([...promptArrays(features).keys()]).toEqual(["prompt_features"]);
    expect([...promptArrays(context).keys()]).toEqual(["prompt_context"]);
    expect([...networkArrays(features).keys()]).toEqual(["visual.proj"]);
    expect([...networkArrays(context).keys()]).toEqual([]);
    const adapters = new Map([[ADAPTER, array(1)]]);
    expect([features, context, adapters, networkArrays(features)].map(hasLearnedPrompts)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("say by their shape how many context vectors a prompt has, and whether all share them", () => {
    expect(contextShape([4, 8])).toEqual({ vectors: 4, isShared: true });
    expect(contextShape([3, 4, 8])).toEqual({ vectors: 4, isShared: false });
    expect(contextShape(undefined)).toBeNull();
  });

  it("are refused for other prompts or another network, with the shapes that fit", () => {
    const told = (name: string, ...shape: readonly number[]) => {
      const weights = new Map([[name, array(...shape)]]);
      try {
        checkLearnedPrompts("run", weights, 3, { embedding: 6, text: { width: 8 } });
        return `${name} of [${shape.join(", ")}] fits`;
      } catch (error) {
        return String(error);
      }
    };
    const lines = [
      told("prompt_features", 3, 6),
      told("prompt_features", 4, 6),
      told("prompt_features", 3, 5),
      told("prompt_context", 4, 8),
      told("prompt_context", 3, 4, 8),
      told("prompt_context", 4, 7),
      told("prompt_context", 2, 4, 8),
      told("prompt_context", 3, 3, 4, 8),
      told("prompt_context", 8),
      told("logit_scale"),
    ];
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      prompt_features of [3, 6] fits
      CheckpointError: run: prompt_features is [4, 6], for these prompts it must be [3, 6]; name the prompts that it was learned with: --config F, or --prompts FILE
      CheckpointError: run: prompt_features is [3, 5], for these prompts it must be [3, 6]; name the prompts that it was learned with: --config F, or --prompts FILE
      prompt_context of [4, 8] fits
      prompt_context of [3, 4, 8] fits
      CheckpointError: run: prompt_context is [4, 7], for these prompts it must be [vectors, 8] or [3, vectors, 8]; name the prompts that it was learned with: --config F, or --prompts FILE
      CheckpointError: run: prompt_context is [2, 4, 8], for these prompts it must be [vectors, 8] or [3, vectors, 8]; name the prompts that it was learned with: --config F, or --prompts FILE
      CheckpointError: run: prompt_context is [3, 3, 4, 8], for these prompts it must be [vectors, 8] or [3, vectors, 8]; name the prompts that it was learned with: --config F, or --prompts FILE
      CheckpointError: run: prompt_context is [8], for these prompts it must be [vectors, 8] or [3, vectors, 8]; name the prompts that it was learned with: --config F, or --prompts FILE
      logit_scale of [] fits
      "
    `);
  });
});

describe("initialContext", () => {
  const TABLE = { shape: [4, 2], values: Float32Array.of(0, 1, 10, 11, 20, 21, 30, 31) };

  it("begins as the embeddings of words, alike in all prompts", () => {
    const shared = initialContext(TABLE, { prompts: null, vectors: 2, words: [3, 1], seed: 1 });
    expect(shared).toEqual({ shape: [2, 2], values: Float32Array.of(30, 31, 10, 11) });
    const own = initialContext(TABLE, { prompts: 2, vectors: 2, words: [3, 1], seed: 1 });
    expect(own).toEqual({ shape: [2, 2, 2], values: Float32Array.of(30, 31, 10, 11, 30, 31, 10, 11) });
  });

  it("begins at random, of deviation 0.02 and by its seed", () => {
    const start = { prompts: 500, vectors: 2, words: null, seed: 3 };
    const { shape, values } = initialContext(TABLE, start);
    expect([shape, values.length]).toEqual([[500, 2, 2], 2000]);
    expect(Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / 2000)).toBeCloseTo(0.02, 3);
    expect(new Set(values).size).toBeGreaterThan(1990);
    expect(initialContext(TABLE, start).values).toEqual(values);
    expect(initialContext(TABLE, { ...start, seed: 4 }).values).not.toEqual(values);
    expect([...values.subarray(0, 3)].map((value) => value.toPrecision(4))).toMatchInlineSnapshot(`
      [
        "-0.005444",
        "-0.007185",
        "0.006297",
      ]
    `);
  });
});
