import { describe, expect, it } from "vitest";
import type { EngineInfo } from "../../../src/engine/engine.js";
import { chooseProcesses } from "../../../src/evaluate/scoring/workerPool.js";

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
    expect(chooseProcesses({ processes: "auto", engine: CPU, crops: MANY })).toEqual({ processes: 2, threads: 2 });
    expect(chooseProcesses({ processes: "auto", engine: CPU, crops: MANY - 1 })).toBeNull();
    expect(chooseProcesses({ processes: "auto", engine: { ...CPU, threads: 1 }, crops: MANY })).toBeNull();
  });

  it("leaves a GPU and WebAssembly to one process", () => {
    expect(chooseProcesses({ processes: "auto", engine: { ...CPU, device: "gpu" }, crops: MANY })).toBeNull();
    expect(chooseProcesses({ processes: "auto", engine: { ...CPU, backend: "wasm" }, crops: MANY })).toBeNull();
  });

  it("takes the number that it is given, and refuses it where threads cannot be shared", () => {
    expect(chooseProcesses({ processes: 1, engine: CPU, crops: MANY })).toBeNull();
    expect(chooseProcesses({ processes: 3, engine: CPU, crops: 1 })).toEqual({ processes: 3, threads: 1 });
    expect(chooseProcesses({ processes: 8, engine: CPU, crops: 1 })).toEqual({ processes: 8, threads: 1 });
    expect(() => chooseProcesses({ processes: 2, engine: { ...CPU, backend: "wasm" }, crops: MANY })).toThrow(
      "2 processes to score with need",
    );
  });
});
