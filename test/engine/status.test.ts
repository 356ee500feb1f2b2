import { describe, expect, it } from "vitest";
import { startEngine } from "../../src/engine/engine.js";
import { engineStatus, parseGpus } from "../../src/engine/status.js";

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
      memory: { totalBytes: expect.any(Number) as number, freeBytes: expect.any(Number) as number },
      installed: expect.any(Array) as unknown[],
    });
  });

  it("says that WebAssembly was asked for where it was", async () => {
    expect(await engineStatus("wasm", "auto")).toMatchObject({ backend: "wasm", reason: "asked for" });
    await startEngine("auto");
  });
});

describe("parseGpus", () => {
  it("reads one GPU a line, its memory in bytes", () => {
    expect(parseGpus("NVIDIA H200, 143771, 570.124.06\nTesla V100, 16384, 570.124.06\n")).toEqual([
      { name: "NVIDIA H200", memoryBytes: 143771 * 2 ** 20, driver: "570.124.06" },
      { name: "Tesla V100", memoryBytes: 16384 * 2 ** 20, driver: "570.124.06" },
    ]);
  });
});
