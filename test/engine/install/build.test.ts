import { describe, expect, it, onTestFinished, vi } from "vitest";
import { buildBinding } from "../../../src/engine/install/install.js";
import { temporaryFolder } from "../temporary.js";

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
