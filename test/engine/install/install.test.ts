import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { NO_ONEDNN_FILE, ONEDNN_SWITCH, processor } from "../../../src/engine/backend/native.js";
import { buildBinding, installEngine, keepQuickerProducts } from "../../../src/engine/install/install.js";
import { findInstalledEngine } from "../../../src/engine/install/installed.js";
import { PACKAGE_ROOT } from "../../../src/base/packageInfo.js";
import { temporaryFolder } from "../temporary.js";

describe("installEngine", () => {
  it("has the package's own installer take no wheel", async () => {
    await expect(installEngine({ flavor: "official", wheels: ["x.whl"] }, () => undefined)).rejects.toThrow(
      "--wheel: the package's own installer takes none",
    );
  });

  it("names the ways that are left on another platform than the wheels'", async () => {
    const platform = vi.spyOn(process, "platform", "get").mockReturnValue("darwin");
    const installing = installEngine({ flavor: "cpu", wheels: [] }, () => undefined);
    await expect(installing).rejects.toThrow(/this is darwin-\w+; try --source official, or compute with WebAssembly/);
    platform.mockRestore();
  });
});

describe("buildBinding", () => {
  const build = () => buildBinding(temporaryFolder(), () => undefined);
  it.each([
    ["no-such-compiler", /the C\+\+ compiler no-such-compiler does not start; install it \(apt-get install g\+\+/],
    ["g++", /g\+\+ cannot build the binding \(exit 1\):\n[^]*tensorflow\/c\/c_api\.h: No such file/],
  ])("says what to do where %s cannot build it", async (compiler, message) => {
    vi.stubEnv("CXX", compiler);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    await expect(build()).rejects.toThrow(message);
  });
});

describe("keepQuickerProducts", () => {
  const found = (gigaflops: number, wideGigaflops: number, device: "cpu" | "gpu" = "cpu") => ({
    ...{ tensorflowVersion: "2.21.0", device, gigaflops, wideGigaflops },
  });
  it.each([
    ["wide products are at half speed, and whole without oneDNN", found(300, 140), found(290, 280), true],
    ["all products are slow alike", found(100, 95), found(300, 300), false],
    ["they are no quicker without", found(300, 140), found(290, 150), false],
    ["the others lose as much", found(300, 140), found(150, 280), false],
    ["a GPU computes", found(9000, 3000, "gpu"), found(9000, 9000), false],
  ])("turns oneDNN off or not where %s", async (_, withIt, without, isOff) => {
    vi.stubEnv(ONEDNN_SWITCH, undefined);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const folder = temporaryFolder();
    await keepQuickerProducts(folder, withIt, () => Promise.resolve(without));
    expect(existsSync(join(folder, NO_ONEDNN_FILE))).toBe(isOff);
    if (isOff) expect(readFileSync(join(folder, NO_ONEDNN_FILE), "utf8")).toContain("140 GFLOP/s with it, 280 without");
  });

  it("leaves the choice to who set the switch", async () => {
    vi.stubEnv(ONEDNN_SWITCH, "1");
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const folder = temporaryFolder();
    await keepQuickerProducts(folder, found(300, 140), () => Promise.resolve(found(300, 300)));
    expect(existsSync(join(folder, NO_ONEDNN_FILE))).toBe(false);
  });

  const installed = findInstalledEngine();
  it.skipIf(!installed.ok || installed.engine.flavor === "official").each([
    ["off beside such a file", processor(), undefined, "0"],
    ["on beside one of another processor", "another", undefined, "undefined"],
    ["as the environment says all the same", processor(), "1", "1"],
  ])("has the engine load with oneDNN %s", (_, measured, given, expected) => {
    if (!installed.ok) return;
    const folder = join(temporaryFolder(), "binding");
    cpSync(dirname(installed.engine.binding), folder, { recursive: true });
    symlinkSync(join(dirname(installed.engine.binding), "..", "tensorflow"), join(folder, "..", "tensorflow"));
    writeFileSync(join(folder, NO_ONEDNN_FILE), `${measured}\n`);
    const program = [
      `const { loadNative } = await import(${JSON.stringify(join(PACKAGE_ROOT, "dist/engine/backend/native.js"))});`,
      `const { dlopen } = process;`,
      `process.dlopen = (...args) => { console.log(args[1], process.env.${ONEDNN_SWITCH}); dlopen.apply(process, args); };`,
      `loadNative(${JSON.stringify(join(folder, "tfjs_binding.node"))}, { threads: 1, tf32: false });`,
    ].join("\n");
    const others = Object.entries(process.env).filter(([name]) => name !== ONEDNN_SWITCH);
    const env = { ...Object.fromEntries(others), ...(given === undefined ? {} : { [ONEDNN_SWITCH]: given }) };
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" });
    expect(output).toContain(`tfjs_binding.node ${expected}\n`); // as TensorFlow found it
  });
});
