import { ConfigError } from "../../base/errors.js";
import { formatBytes } from "../../base/text.js";
import type { NativeFlavor } from "../../engine/install/pins.js";
import type { EngineStatus } from "../../engine/status.js";
import { defineCommand, printReport } from "../command.js";
import { engineOptions, jsonOption, listOption } from "../options.js";
import { withProgress } from "../progress.js";

export const engineStatusCommand = defineCommand({
  command: "status",
  describe: "show which engine computes, and why",
  builder: (yargs) =>
    engineOptions(yargs).option("json", jsonOption).example("$0 engine status", "what would compute now"),
  handler: async ({ engine, threads, ...options }) => {
    const { engineStatus } = await import("../../engine/status.js");
    printReport(await engineStatus(engine, threads ?? "auto"), options, describeStatus);
  },
});

export const engineInstallCommand = defineCommand({
  command: "install",
  describe: "install TensorFlow's native library (about 300 MB to download for the CPU, 3.5 GB for GPUs)",
  builder: (yargs) =>
    yargs
      .option("flavor", {
        choices: ["cpu", "gpu"] as const,
        default: "cpu" as const, // not any string: one of the choices
        describe: "gpu: NVIDIA, CUDA 12; needs its driver and nothing else",
      })
      .option("cuda", {
        choices: ["bundled", "system"] as const,
        default: "bundled" as const, // likewise
        describe: "system: use the CUDA 12 and cuDNN 9 libraries of this machine (with --flavor gpu)",
      })
      .option("source", {
        choices: ["wheel", "official"] as const,
        default: "wheel" as const, // likewise
        describe: "official: the installer of the TensorFlow.js package (TensorFlow 2.9.1, CUDA 11.2)",
      })
      .option("wheel", listOption("a wheel file on this machine; may be repeated"))
      .example("$0 engine install", "the CPU's, from the Python package index")
      .example("$0 engine install --flavor gpu", "the GPU's, with NVIDIA's libraries"),
  handler: async (options) => {
    const flavor = flavorOf(options);
    const { installEngine } = await import("../../engine/install/install.js");
    await withProgress(async (progress) => {
      const done = await installEngine({ flavor, wheels: options.wheel }, progress.progress);
      const device =
        done.device === "gpu" ? "the GPU" : flavor === "cpu" ? "the CPU" : "the CPU, since it found no GPU";
      const speed = `${done.gigaflops.toFixed(0)} GFLOP/s on ${device}`;
      progress.note(`TensorFlow ${done.tensorflowVersion} (${flavor}) is installed and computes: ${speed}.`);
    });
  },
});

interface FlavorOptions {
  readonly flavor: "cpu" | "gpu";
  readonly cuda: "bundled" | "system";
  readonly source: "wheel" | "official";
}

/** Flavor of the options. @throws {ConfigError} where they do not go together */
function flavorOf({ flavor, cuda, source }: FlavorOptions): NativeFlavor {
  if (cuda === "system" && (flavor === "cpu" || source === "official")) {
    throw new ConfigError("--cuda system: goes with --flavor gpu from the wheel only; leave it out");
  }
  if (source === "official") return "official";
  return cuda === "system" ? "gpu-system" : flavor;
}

function describeStatus(status: EngineStatus): string {
  const { memory, gpus, installed } = status;
  const rows = [
    ["computes", status.description],
    ["because", status.reason],
    ["speed", `${status.gigaflops.toFixed(0)} GFLOP/s in float32 matrix products, measured now`],
    ["memory", `${formatBytes(memory.totalBytes)}, ${formatBytes(memory.freeBytes)} of it free`],
    [
      "GPUs",
      gpus.map((gpu) => `${gpu.name}, ${formatBytes(gpu.memoryBytes)}, driver ${gpu.driver}`).join("; ") || "none",
    ],
    ["NCCL", status.nccl === true ? "in this build" : "not in this build"],
    [
      "installed",
      installed.map(({ flavor, damage }) => flavor + (damage === null ? "" : ` (${damage})`)).join(", ") || "none",
    ],
    ["Node", `${status.node}, ${status.platform}`],
  ];
  return rows.map(([name = "", value = ""]) => `${name.padEnd(11)}${value}\n`).join("");
}
