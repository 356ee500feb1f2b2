import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder } from "../support/runs.js";

/** npm's of Node 20.11, of the latest Node 20 and 22, and of Node 24: each reads lockfiles and overrides in its own way. */
const VERSIONS = ["10.2.4", "10.8.2", "10.9.4", "11.6.2"];

const npx = (version: string, ...args: readonly string[]) => [
  "--yes",
  "--package",
  `npm@${version}`,
  "--",
  "npm",
  ...args,
];
const isHad = (version: string) => spawnSync("npx", npx(version, "--version"), { stdio: "ignore" }).status === 0;
const reason = VERSIONS.every(isHad) ? "" : " (skipped: no registry answers)";

describe.skipIf(reason !== "")(`npm ci${reason}`, () => {
  it.each(VERSIONS)("by npm %s takes package.json and the lockfile as they are", (version) => {
    const folder = temporaryFolder();
    for (const name of ["package.json", "package-lock.json", ".npmrc"])
      copyFileSync(join(PACKAGE_ROOT, name), join(folder, name));
    const output = execFileSync("npx", npx(version, "ci", "--dry-run"), {
      cwd: folder,
      encoding: "utf8",
      stdio: "pipe",
    });
    expect(output).toMatch(/^added \d+ packages/m);
  });
});
