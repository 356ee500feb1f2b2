import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import quick from "../../vitest.quick.config.js";
import slow, { SLOW } from "../../vitest.slow.config.js";

describe("the slow tests", () => {
  it("are files that exist, which the one configuration runs and the other leaves out", () => {
    expect(SLOW.filter((file) => !existsSync(join(PACKAGE_ROOT, file)))).toEqual([]);
    expect(slow.test?.include).toEqual(SLOW);
    expect(quick.test?.include).toEqual(["test/**/*.test.ts"]);
    expect(quick.test?.exclude).toEqual(expect.arrayContaining(SLOW));
  });

  it("hold nothing of the folders that guard the numbers", () => {
    const numeric = /^test\/(model|losses|train|engine|data|evaluate|export|inference)\//;
    expect(SLOW.filter((file) => numeric.test(file))).toEqual([]);
  });

  it("run in CI, after all others", () => {
    const lines = readFileSync(join(PACKAGE_ROOT, ".ci", "run"), "utf8").split("\n");
    expect(lines.filter((line) => line.includes("npm"))).toEqual(["npm test", "exec npm run test:slow"]);
  });
});
