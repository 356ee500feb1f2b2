import { constants, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { engineInstallCommand } from "../../src/cli/commands/engine.js";
import yargs from "yargs";

const read = (file: string) => readFileSync(join(PACKAGE_ROOT, file), "utf8");

/** Paths that the image's build sees: all is left out but these (.dockerignore). */
const kept = read(".dockerignore")
  .split("\n")
  .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
const isKept = (file: string) => kept.some((path) => file === path || file.startsWith(`${path}/`));

/** Instructions with their arguments, continued lines joined. */
const instructions = read("Dockerfile")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")
  .flatMap((line) => {
    const [, name, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    return name === undefined || rest === undefined ? [] : [{ name, rest }];
  });
const restOf = (wanted: string) => instructions.filter(({ name }) => name === wanted).map(({ rest }) => rest);

describe("the image (Dockerfile, .dockerignore)", () => {
  it("is made of files that are there, with all that compiling and installing need", () => {
    expect(read(".dockerignore")).toMatch(/^\*$/m);
    expect(kept.filter((path) => !existsSync(join(PACKAGE_ROOT, path)))).toEqual([]);
    const { files } = JSON.parse(read("package.json")) as { files: string[] }; // our own
    const sources = ["src/index.ts", "scripts/build.mjs", "tsconfig.build.json", "tsconfig.json"];
    const needed = [
      ...files.filter((file) => file !== "dist" && !file.startsWith("!")),
      "package.json",
      "package-lock.json",
      ".npmrc",
      ...sources,
    ];
    expect(needed.filter((file) => !isKept(file))).toEqual([]);
  });

  it("copies nothing from the checkout that is left out", () => {
    const copied = restOf("COPY").filter((rest) => !rest.startsWith("--from"));
    const named = copied.flatMap((rest) => rest.split(" ").slice(0, -1)).filter((file) => file !== ".");
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((file) => !isKept(file))).toEqual([]);
  });

  it("installs the engine by a flavor that the command knows, the CPU's by default, and is not run by root", async () => {
    expect(restOf("ARG")).toContain("FLAVOR=cpu");
    expect(restOf("RUN").join("\n")).toContain("engine install --flavor ${FLAVOR}");
    const help = await engineInstallCommand.builder(yargs([])).getHelp();
    expect(help).toMatch(/--flavor .*\n?.*"cpu", "gpu"/);
    expect(restOf("USER")).toEqual(["node"]);
  });

  it("calls a program that may be executed, whose Node is one that the package accepts", () => {
    const { mode } = statSync(join(PACKAGE_ROOT, "bin", "liqe.js"));
    expect(mode & constants.S_IXUSR).not.toBe(0);
    const { engines } = JSON.parse(read("package.json")) as { engines: { node: string } }; // our own
    const [, version = "0"] = /NODE_VERSION=(\d+)/.exec(restOf("ARG").join("\n")) ?? [];
    const [, least = "Infinity"] = /(\d+)/.exec(engines.node) ?? [];
    expect(Number(version)).toBeGreaterThanOrEqual(Number(least));
  });
});
