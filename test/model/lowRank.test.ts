import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { valueAndGradients } from "../../src/engine/autodiff/valueAndGradients.js";
import * as tf from "../../src/engine/tf.js";
import { type Checkpointing, selfAttention, transformer } from "../../src/model/layers.js";
import { dropoutMask } from "../../src/model/lowRank.js";
import type { ReadParameter } from "../../src/model/parameters/parameters.js";
import { describeOnEachEngine } from "../support/eachEngine.js";
import { uniform, weightOf } from "../support/encoderKinds.js";
import { startTestEngine } from "../support/testEngine.js";
import { expectTensorsKept } from "../support/tensors.js";

await startTestEngine();

interface Fingerprint {
  readonly norm: number;
  readonly products: readonly number[];
}

interface Case {
  readonly width: number;
  readonly value: Fingerprint;
  readonly gradients: Readonly<Record<string, Fingerprint>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** By PEFT: scripts/reference/lora_dropout.py. */
const REFERENCE = JSON.parse(
  readFileSync(new URL("../fixtures/train/loraDropout.json", import.meta.url), "utf8"),
) as Record<"crops" | "tokens" | "layers" | "heads" | "rank" | "alpha" | "rate" | "key" | "first", number> & {
  readonly cases: readonly Case[];
}; // as the script writes it

/** Of a value or a gradient, by its norm: float32 against float64. */
const ERROR = 3e-5;

const drawOf = (key: number, first: number) => tf.tensor1d([key, first], "int32");

type Dropped = Parameters<typeof dropoutMask>[1];

const dropped = (changes: Partial<Dropped> = {}): Dropped => ({
  ...{ rate: 0.25, draw: drawOf(7, 0), crops: 4 },
  ...changes,
});

const numbersOf = (mask: tf.Tensor) => [...mask.dataSync()];

describe("dropoutMask", () => {
  it.each([0.1, 0.5, 0.9])("drops a share of %s and keeps the rest times 1/(1 - share)", (rate) => {
    const mask = numbersOf(dropoutMask([400, 100], dropped({ rate }), 0));
    const kept = mask.filter((value) => value !== 0);
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / (1 - rate))]));
    const deviation = Math.sqrt((rate * (1 - rate)) / mask.length);
    expect(Math.abs(1 - kept.length / mask.length - rate)).toBeLessThan(4 * deviation);
  });

  it.each([8, 10])("is for crops in pieces what it is for all of them: rows %d wide", (width) => {
    const whole = numbersOf(dropoutMask([20, width], dropped({ crops: 4 }), 3));
    const pieces = [0, 1, 3].map((first) => {
      const crops = first === 1 ? 2 : 1;
      return numbersOf(dropoutMask([5 * crops, width], dropped({ crops, draw: drawOf(7, first) }), 3));
    });
    expect(pieces.flat()).toEqual(whole);
  });

  it("is another one for another step, another map, another crop and another row", () => {
    const rows = (at: Partial<Dropped>, stream = 3) => dropoutMask([8, 64], dropped({ rate: 0.5, ...at }), stream);
    const masks = [rows({}), rows({ draw: drawOf(8, 0) }), rows({}, 4), rows({ draw: drawOf(7, 4) })];
    const all = masks.flatMap((mask) => tf.unstack(mask).map((row) => numbersOf(row).join()));
    expect(new Set(all).size).toBe(4 * 8);
  });

  it("does not cut prompts: the crops' place changes nothing", () => {
    const of = (first: number) => numbersOf(dropoutMask([6, 8], dropped({ crops: null, draw: drawOf(7, first) }), 1));
    expect(of(5)).toEqual(of(0));
  });

  it("keeps its result alone", () => {
    const options = dropped();
    expectTensorsKept(1, () => dropoutMask([4, 8], options, 0));
  });
});

/** Value and gradients of the reference's blocks, by name. */
function blocksOf({ width, shapes }: Case, keep: Checkpointing): Map<string, Float32Array> {
  const { crops, tokens, layers, heads, alpha, rate, key, first } = REFERENCE;
  const adapters = new Map(Object.entries(shapes).map(([name, shape]) => [name, tensorOf(name, shape)] as const));
  const known = new Map<string, tf.Tensor>([...adapters].map(([name, tensor]) => [ownName(name), tensor]));
  const read = ((name: string) => {
    const found = known.get(name) ?? frozenOf(name, width);
    known.set(name, found);
    return found;
  }) as ReadParameter; // of the shapes that the script has
  const x = tf.tensor2d(Float32Array.from(uniform("x", crops * tokens * width)), [crops * tokens, width]);
  const select = (states: tf.Tensor2D) =>
    tf.reshape<tf.Rank.R2>(tf.slice(tf.reshape(states, [crops, tokens, width]), [0, 0, 0], [-1, 1, -1]), [
      crops,
      width,
    ]);
  const draw = drawOf(key, first);
  const names = new Set([...adapters.keys()].map(ownName));
  const value = () => {
    const states = transformer(x, {
      ...{ read, prefix: "visual.transformer", layers, attend: selfAttention(crops, heads), activation: "quick-gelu" },
      ...{ select, keep, adapters: { alpha, names, dropout: { rate, draw }, crops } },
    });
    const direction = tf.tensor2d(Float32Array.from(uniform("a", states.size)), states.shape);
    return { value: tf.sum(tf.mul(states, direction)), aux: states };
  };
  const { aux, gradients } = valueAndGradients(value, [x, ...adapters.values()]);
  const found = gradients.map((gradient) => gradient?.dataSync<"float32">() ?? new Float32Array());
  return new Map([["value", aux.dataSync<"float32">()], ...["x", ...adapters.keys()].map((name, i) => [name, found[i] ?? new Float32Array()] as const)]); // prettier-ignore
}

const tensorOf = (name: string, shape: readonly number[]) => tf.tensor(weightOf(name, shape).values, [...shape]);
const ownName = (name: string) => name.replace(/^blocks\./, "visual.transformer.resblocks.");

/** Weight that is not trained, as the script has it: queries, keys and values apart. */
function frozenOf(name: string, width: number): tf.Tensor {
  const theirs = name
    .replace("visual.transformer.resblocks.", "blocks.")
    .replace("attn.", "self_attn.")
    .replace("c_fc", "fc1")
    .replace("c_proj", "fc2");
  const [rows, columns] = [theirs.includes("fc1") ? 4 * width : width, theirs.includes("fc2") ? 4 * width : width];
  const shape = /bias$|ln_\d/.test(theirs) ? [rows] : [rows, columns];
  if (!theirs.includes("in_proj_")) return tensorOf(theirs, shape);
  return tf.concat(["q", "k", "v"].map((part) => tensorOf(theirs.replace("in_proj_", `${part}_proj.`), shape)));
}

/** Names of what is too far from the reference, by its norm. */
function wrong(found: ReadonlyMap<string, Float32Array>, { value, gradients }: Case): string[] {
  return Object.entries({ value, ...gradients }).flatMap(([name, { norm, products }]) => {
    const values = found.get(name) ?? new Float32Array();
    const dot = (other: ArrayLike<number>) => values.reduce((sum, one, i) => sum + one * (other[i] ?? NaN), 0);
    const own = [Math.sqrt(dot(values)), ...products.map((_, k) => dot(uniform(`${name} ${k}`, values.length)))];
    const errors = [norm, ...products].map((expected, i) => Math.abs((own[i] ?? NaN) - expected) / norm);
    return errors.every((error) => error < ERROR) ? [] : [`${name}: ${errors.join(", ")}`];
  });
}

describeOnEachEngine("transformer with dropped adapters", () => {
  it.each(REFERENCE.cases)("has PEFT's value and gradients, given its mask: $width wide", (one) => {
    expect(Object.keys(one.gradients)).toHaveLength(1 + 2 * 6 * REFERENCE.layers);
    expect(wrong(blocksOf(one, "activations"), one)).toEqual([]);
  });

  it("has the same bits where blocks are computed again", () => {
    for (const one of REFERENCE.cases) expect(blocksOf(one, "inputs")).toEqual(blocksOf(one, "activations"));
  });
});
