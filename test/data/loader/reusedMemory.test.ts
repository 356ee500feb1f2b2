import { describe, expect, it } from "vitest";
import { createBufferPool } from "../../../src/data/loader/diskCache.js";

describe("createReusedMemory", () => {
  it("gives a piece to whoever needs as much, or little less, and to one alone", () => {
    const memory = createBufferPool(4);
    const { buffer } = memory.take(1000);
    memory.giveBack(new Uint8Array(buffer, 24, 10));
    const less = memory.take(500);
    expect(less.buffer).toBe(buffer);
    expect(less).toHaveLength(500);
    expect(memory.take(1000).buffer).not.toBe(buffer);
    memory.giveBack(less);
    expect(memory.take(1001).buffer).not.toBe(buffer);
    expect(memory.take(499).buffer).not.toBe(buffer);
    expect(memory.take(1000).buffer).toBe(buffer);
  });

  it("keeps no more pieces than it is told to, and the latest of them", () => {
    const memory = createBufferPool(2);
    const taken = [1, 2, 3].map(() => memory.take(100));
    taken.forEach((piece) => {
      memory.giveBack(piece);
    });
    const again = [1, 2, 3].map(() => memory.take(100).buffer);

    expect(again[0]).toBe(taken[1]?.buffer);
    expect(taken.map(({ buffer }) => buffer)).not.toContain(again[2]);
  });
});
