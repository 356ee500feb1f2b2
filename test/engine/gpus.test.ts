import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/base/errors.js";
import { parseGpus, shareGpus } from "../../src/engine/gpus.js";

describe("parseGpus", () => {
  it("reads one GPU a line, its memory in bytes", () => {
    expect(parseGpus("NVIDIA H200, 143771, 570.124.06\nTesla V100, 16384, 570.124.06\n")).toEqual([
      { name: "NVIDIA H200", memoryBytes: 143771 * 2 ** 20, driver: "570.124.06" },
      { name: "Tesla V100", memoryBytes: 16384 * 2 ** 20, driver: "570.124.06" },
    ]);
  });
});

describe("shareGpus", () => {
  const devicesOf = (...args: Parameters<typeof shareGpus>) =>
    shareGpus(...args).map(({ CUDA_VISIBLE_DEVICES: device }) => device);

  it("gives each process a GPU of its own, in nvidia-smi's order", () => {
    expect(shareGpus("all", 3, undefined)).toEqual(
      ["0", "1", "2"].map((device) => ({ CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: device })),
    );
    expect(devicesOf(2, 3, undefined)).toEqual(["0", "1"]);
  });

  it("gives away no other than those that CUDA_VISIBLE_DEVICES leaves, by their names there", () => {
    expect(shareGpus("all", 8, "3, GPU-8f2a")).toEqual([
      { CUDA_VISIBLE_DEVICES: "3" },
      { CUDA_VISIBLE_DEVICES: "GPU-8f2a" },
    ]);
    expect(devicesOf("all", 8, "5,-1,6")).toEqual(["5"]);
  });

  it.each([
    ["all", 0, undefined, "--gpus all: nvidia-smi finds no GPU; --processes N trains on the CPU"],
    ["all", 0, "0,1", "--gpus all: nvidia-smi finds no GPU; --processes N trains on the CPU"],
    [4, 2, undefined, "--gpus 4: nvidia-smi finds 2 GPUs"],
    [2, 8, "5", "--gpus 2: CUDA_VISIBLE_DEVICES=5 leaves 1 GPU"],
    ["all", 8, "", "--gpus all: CUDA_VISIBLE_DEVICES= leaves no GPU; --processes N trains on the CPU"],
  ] as const)("refuses %s of %i where the variable is %j", (asked, present, visible, message) => {
    const share = () => shareGpus(asked, present, visible);
    expect(share).toThrow(EngineError);
    expect(share).toThrow(message);
  });
});
