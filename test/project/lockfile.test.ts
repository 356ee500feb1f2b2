import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

const Lockfile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      hasInstallScript: z.boolean().optional(),
    }),
  ),
});
const packages = Object.entries(
  Lockfile.parse(JSON.parse(readFileSync(join(PACKAGE_ROOT, "package-lock.json"), "utf8"))).packages,
)
  .filter(([path]) => path !== "")
  .map(([path, entry]) => ({ name: path.replace(/^.*node_modules\//, ""), ...entry }));

const manifest = z
  .object({ scripts: z.record(z.string(), z.string()), overrides: z.record(z.string(), z.unknown()) })
  .parse(JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8")));

/** Versions that packages of others are lifted to; the others are of the TypeScript that `madge` and its packages take. */
const overrides = Object.fromEntries(
  Object.entries(manifest.overrides).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
);

/** The first version without the faults that are known of the ones before. */
const LEAST = {
  tar: "7.5.19", // GHSA-23hp-3jrh-7fpw and the path escapes before it
  "adm-zip": "0.6.0", // GHSA-xcpc-8h2w-3j85
  "@mapbox/node-pre-gyp": "2.0.0", // the first with tar 7, and without npmlog
  sharp: "0.35.4", // GHSA-f88m-g3jw-g9cj and libheif's follow-up
  yaml: "2.9.1",
};

/** Packages with a script of their own for installation; none is run, and nothing of ours relies on one. */
const HAVE_SCRIPTS = ["@tensorflow/tfjs-node-gpu", "core-js", "esbuild", "onnxruntime-node"];

/** Negative, 0 or positive, as of two versions "major.minor.patch". */
function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((version) => version.split(".").map((part) => Number.parseInt(part, 10)));
  const differences = (x ?? []).map((part, i) => part - (y?.[i] ?? 0));
  return differences.find((difference) => difference !== 0) ?? 0;
}

describe("package-lock.json", () => {
  it.each(Object.entries(LEAST))("has every %s at %s or later", (name, least) => {
    const versions = packages.filter((entry) => entry.name === name).map(({ version }) => version ?? "0.0.0");
    expect(versions.length).toBeGreaterThan(0);
    expect(versions.filter((version) => compareVersions(version, least) < 0)).toEqual([]);
  });

  it.each(Object.entries(overrides))("has every %s as its override %s says", (name, range) => {
    const found = packages.filter((entry) => entry.name === name).map(({ version }) => version ?? "0.0.0");
    const least = range.replace(/^\^/, "");
    const isHeld = (version: string) => (range === least ? version === least : compareVersions(version, least) >= 0);
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((version) => !isHeld(version))).toEqual([]);
  });

  it("has no fault's lowest version that an override lets go by", () => {
    const lifted = Object.entries(LEAST).filter(([name]) => name in overrides);
    expect(lifted.length).toBeGreaterThan(2);
    const allows = ([name, least]: [string, string]) =>
      compareVersions(overrides[name]?.replace("^", "") ?? "0", least);
    expect(lifted.filter((entry) => allows(entry) < 0)).toEqual([]);
  });

  it("names no registry, and a hash for every package", () => {
    expect(packages.filter(({ resolved }) => resolved !== undefined)).toEqual([]);
    expect(packages.filter(({ integrity }) => integrity === undefined).map(({ name }) => name)).toEqual([]);
  });

  it("has no package with an install script that we do not know of", () => {
    const withScript = packages.filter(({ hasInstallScript }) => hasInstallScript === true).map(({ name }) => name);
    expect(withScript.filter((name) => !HAVE_SCRIPTS.includes(name))).toEqual([]);
  });
});

describe("package.json", () => {
  it("has no script of its own that an installation would run", () => {
    expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
  });
});

describe(".npmrc", () => {
  const settings = readFileSync(join(PACKAGE_ROOT, ".npmrc"), "utf8").split("\n");

  it("runs no install script", () => {
    expect(settings).toContain("ignore-scripts=true");
  });

  it("keeps registries out of the lockfile, and names none itself", () => {
    expect(settings).toContain("omit-lockfile-registry-resolved=true");
    expect(settings.filter((line) => /registry\s*=|\/\//.test(line) && !line.startsWith("omit-"))).toEqual([]);
  });
});
