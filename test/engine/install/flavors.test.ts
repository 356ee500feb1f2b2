import { describe, expect, it } from "vitest";
import { isWanted } from "../../../src/engine/install/libraries.js";
import { FLAVORS, parseWheelName } from "../../../src/engine/install/pins.js";

describe("FLAVORS", () => {
  it("pins every wheel to a Linux x86-64 file, its size and a SHA-256 of its own", () => {
    const wheels = [...FLAVORS.gpu.wheels, ...FLAVORS.cpu.wheels];
    for (const { file, bytes, sha256 } of wheels) {
      expect(file).toMatch(/^[\w.]+-[\d.]+-(cp312-cp312|py3-none)-[\w.]+_x86_64\.whl$/);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(bytes).toBeGreaterThan(1e6);
    }
    expect(new Set(wheels.map(({ sha256 }) => sha256)).size).toBe(wheels.length);
  });

  it("asks for no library of NVIDIA's where the system's are to be used", () => {
    expect(FLAVORS["gpu-system"].wheels.map(({ file }) => parseWheelName(file).project)).toEqual(["tensorflow"]);
  });
});

describe("isWanted", () => {
  it.each([
    "tensorflow/libtensorflow_cc.so.2",
    "tensorflow/include/tensorflow/c/eager/c_api.h",
    "tensorflow/include/xla/tsl/c/tsl_status.h",
    "tensorflow/include/tsl/platform/ctstring.h",
    "nvidia/cudnn/lib/libcudnn.so.9",
    "nvidia/cuda_nvcc/bin/ptxas",
  ])("takes %s", (path) => {
    expect(isWanted(path)).toBe(true);
  });

  it.each([
    "tensorflow/python/_pywrap_tensorflow_internal.so",
    "tensorflow/include/absl/strings/cord.h",
    "nvidia/cublas/include/cublas.h",
    "other/tensorflow/libtensorflow_cc.so.2",
  ])("leaves %s", (path) => {
    expect(isWanted(path)).toBe(false);
  });
});

describe("parseWheelName", () => {
  it("reads a name with several platforms", () => {
    expect(parseWheelName("nvidia_x_cu12-1.2.3-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl")).toEqual({
      project: "nvidia-x-cu12",
      version: "1.2.3",
      platforms: ["manylinux2010_x86_64", "manylinux_2_12_x86_64"],
    });
  });
});
