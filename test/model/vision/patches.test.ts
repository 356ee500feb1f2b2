import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import wabt from "wabt";
import { seededRandom } from "../../../src/base/random.js";
import type { VisionArchitecture } from "../../../src/model/architecture/architecture.js";
import { presetArchitecture } from "../../../src/model/architecture/presets.js";
import { PATCH_KERNEL } from "../../../src/model/vision/patchKernelBytes.js";
import {
  CLIP_MEAN,
  CLIP_STD,
  compiledLookUp,
  imagePatches,
  type PixelRuns,
} from "../../../src/model/vision/patches.js";

const KERNEL = fileURLToPath(new URL("../../../src/model/vision/patchKernel.wat", import.meta.url));

/** One patch of 16 x 16 pixels a crop has one run for each of its rows. */
const VISION: VisionArchitecture = {
  width: 8,
  layers: 1,
  heads: 1,
  activation: "quick-gelu",
  imageSize: 16,
  patchSize: 16,
  stem: "patch",
};
const NUMBERS = 16 * 16 * 3;

/** Every level of every channel, once in each crop. */
const levels = Uint8Array.from({ length: 2 * NUMBERS }, (_, i) => Math.floor((i % NUMBERS) / 3));

/** Other numbers than imagePatches', to be looked up. */
const TABLE = Float32Array.from({ length: 3 * 256 }, (_, i) => i / 7);

/** PyTorch's ToTensor and Normalize, each step rounded to float32. */
function normalized(level: number, channel: number): number {
  const [mean, std] = [Math.fround(CLIP_MEAN[channel] ?? NaN), Math.fround(CLIP_STD[channel] ?? NaN)];
  return Math.fround(Math.fround(Math.fround(level / 255) - mean) / std);
}

describe("imagePatches", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it("gives every level of every channel as PyTorch rounds it", () => {
    const expected = Float32Array.from(levels, (level, i) => normalized(level, i % 3));
    expect(imagePatches(levels, VISION)).toEqual(expected);
  });

  it("writes where it is told to, and refuses room of another size", () => {
    const room = new Float32Array(levels.length);
    expect(imagePatches(levels, VISION, room)).toBe(room);
    expect(room).toEqual(imagePatches(levels, VISION));
    const short = new Float32Array(levels.length - 1);
    expect(() => imagePatches(levels, VISION, short)).toThrow("imagePatches: room for");
    expect(() => imagePatches(levels.subarray(1), VISION)).toThrow("are not whole crops of 768");
  });

  class CompileError extends Error {}
  const refusing = (error: Error) => ({
    CompileError,
    Module: function () {
      throw error;
    },
  });

  it.each([
    ["vit-b-32", "there is none", undefined],
    ["vit-b-32", "a page's policy forbids it", refusing(new CompileError("Refused to compile"))],
    ["vit-tiny", "Safari's policy forbids it", refusing(new EvalError("Refused to create"))],
  ] as const)("is the same without WebAssembly: %s, %s", async (preset, _, stub) => {
    const { vision } = presetArchitecture(preset);
    const random = seededRandom(1, "pixels");
    const pixels = Uint8Array.from({ length: 2 * 224 * 224 * 3 }, () => random.integer(256));
    const compiled = imagePatches(pixels, vision);
    vi.stubGlobal("WebAssembly", stub);
    vi.resetModules();
    const { imagePatches: without } = await import("../../../src/model/vision/patches.js");
    const kernel = await import("../../../src/model/vision/patches.js");
    expect(kernel.compiledLookUp(TABLE, { starts: Int32Array.of(0), length: 3 })).toBeNull();
    expect(Buffer.compare(Buffer.from(without(pixels, vision).buffer), Buffer.from(compiled.buffer))).toBe(0);
  });
});

describe("patchKernel", () => {
  it("is what its source says", async () => {
    const assembler = await wabt();
    const { buffer } = assembler.parseWat(KERNEL, await readFile(KERNEL, "utf8")).toBinary({});
    expect(PATCH_KERNEL).toBe(Buffer.from(buffer).toString("base64"));
  });

  it("follows the runs, in memory of more than a page", () => {
    const runs: PixelRuns = { starts: Int32Array.from({ length: 3000 }, (_, i) => 12 * ((i * 7) % 3000)), length: 12 };
    const random = seededRandom(2, "pixels");
    const pixels = Uint8Array.from({ length: 36_000 }, () => random.integer(256));
    const to = new Float32Array(pixels.length);
    compiledLookUp(TABLE, runs)?.(pixels, to);
    const expected = Float32Array.from(to, (_, at) => {
      const [start = NaN, i] = [runs.starts[Math.floor(at / 12)], at % 12];
      return TABLE[256 * (i % 3) + (pixels[start + i] ?? NaN)] ?? NaN;
    });
    expect(to).toEqual(expected);
  });
});
