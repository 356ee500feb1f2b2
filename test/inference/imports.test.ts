import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

/** What a TypeScript file loads when it runs: types are gone by then. */
function importsOf(file: string): string[] {
  const { outputText } = ts.transpileModule(readFileSync(file, "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
  });
  return ts.preProcessFile(outputText).importedFiles.map(({ fileName }) => fileName);
}

/** Every file that `entry` leads to, and every package. */
function reachable(entry: string): { files: string[]; packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    for (const name of importsOf(file)) {
      if (name.startsWith(".")) visit(join(dirname(file), name.replace(/\.js$/, ".ts")));
      else packages.add(name);
    }
  };
  visit(entry);
  return { files: [...files].map((file) => relative(PACKAGE_ROOT, file)), packages: [...packages] };
}

describe("liqe-train/inference", () => {
  const { files, packages } = reachable(join(PACKAGE_ROOT, "src", "inference", "index.ts"));

  it("loads no package but tfjs-core: no Node module, no backend, no tokenizer, no schema library", () => {
    expect(packages).toEqual(["@tensorflow/tfjs-core"]);
  });

  it("has all of its folder in it, and nothing of training or the command line", () => {
    const own = readdirSync(join(PACKAGE_ROOT, "src", "inference")).map((name) => `src/inference/${name}`);
    expect(own.filter((file) => !files.includes(file))).toEqual([]);
    expect(files.filter((file) => /^src\/(train|losses|cli|export)\//.test(file))).toEqual([]);
  });

  it("leads to files alone that the lint list keeps free of Node", () => {
    const config = readFileSync(join(PACKAGE_ROOT, "eslint.config.js"), "utf8");
    const list = /const BROWSER_SAFE = \[(.*?)\];/s.exec(config)?.[1] ?? "";
    const patterns = [...list.matchAll(/"([^"]+)"/g)].map((match) => globPattern(match[1] ?? ""));
    expect(patterns.length).toBeGreaterThan(3);
    expect(files.filter((file) => !patterns.some((pattern) => pattern.test(file)))).toEqual([]);
  });

  it("is a subpath of the package, with its types", () => {
    const { exports } = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8")) as {
      exports: Record<string, { types: string; default: string }>;
    };
    const { types, default: code } = exports["./inference"] ?? { types: "", default: "" };
    for (const target of [types.replace(/\.d\.ts$/, ".ts"), code.replace(/\.js$/, ".ts")]) {
      expect(existsSync(join(PACKAGE_ROOT, target.replace(/^\.\/dist\//, "src/")))).toBe(true);
    }
  });
});

/** `*`, `**` and `{a,b}` of a glob. */
function globPattern(glob: string): RegExp {
  const pattern = glob
    .replaceAll(/[.]/g, "\\.")
    .replaceAll(/\{([^}]*)\}/g, (_, names: string) => `(${names.replaceAll(",", "|")})`)
    .replaceAll("**/", "(?:§/)?")
    .replaceAll("*", "[^/]*")
    .replaceAll("§", ".*");
  return new RegExp(`^${pattern}$`);
}
