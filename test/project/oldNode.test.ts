import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

/** The installation that both commands of a fresh clone begin with, by a Node that says it is this version. */
function installBy(version: string) {
  const steps = pathToFileURL(join(PACKAGE_ROOT, "scripts", "steps.mjs")).href;
  const program = [
    `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });`,
    `const { install, main } = await import("${steps}");`,
    "await main(install);",
  ].join("\n");
  return spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
}

describe("a fresh clone's commands", () => {
  it.each(["18.20.0", "20.10.0"])("refuse Node %s at once, and say what is needed", (version) => {
    const { status, stderr } = installBy(version);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: `\nneeds Node 20.11 or later, this is ${version}; get one from nodejs.org\n`,
    });
  });

  it("have npm warn of packages that name a later Node, and not refuse them", () => {
    expect(readFileSync(join(PACKAGE_ROOT, ".npmrc"), "utf8")).not.toContain("engine-strict");
  });
});
