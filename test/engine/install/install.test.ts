import { describe, expect, it, vi } from "vitest";
import { installEngine } from "../../../src/engine/install/install.js";

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
