import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configPage } from "../../scripts/configDocs.mjs";
import { knownKeys, showConfig } from "../../src/api/showConfig.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

describe("docs/config.md", () => {
  const keys = knownKeys();

  it("is made from the schemas: npm run docs", () => {
    expect(configPage(keys)).toBe(readFileSync(join(PACKAGE_ROOT, "docs", "config.md"), "utf8"));
  });

  it("says what each key means, in the words of liqe config show", () => {
    expect(keys.filter(({ meaning }) => meaning === null).map(({ key }) => key)).toEqual([]);
    const meanings = new Map(keys.map(({ key, meaning }) => [key, meaning]));
    const shown = showConfig(join(PACKAGE_ROOT, "configs", "kadid.yaml")).filter(({ key }) => meanings.has(key));
    expect(shown.length).toBeGreaterThan(40);
    expect(shown.map(({ key }) => [key, meanings.get(key)])).toEqual(shown.map(({ key, meaning }) => [key, meaning]));
  });
});
