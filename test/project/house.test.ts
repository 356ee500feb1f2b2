import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { AT_CLOSE, BARS, measureHouse } from "../../scripts/house.mjs";

describe("the house (scripts/house.mjs)", () => {
  const { figures, lists, walkProblems } = measureHouse(PACKAGE_ROOT);
  const held = (Object.keys(BARS) as (keyof typeof BARS)[]).filter((name) => !AT_CLOSE.includes(name));

  it.each(held)("%s is at most its bar", (name) => {
    const counted = (lists as Partial<Record<string, readonly string[]>>)[name]?.join("\n") ?? "";
    expect(figures[name], counted).toBeLessThanOrEqual(BARS[name]);
  });

  it("walks through functions that are there, each called by the file before it (docs/walk.tsv)", () => {
    expect(walkProblems).toEqual([]);
  });

  it("exports nothing that nobody needs, and needs no package that it does not name (knip)", () => {
    const knip = join(PACKAGE_ROOT, "node_modules", "knip", "bin", "knip.js");
    expect(() =>
      execFileSync(process.execPath, [knip, "--no-progress"], { cwd: PACKAGE_ROOT, encoding: "utf8" }),
    ).not.toThrow();
  });
});
