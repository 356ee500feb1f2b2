import { describe, expect, it } from "vitest";
import { canCompile } from "../../src/engine/compile/binding.js";
import { Compiler } from "../../src/engine/compile/compile.js";
import { startEngine } from "../../src/engine/engine.js";
import * as tf from "../../src/engine/tf.js";
import { uniformAt } from "../../src/engine/uniform.js";
import { startTestEngine } from "../support/testEngine.js";
import { expectTensorsKept } from "../support/tensors.js";

await startTestEngine();

const int = (value: number) => tf.tensor1d([value], "int32");

function numbers(shape: readonly [number, number], [key, stream, place]: readonly [number, number, number]): number[] {
  return tf.tidy(() => [...uniformAt(shape, { key: int(key), stream, place: int(place) }).dataSync()]);
}

/**
 * Words of Philox 4x32-10 of key (1234567, 0) and counters (5, 0, 3, 0) and (6, 0, 3, 0), as signed numbers, by
 * scripts/reference/philox.py: the authors' constants in Python's integers.
 */
const WORDS = [914551015, 928838536, 2070963857, 983469580, 979271331, -282367505, 1630789589, 1372317257];

describe("uniformAt", () => {
  it("gives Philox's numbers", () => {
    const expected = WORDS.map((word) => Math.fround(Math.fround(word) / 2 ** 32 + 0.5));
    expect(numbers([2, 4], [1234567, 3, 5])).toEqual(expected);
  });

  it("gives the same bits in WebAssembly and on the native engine, for a number of entries that 4 does not divide", async () => {
    const places = [
      [2 ** 31 - 1, 0, 0],
      [77, 1_000_013, 123_456_789],
    ] as const;
    const ours = places.map((at) => numbers([7, 5], at));
    await startEngine("wasm", { threads: 1 });
    const byHost = places.map((at) => numbers([7, 5], at));
    await startTestEngine();
    expect(byHost).toEqual(ours);
  });

  it("gives from a later place on what it gives there from the beginning", () => {
    expect(numbers([3, 4], [9, 2, 4])).toEqual(numbers([7, 4], [9, 2, 0]).slice(16));
  });

  it("gives other numbers for another key and for another stream", () => {
    const some = numbers([4, 4], [9, 2, 0]);
    for (const at of [
      [8, 2, 0],
      [9, 3, 0],
    ] as const)
      expect(numbers([4, 4], at).filter((value, i) => value === some[i])).toEqual([]);
  });

  it("is uniform: each tenth of [0, 1) has its share of 40,000 numbers", () => {
    const found = numbers([200, 200], [4, 0, 0]);
    for (let tenth = 0; tenth < 10; tenth++) {
      const count = found.filter((value) => Math.min(9, Math.floor(10 * value)) === tenth).length;
      expect(Math.abs(count - 4000)).toBeLessThan(4 * Math.sqrt(40_000 * 0.1 * 0.9)); // four deviations
    }
  });

  it.skipIf(!canCompile()).each([false, true])(
    "gives the same bits in a compiled function, whose key and place are inputs; by XLA: %s",
    async (isByXla) => {
      const compiler = new Compiler("float32", isByXla);
      const f = ([key, place]: readonly tf.Tensor[]) => [
        uniformAt([5, 6], { key: key as tf.Tensor1D, stream: 11, place: place as tf.Tensor1D }), // as passed
      ];
      for (const [key, place] of [
        [3, 0],
        [4, 1000],
      ] as const) {
        const [found] = await compiler.run("uniform", [int(key), int(place)], f);
        expect([...(found?.dataSync() ?? [])]).toEqual(numbers([5, 6], [key, 11, place]));
      }
      compiler.dispose();
    },
  );

  it("keeps its result alone", () => {
    const [key, place] = [int(1), int(2)];
    expectTensorsKept(1, () => uniformAt([3, 4], { key, stream: 0, place }));
  });
});
