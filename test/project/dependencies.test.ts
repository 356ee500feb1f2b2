import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { dependenciesPage, productionPackages } from "../../scripts/dependencies.mjs";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder } from "../support/runs.js";

const read = (file: string) => readFileSync(join(PACKAGE_ROOT, file), "utf8");
const packages = productionPackages(JSON.parse(read("package-lock.json")));
const named = packages.map(({ name, version }) => `${name}@${version}`);

/** Licenses that ask for no more than their text and a notice, so that MIT programs may need what is under them. */
const PERMISSIVE = ["MIT", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "BlueOak-1.0.0"];

/** libvips, a library of its own beside sharp that others may replace, as the LGPL asks; docs/dependencies.md says so. */
const hasLibvips = (name: string) => /^@img\/sharp-(libvips-|win32-|wasm32$)/.test(name);

/** Whether one side of each OR of a license expression consists of `allowed` ones. */
function isAllowed(license: string, allowed: readonly string[]): boolean {
  const sides = license.replace(/^\((.*)\)$/, "$1").split(" OR ");
  return sides.some((side) => side.split(" AND ").every((one) => allowed.includes(one)));
}

describe("docs/dependencies.md", () => {
  it("is made from the lockfile: npm run docs", () => {
    expect(dependenciesPage(packages)).toBe(read("docs/dependencies.md"));
  });

  it("has every package that package.json needs, and who needs each other one", () => {
    const { dependencies, optionalDependencies } = z
      .object({
        dependencies: z.record(z.string(), z.string()),
        optionalDependencies: z.record(z.string(), z.string()),
      })
      .parse(JSON.parse(read("package.json")));
    const ours = packages.filter(({ neededBy }) => neededBy.includes("liqe-train")).map(({ name }) => name);
    expect(ours).toEqual(Object.keys({ ...dependencies, ...optionalDependencies }).toSorted());
    expect(packages.filter(({ neededBy }) => neededBy.length === 0)).toEqual([]);
  });

  it("has permissive licenses alone, but for libvips", () => {
    const others = packages.filter(({ license }) => !isAllowed(license, PERMISSIVE));
    expect(others.filter(({ name }) => !hasLibvips(name))).toEqual([]);
    expect(others.filter(({ license }) => !isAllowed(license, [...PERMISSIVE, "LGPL-3.0-or-later"]))).toEqual([]);
  });

  it("would refuse a license that is not permissive, and one that nobody stated", () => {
    const refused = ["GPL-3.0-only", "MIT AND GPL-3.0-only", "(MIT AND (GPL-3.0-only OR AGPL-3.0))", "UNLICENSED", ""];
    expect(refused.filter((license) => isAllowed(license, PERMISSIVE))).toEqual([]);
    expect(isAllowed("(GPL-2.0 OR MIT)", PERMISSIVE)).toBe(true);
  });
});

describe("productionPackages", () => {
  it("finds who needs each version as Node does, and leaves out what development alone needs", () => {
    const lockfile = {
      packages: {
        "": {
          name: "ours",
          dependencies: { a: "1" },
          optionalDependencies: { b: "1" },
          devDependencies: { tool: "1" },
        },
        "node_modules/a": { version: "1.0.0", license: "MIT", dependencies: { b: "2" } },
        "node_modules/a/node_modules/b": { version: "2.0.0", license: "ISC", dependencies: { "@c/d": "1" } },
        "node_modules/b": { version: "1.0.0", license: "MIT", peerDependencies: { absent: "1", "@c/d": "1" } },
        "node_modules/@c/d": { version: "1.0.0", license: "0BSD" },
        "node_modules/tool": { version: "1.0.0", license: "MIT", dev: true, dependencies: { "@c/d": "1" } },
      },
    };
    expect(productionPackages(lockfile)).toEqual([
      { name: "@c/d", version: "1.0.0", license: "0BSD", neededBy: ["b"] },
      { name: "a", version: "1.0.0", license: "MIT", neededBy: ["ours"] },
      { name: "b", version: "1.0.0", license: "MIT", neededBy: ["ours"] },
      { name: "b", version: "2.0.0", license: "ISC", neededBy: ["a"] },
    ]);
  });
});

const Sbom = z.object({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.string(),
  metadata: z.object({ component: z.object({ name: z.string(), version: z.string(), purl: z.string() }) }),
  components: z.array(
    z.object({
      "bom-ref": z.string(),
      hashes: z.array(z.object({ alg: z.string(), content: z.string() })).min(1),
      licenses: z
        .array(z.union([z.object({ license: z.object({ id: z.string() }) }), z.object({ expression: z.string() })]))
        .min(1),
    }),
  ),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

describe("npm run sbom", () => {
  const file = join(temporaryFolder(), "sbom.json");
  execFileSync(process.execPath, [join(PACKAGE_ROOT, "scripts", "sbom.mjs"), file]);
  const sbom = Sbom.parse(JSON.parse(readFileSync(file, "utf8")));

  it("names the package, and every package of docs/dependencies.md with its license and hash", () => {
    const { name, version } = z
      .object({ name: z.string(), version: z.string() })
      .parse(JSON.parse(read("package.json")));
    expect(sbom.metadata.component).toEqual({ name, version, purl: `pkg:npm/${name}@${version}` });
    const licenses = sbom.components.map(({ "bom-ref": ref, licenses: [first] }) => [
      ref,
      first !== undefined && "license" in first ? first.license.id : first?.expression,
    ]);
    const expected = packages.map(({ license }, i) => [named[i], license]);
    expect(Object.fromEntries(licenses)).toEqual(Object.fromEntries(expected));
    expect(sbom.components).toHaveLength(packages.length);
  });

  it("says who depends on whom, without packages of development alone", () => {
    const refs = sbom.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]);
    expect(refs.filter((ref) => !named.includes(ref) && !ref.startsWith("liqe-train@"))).toEqual([]);
    expect(sbom.dependencies.find(({ ref }) => ref.startsWith("liqe-train@"))?.dependsOn.length).toBeGreaterThan(20);
  });
});
