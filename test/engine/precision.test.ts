import { describe, expect, it } from "vitest";
import { startEngine } from "../../src/engine/engine.js";
import { bfloat16Problem, requirePrecision } from "../../src/engine/precision.js";

/** A machine that can. */
const MACHINE = {
  device: "cpu",
  canCompile: true,
  cpuInfo: "flags : avx2 avx512f avx512_bf16 fma",
  capability: null,
  hasOneDnn: true,
  isaLimit: undefined,
} as const;

describe("bfloat16Problem", () => {
  it.each(["avx512_bf16", "amx_bf16"])("is none on a processor with %s", (flag) => {
    expect(bfloat16Problem({ ...MACHINE, cpuInfo: `flags\t\t: fpu avx2 ${flag} clzero` })).toBeNull();
  });

  it.each([
    ["a processor without units for it", { cpuInfo: "flags : avx2 avx512f" }, "no units for it (AVX512_BF16 or AMX)"],
    ["an engine that makes no functions", { canCompile: false }, "`liqe engine install`"],
    ["oneDNN turned off", { hasOneDnn: false }, "TF_ENABLE_ONEDNN_OPTS=1"],
    ["a limit of oneDNN's instructions below them", { isaLimit: "AVX2" }, "ONEDNN_MAX_CPU_ISA=AVX2"],
    ["an old GPU", { device: "gpu", capability: 7.5 }, "compute capability 7.5"],
  ] as const)("names %s", (_, changes, reason) => {
    expect(bfloat16Problem({ ...MACHINE, ...changes })).toContain(reason);
  });

  it.each(["AVX512_CORE_BF16", "avx512_core_amx", "AVX10_1_512", "DEFAULT"])("takes the limit %s", (isaLimit) => {
    expect(bfloat16Problem({ ...MACHINE, isaLimit })).toBeNull();
  });

  it("takes a GPU with units, and one that tells nothing", () => {
    expect(bfloat16Problem({ ...MACHINE, device: "gpu", cpuInfo: "", capability: 9 })).toBeNull();
    expect(bfloat16Problem({ ...MACHINE, device: "gpu", cpuInfo: "", capability: null })).toBeNull();
  });
});

describe("requirePrecision", () => {
  it("refuses bfloat16 on WebAssembly, and takes float32 anywhere", async () => {
    const wasm = await startEngine("wasm");
    await expect(requirePrecision("bfloat16", wasm)).rejects.toThrow(
      "engine.precision: bfloat16: it needs the native engine that `liqe engine install` provides; use float32",
    );
    await expect(requirePrecision("float32", wasm)).resolves.toBeUndefined();
    await startEngine("auto");
  });
});
