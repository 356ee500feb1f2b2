import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

const named = z.record(z.string(), z.string()).default({});
const manifest = z
  .object({ dependencies: named, optionalDependencies: named, devDependencies: named })
  .parse(JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8")));
const contributing = readFileSync(join(PACKAGE_ROOT, "CONTRIBUTING.md"), "utf8");

describe("CONTRIBUTING.md", () => {
  const rows = [...contributing.matchAll(/^\| (`[^|]*) \|/gm)].map((match) => match[1] ?? "");
  const explained = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""));
  const isExplained = (name: string) => explained.includes(name.startsWith("@types/") ? "@types/*" : name);

  it.each(["dependencies", "optionalDependencies", "devDependencies"] as const)("has a reason for all %s", (kind) => {
    expect(Object.keys(manifest[kind]).filter((name) => !isExplained(name))).toEqual([]);
  });

  it("names files and folders that are there", () => {
    const named = [...contributing.matchAll(/`((?:bench|configs|docs|scripts|src|test)\/[\w./-]*)`/g)];
    const paths = named.map((match) => match[1] ?? "");
    expect(paths.length).toBeGreaterThan(40);
    expect(paths.filter((path) => !existsSync(join(PACKAGE_ROOT, path)))).toEqual([]);
  });

  it("explains no package that is gone", () => {
    const all = Object.values(manifest).flatMap((group) => Object.keys(group));
    const packages = explained.filter((name) => !/^(?:src|test)\//.test(name) && !name.endsWith("/*"));
    expect(packages.filter((name) => !all.includes(name))).toEqual([]);
  });
});
