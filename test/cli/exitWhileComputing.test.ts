import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { findInstalledEngine } from "../../src/engine/install/installed.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

const moduleOf = (path: string) => JSON.stringify(pathToFileURL(join(PACKAGE_ROOT, "dist/engine", path)).href);

const installed = findInstalledEngine();
const canCompile = installed.ok && installed.engine.flavor !== "official";

/** Runs lines in a process of their own, while `product` of 1,000 matrix products computes. */
async function endsWith(lines: readonly string[]) {
  const program = [
    `import { startEngine } from ${moduleOf("engine.js")};`,
    `import * as tf from ${moduleOf("tf.js")};`,
    `import { Compiler } from ${moduleOf("compile/compile.js")};`,
    'await startEngine("native", { threads: 1 });',
    'const x = tf.ones([500, 500]), compiler = new Compiler("float32");',
    "const products = (count) => ([x]) => { let y = x; for (let i = 0; i < count; i++) y = tf.matMul(y, x); return [y]; };",
    ...lines,
  ].join("\n");
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [stderr] = await Promise.all([text(child.stderr), once(child, "exit")]);
  return { status: child.exitCode, signal: child.signalCode, stderr };
}

describe.skipIf(!canCompile)("a process that ends while a compiled function computes", () => {
  it("ends with its own exit code", async () => {
    // The first call loads what the end destroys: a crash came in one process of fifteen, at various times
    const waits = [0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 140];
    for (let i = 0; i < waits.length; i += 6) {
      const ends = waits
        .slice(i, i + 6)
        .map((ms) =>
          endsWith(['void compiler.run("product", [x], products(1000));', `setTimeout(() => process.exit(5), ${ms});`]),
        );
      for (const end of ends) expect(await end).toEqual({ status: 5, signal: null, stderr: "" });
    }
  });

  it("ends by an exception that nobody catches with code 1 and its message", async () => {
    const ends = Array.from({ length: 3 }, () =>
      endsWith([
        'await compiler.run("first", [x], products(3));',
        'void compiler.run("product", [x], products(1000));',
        'setTimeout(() => { throw new Error("nobody catches this"); }, 50);',
      ]),
    );
    for (const end of ends) {
      const { stderr, ...rest } = await end;
      expect(rest).toEqual({ status: 1, signal: null });
      expect(stderr).toContain("nobody catches this");
    }
  });
});
