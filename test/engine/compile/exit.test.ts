import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { findInstalledEngine } from "../../../src/engine/install/installed.js";
import { PACKAGE_ROOT } from "../../../src/base/packageInfo.js";

const moduleOf = (path: string) => JSON.stringify(pathToFileURL(join(PACKAGE_ROOT, "dist/engine", path)).href);

const installed = findInstalledEngine();
const canCompile = installed.ok && installed.engine.flavor !== "official";

it.skipIf(!canCompile)("a process that exits while a compiled function computes ends with its own exit code", () => {
  const program = [
    `import { startEngine } from ${moduleOf("engine.js")};`,
    `import * as tf from ${moduleOf("tf.js")};`,
    `import { Compiler } from ${moduleOf("compile/compile.js")};`,
    'await startEngine("native", { threads: 1 });',
    'const x = tf.ones([500, 500]), compiler = new Compiler("float32");',
    "const product = ([x]) => { let y = x; for (let i = 0; i < 1000; i++) y = tf.matMul(y, x); return [y]; };",
    'void compiler.run("product", [x], product);',
    "setTimeout(() => process.exit(5), 50);",
  ].join("\n");
  const run = () => spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  const ends = Array.from({ length: 12 }, run).map(({ status, signal, stderr }) => ({ status, signal, stderr }));
  expect(ends).toEqual(ends.map(() => ({ status: 5, signal: null, stderr: "" }))); // a crash came about one time in five
});
