import { afterAll, beforeAll, describe } from "vitest";
import { startEngine } from "../../src/engine/engine.js";
import * as tf from "../../src/engine/tf.js";
import { startTestEngine } from "./testEngine.js";

await startTestEngine();
/** What could be started; without a native engine its half of the tests is skipped by name. */
const HAS_NATIVE = tf.getBackend() === "tensorflow";

/** The same tests on the native engine and on WebAssembly; the names say which. */
export function describeOnEachEngine(name: string, tests: (engine: "native" | "wasm") => void): void {
  for (const engine of ["native", "wasm"] as const) {
    describe.skipIf(engine === "native" && !HAS_NATIVE)(`${name}, ${engine}`, () => {
      beforeAll(async () => {
        await startEngine(engine);
      });
      afterAll(async () => {
        await startEngine("auto");
      });
      tests(engine);
    });
  }
}
