import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startEngine } from "../../src/engine/engine.js";
import { findInstalledEngine } from "../../src/engine/install/installed.js";
import * as tf from "../../src/engine/tf.js";
import { compile, type Compiled } from "../support/compiled.js";
import { temporaryFolder } from "./temporary.js";

const HAS_NATIVE = findInstalledEngine().ok;
/** Sums of 24 products, in another order on each engine. */
const ONE_PRODUCT = { rtol: 1e-5, atol: 1e-6 };

afterEach(async () => {
  await startEngine("auto");
});

describe("startEngine", () => {
  it("gives the same answer, and the same backend, when called twice", async () => {
    const first = await startEngine("auto");
    const backend = tf.backend();
    expect(await startEngine("auto")).toEqual(first);
    expect(tf.backend()).toBe(backend);
  });

  it("computes with WebAssembly where that is asked for, gradients too", async () => {
    const { backend, threads, notice } = await startEngine("wasm");
    expect([backend, threads, notice, tf.getBackend()]).toEqual(["wasm", 1, null, "wasm"]);
    const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.matMul(x, x)));
    expect(gradient(tf.ones([2, 2]))).toBeAllClose([4, 4, 4, 4]);
  });

  it.skipIf(!HAS_NATIVE)("multiplies alike on the native engine and on WebAssembly", async () => {
    const a = Array.from({ length: 5 * 24 }, (_, i) => Math.sin(i));
    const b = Array.from({ length: 24 * 7 }, (_, i) => Math.cos(3 * i));
    const product = () => tf.matMul(tf.tensor2d(a, [5, 24]), tf.tensor2d(b, [24, 7]));
    await startEngine("native");
    const native = await product().data();
    await startEngine("wasm");
    expect(product()).toBeAllClose(native, ONE_PRODUCT);
  });

  it.skipIf(!HAS_NATIVE)("keeps TF32 as it was started with, and refuses to change it", async () => {
    await startEngine("native", { tf32: false });
    await expect(startEngine("native", { tf32: true })).rejects.toThrow(
      "tf32 is true, but this process computes with false already; start a new process to change it",
    );
  });

  it.skipIf(!HAS_NATIVE)("refuses another number of threads than it was started with", async () => {
    const { threads } = await startEngine("native");
    await expect(startEngine("native", { threads: threads + 1 })).rejects.toThrow(
      `threads is ${threads + 1}, but this process computes with ${threads} already`,
    );
  });
});

describe("a process that starts the engine", () => {
  let compiled: Compiled;
  beforeAll(() => {
    compiled = compile(["base", "engine"]);
  });
  afterAll(() => {
    compiled.remove();
  });
  /** Starts the engine in a new process, multiplies, and returns what the process printed beside its own one line. */
  const start = (call: string, env: Readonly<Record<string, string>> = {}) => {
    const { stdout, stderr } = compiled.run(
      `
      import { startEngine } from "./src/engine/engine.js";
      import * as tf from "./src/engine/tf.js";
      const info = await startEngine(${call}).catch(({ name, message }) => ({ name, message }));
      const product = info.backend ? [...tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).dataSync()] : null;
      process.stdout.write(JSON.stringify({ ...info, product }));
    `,
      env,
    );
    const answer: unknown = JSON.parse(stdout); // fails where anything else was printed
    return { answer, stderr };
  };

  it.each(["wasm", ...(HAS_NATIVE ? ["native"] : [])])("prints nothing, with %s", (choice) => {
    const { answer, stderr } = start(`"${choice}"`);
    expect(stderr).toBe("");
    expect(answer).toMatchObject({ backend: choice, product: [2, 2, 2, 2] });
  });

  it.skipIf(!HAS_NATIVE)("computes with the threads it is given", () => {
    expect(start('"native", { threads: 1 }').answer).toMatchObject({ threads: 1, product: [2, 2, 2, 2] });
  });

  it.skipIf(!HAS_NATIVE).each([
    { tf32: undefined, users: "1", override: "0" },
    { tf32: false, users: "1", override: "0" },
    { tf32: true, users: "0", override: "1" },
  ])(
    "has told NVIDIA's libraries by the time they load whether TF32 may be used: $tf32",
    ({ tf32, users, override }) => {
      const file = join(temporaryFolder(), "binding.cjs"); // in the binding's place: shows what one finds as it loads
      writeFileSync(
        file,
        "exports.found = process.env.NVIDIA_TF32_OVERRIDE; throw new Error(`found ${exports.found}`);",
      );
      const { stdout } = compiled.run(
        `
      import { loadNative } from "./src/engine/backend/native.js";
      try { loadNative(${JSON.stringify(file)}, { threads: 1, tf32: ${tf32 ?? false} }); }
      catch ({ message }) { process.stdout.write(message); }
      `,
        { NVIDIA_TF32_OVERRIDE: users },
      );
      expect(stdout).toBe(`found ${override}`);
      const started = compiled.run(
        `
      import { startEngine } from "./src/engine/engine.js";
      const { tf32 } = await startEngine("native", { tf32: ${tf32} });
      process.stdout.write(tf32 + " " + process.env.NVIDIA_TF32_OVERRIDE);
      `,
        { NVIDIA_TF32_OVERRIDE: users },
      );
      expect(started.stdout).toBe(`${tf32 ?? false} ${override}`);
    },
  );

  it("falls back to WebAssembly where the cache is empty, and says why and what helps in one line", () => {
    const { answer, stderr } = start('"auto"', { XDG_CACHE_HOME: temporaryFolder() });
    expect(stderr).toBe("");
    expect(answer).toMatchObject({
      backend: "wasm",
      product: [2, 2, 2, 2],
      notice:
        "Computing with WebAssembly, several times slower: the native engine is not installed; " +
        "`liqe engine install` provides it.",
    });
  });

  it("throws where the native engine is asked for and the cache is empty", () => {
    expect(start('"native"', { XDG_CACHE_HOME: temporaryFolder() }).answer).toMatchObject({
      name: "EngineError",
      message: "--engine native: the native engine is not installed; `liqe engine install` provides it",
    });
  });
});
