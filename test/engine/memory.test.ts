import { totalmem } from "node:os";
import { describe, expect, it } from "vitest";
import { hostMemoryBytes, parseFreeMemory } from "../../src/engine/memory.js";

describe("memory of the machine", () => {
  it("is what a container may have, where that is less", () => {
    expect(hostMemoryBytes(2e9, 8e9)).toBe(2e9);
    expect(hostMemoryBytes(0, 8e9)).toBe(8e9);
    expect(hostMemoryBytes(2 ** 63, 8e9)).toBe(8e9);
    expect(hostMemoryBytes()).toBeLessThanOrEqual(totalmem());
    expect(hostMemoryBytes()).toBeGreaterThan(0);
  });

  it("of a GPU is that of the first visible device", () => {
    const output = "143000\n81000\n";
    expect(parseFreeMemory(output, undefined)).toBe(143_000 * 2 ** 20);
    expect(parseFreeMemory(output, "1,0")).toBe(81_000 * 2 ** 20);
    expect(parseFreeMemory(output, "")).toBeNull();
    expect(parseFreeMemory(output, "-1")).toBeNull();
    expect(parseFreeMemory("No devices were found\n", undefined)).toBeNull();
  });
});
