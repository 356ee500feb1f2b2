import { homedir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { bindingFile, cacheRoot, flavorFolder } from "../../../src/engine/install/pins.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("cacheRoot", () => {
  it("is under XDG_CACHE_HOME", () => {
    vi.stubEnv("XDG_CACHE_HOME", "/somewhere/else");
    expect(cacheRoot()).toBe("/somewhere/else/liqe-train");
  });

  it.each(["", "relative/path"])("is under ~/.cache where XDG_CACHE_HOME is '%s'", (value) => {
    vi.stubEnv("XDG_CACHE_HOME", value);
    expect(cacheRoot()).toBe(join(homedir(), ".cache", "liqe-train"));
  });
});

describe("bindingFile", () => {
  it("lies in the folder of its flavour, which names flavour and TensorFlow", () => {
    vi.stubEnv("XDG_CACHE_HOME", "/c");
    expect(flavorFolder("gpu")).toBe("/c/liqe-train/engine/gpu-2.21.0");
    expect(bindingFile("gpu")).toMatch(
      /^\/c\/liqe-train\/engine\/gpu-2\.21\.0\/binding-[0-9a-f]{8}\/tfjs_binding\.node$/,
    );
  });
});
