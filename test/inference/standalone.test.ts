import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { goldenImage } from "../../src/export/golden/goldenImages.js";
import { Liqe } from "../../src/inference/index.js";
import { compile, type Compiled } from "../support/compiled.js";
import { livelySource, TOY_STEM, toyTfjs } from "../support/exports.js";

/** Another engine in another process, both float32 (logits are scaled by 100). */
const OTHER_ENGINE = { rtol: 0, atol: 1e-3 };

/** A program of somebody's who installed the package: no engine of ours is started in it. */
describe("liqe-train/inference in a program of its own", () => {
  let compiled: Compiled;
  let folder: string;
  beforeAll(async () => {
    compiled = compile(["base", "engine", "model", "data", "evaluate", "inference", "export"]);
    folder = await toyTfjs("f32", livelySource(TOY_STEM));
  });
  afterAll(() => {
    compiled.remove();
  });

  const program = (backend: string) => `
    ${backend}
    import { readFile } from "node:fs/promises";
    import { Liqe } from "./src/inference/index.js";
    import { goldenImage } from "./src/export/golden/goldenImages.js";
    try {
      const liqe = await Liqe.load((name) => readFile(${JSON.stringify(folder)} + "/" + name));
      const { rows, cols, pixels } = goldenImage(7);
      const { quality } = await liqe.score({ width: cols, height: rows, data: pixels });
      console.log(JSON.stringify({ quality }));
    } catch (error) {
      console.log(JSON.stringify({ name: error.name, message: error.message }));
    }`;

  it("scores on a backend that the program imports", async () => {
    const { stdout, stderr } = compiled.run(program('import "@tensorflow/tfjs-backend-wasm";'));
    expect(stderr).toBe("");
    const liqe = await Liqe.load((name) => readFile(join(folder, name)));
    const { rows, cols, pixels } = goldenImage(7);
    const here = await liqe.score({ width: cols, height: rows, data: pixels });
    liqe.dispose();
    const { quality } = JSON.parse(stdout) as { quality: number }; // as the program printed it
    expect([quality]).toBeAllClose([here.quality], OTHER_ENGINE);
  });

  it("says that a backend is missing where the program imports none", () => {
    const { stdout } = compiled.run(program(""));
    expect(JSON.parse(stdout)).toMatchObject({
      name: "EngineError",
      message: expect.stringContaining("no TensorFlow.js backend starts; import one first") as unknown,
    });
  });
});
