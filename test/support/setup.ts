import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type * as tf from "../../src/engine/tf.js";

/** float32 against a float64 reference: |a − e| ≤ atol + rtol·|e|, elementwise. */
export const F32 = { rtol: 1e-5, atol: 1e-7 };

interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

declare module "vitest" {
  interface Matchers<T> {
    toBeAllClose(expected: Iterable<number>, tolerance?: Tolerance): T;
  }
}

expect.extend({
  toBeAllClose(actual: tf.Tensor | Iterable<number>, expected: Iterable<number>, { rtol, atol }: Tolerance = F32) {
    const got = [...("dataSync" in actual ? actual.dataSync() : actual)];
    const want = [...expected];
    const excess = (a: number, e: number) => (a === e ? 0 : Math.abs(a - e) / (atol + rtol * Math.abs(e)));
    let worst: { i: number; a: number; e: number; excess: number } | undefined;
    let off = 0;
    want.forEach((e, i) => {
      const a = got[i] ?? NaN;
      const x = excess(a, e);
      if (x <= 1) return; // `x <= 1`, not `x > 1`: NaN must fail
      off++;
      if (worst === undefined || !(x <= worst.excess)) worst = { i, a, e, excess: x };
    });
    const pass = worst === undefined && got.length === want.length;
    return {
      pass,
      message: () =>
        worst
          ? `[${worst.i}] is ${worst.a}, expected ${worst.e}: ${worst.excess.toPrecision(2)}× the tolerance, ${off} of ${want.length} off`
          : `got ${got.length} values, expected ${want.length}${pass ? " others" : ""}`,
    };
  },
});

// Weights and moments by the million: where their bytes are the same, toEqual has no entries to look at one by one.
expect.addEqualityTesters([
  (a: unknown, b: unknown) => {
    if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return undefined;
    const [ours, theirs] = [a, b].map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer, byteOffset, byteLength),
    );
    return theirs !== undefined && ours?.equals(theirs) === true ? true : undefined; // else as by default
  },
]);

// Whatever a file's tests, and the programs that they start, leave in the temporary folder is gone with the file.
const folder = mkdtempSync(join(process.env["LIQE_TEST_FOLDER"] ?? tmpdir(), "file-"));
process.env["TMPDIR"] = folder;
afterAll(() => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 }); // a program of theirs may be ending
});

for (const level of ["log", "info", "warn", "error"] as const) {
  // A test that prints fails: TensorFlow.js reports an async tidy only on the console.
  console[level] = (...args: unknown[]) => {
    throw new Error(`unexpected console.${level}: ${args.map(String).join(" ")}`);
  };
}

// Two files of three have nothing to compute: an engine, a second to start, is for those that loaded TensorFlow.js.
const loaded = () => (globalThis as { readonly _tfengine?: ReturnType<typeof tf.engine> })._tfengine; // set as tfjs-core loads

beforeAll(async () => {
  if (loaded() === undefined) return;
  const { startTestEngine } = await import("./testEngine.js");
  await startTestEngine();
});
let isInScope = false; // a test may be the one that loads it
beforeEach(() => {
  loaded()?.startScope();
  isInScope = loaded() !== undefined;
});
afterEach(() => {
  if (isInScope) loaded()?.endScope();
});
