import { describe, expect, it } from "vitest";
import { startEngine } from "../../src/engine/engine.js";
import { findInstalledEngine } from "../../src/engine/install/installed.js";
import { engineStatus } from "../../src/engine/status.js";

function findFlavor(): string | null {
  const found = findInstalledEngine();
  return found.ok ? found.engine.flavor : null;
}

describe("engineStatus", () => {
  it("tells as JSON what computes, why, how fast and on what machine", async () => {
    const running = await startEngine("auto");
    const status: unknown = JSON.parse(JSON.stringify(await engineStatus("auto", "auto")));
    expect(status).toMatchObject({
      ...running,
      choice: "auto",
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
    });
    expect(status).toMatchObject({
      reason: expect.stringMatching(/installed/) as string, // the matcher stands for a string
      gigaflops: expect.any(Number) as number, // likewise
      gpus: expect.any(Array) as unknown[],
      nccl: running.backend === "native" ? (findFlavor() ?? "").startsWith("gpu") : null,
      memory: { totalBytes: expect.any(Number) as number, freeBytes: expect.any(Number) as number },
      installed: expect.any(Array) as unknown[],
    });
  });

  it("says that WebAssembly was asked for where it was", async () => {
    expect(await engineStatus("wasm", "auto")).toMatchObject({ backend: "wasm", reason: "asked for" });
    await startEngine("auto");
  });
});
