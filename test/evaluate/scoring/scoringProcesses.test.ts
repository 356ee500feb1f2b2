import { describe, expect, it } from "vitest";
import type { EngineInfo } from "../../../src/engine/engine.js";
import { openWorkerPool } from "../../../src/evaluate/scoring/workerPool.js";

const CPU: EngineInfo = {
  backend: "native",
  device: "cpu",
  description: "",
  tensorflowVersion: "2.21.0",
  threads: 5,
  notice: null,
};
const MANY = 640;

describe("scoringProcesses", () => {
  it("gives two processes half the threads each, where there is much to score", () => {
    expect(openWorkerPool("auto", CPU, MANY)).toEqual({ processes: 2, threads: 2 });
    expect(openWorkerPool("auto", CPU, MANY - 1)).toBeNull();
    expect(openWorkerPool("auto", { ...CPU, threads: 1 }, MANY)).toBeNull();
  });

  it("leaves a GPU and WebAssembly to one process", () => {
    expect(openWorkerPool("auto", { ...CPU, device: "gpu" }, MANY)).toBeNull();
    expect(openWorkerPool("auto", { ...CPU, backend: "wasm" }, MANY)).toBeNull();
  });

  it("takes the number that it is given, and refuses it where threads cannot be shared", () => {
    expect(openWorkerPool(1, CPU, MANY)).toBeNull();
    expect(openWorkerPool(3, CPU, 1)).toEqual({ processes: 3, threads: 1 });
    expect(openWorkerPool(8, CPU, 1)).toEqual({ processes: 8, threads: 1 });
    expect(() => openWorkerPool(2, { ...CPU, backend: "wasm" }, MANY)).toThrow("2 processes to score with need");
  });
});
