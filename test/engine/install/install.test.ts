import { describe, expect, it, onTestFinished, vi } from "vitest";
import { buildBinding, installEngine } from "../../../src/engine/install/install.js";
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
