import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

it("scripts/mutants.mjs: each wrong program can be applied, and the tests that refuse it are there", () => {
  const check = () => execFileSync(process.execPath, [join(PACKAGE_ROOT, "scripts", "mutants.mjs"), "--check"], { stdio: "pipe" }); // prettier-ignore
  expect(check).not.toThrow();
});
