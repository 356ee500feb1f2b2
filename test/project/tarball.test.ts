import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { beforeAll, describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { IS_BUILT } from "../cli/liqe.js";
import { temporaryFolder } from "../support/runs.js";

/** Every kind of file that a user needs. Maps are not among them: they would lead to sources that are not there. */
const KINDS = [
  /^(LICENSE|README\.md|package\.json)$/,
  /^bin\/liqe\.js$/,
  /^configs\/[\w-]+\.yaml$/,
  /^dist\/([\w-]+\/)*[\w.-]+\.js$/,
  /^dist\/([\w-]+\/)*[\w.-]+\.d\.ts$/,
  /^dist\/engine\/binding\/engine\.cc$/, // `liqe engine install` compiles it
  /^examples\/browser\/(public\/icon\.svg|served\/\w+\.(html|js)|src\/shared\/\w+\.js|src\/style\.css)$/, // `liqe serve`'s page
  /^examples\/photos\/(\w+\.jpg|README\.md|scenes\.tsv)$/, // the README's first commands, with their licenses
  /^models\/liqe-small\/(\w+\.json|model\.safetensors|README\.md|NOTICE)$/,
];

/** 7.3 MB of which are the model in the box. */
const MOST_BYTES = 10e6;

/**
 * What attw finds by design. The package is for Node 20.11 and later, as ES modules alone: `require` of an earlier one
 * cannot load it ("node16-cjs"), and TypeScript's resolution for Node 10 reads no `exports` ("node10").
 */
const BY_DESIGN = [
  "CJSResolvesToESM . node16-cjs",
  "NoResolution ./parts node10",
  "CJSResolvesToESM ./parts node16-cjs",
  "NoResolution ./inference node10",
  "CJSResolvesToESM ./inference node16-cjs",
];

describe.skipIf(!IS_BUILT)("the package as npm pack makes it", () => {
  const folder = temporaryFolder();
  let tarball = new Uint8Array();
  let files: string[] = [];
  beforeAll(() => {
    const arguments_ = ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder];
    const file = join(folder, execFileSync("npm", arguments_, { cwd: PACKAGE_ROOT, encoding: "utf8" }).trim());
    tarball = Uint8Array.from(readFileSync(file));
    const listed = execFileSync("tar", ["-tzf", file], { encoding: "utf8" }).trimEnd().split("\n");
    files = listed.map((name) => name.replace(/^package\//, ""));
  });

  it("holds every kind of file that a user needs, and no other: no tests, sources, maps or caches", () => {
    expect(files.filter((file) => !KINDS.some((kind) => kind.test(file)))).toEqual([]);
    expect(KINDS.filter((kind) => !files.some((file) => kind.test(file)))).toEqual([]);
  });

  it("has at most 10 MB", () => {
    expect(tarball.length).toBeLessThan(MOST_BYTES);
  });

  it("has nothing that publint finds wrong or would do otherwise", async () => {
    const { messages } = await publint({ pack: { tarball: tarball.buffer }, level: "suggestion", strict: true });
    expect(messages).toEqual([]);
  });

  it("has types that TypeScript finds from ES modules and bundlers, for each entry (attw)", async () => {
    const result = await checkPackage(createPackageFromTarballData(tarball));
    if (result.types === false) throw new Error("attw finds no types");
    expect(Object.keys(result.entrypoints)).toEqual([".", "./parts", "./inference", "./package.json"]);
    const found = result.problems.map((problem) =>
      "entrypoint" in problem ? `${problem.kind} ${problem.entrypoint} ${problem.resolutionKind}` : problem.kind,
    );
    expect(found).toEqual(BY_DESIGN);
  });
});
