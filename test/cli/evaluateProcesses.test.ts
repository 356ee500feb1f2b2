import { spawn } from "node:child_process";
import { existsSync, linkSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/cli/packageInfo.js";
import { findNative } from "../../src/engine/available.js";
import type { Results } from "../../src/evaluate/results.js";
import { initialParameters } from "../../src/model/initialize.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const CAN_SHARE = IS_BUILT && findNative().ok && existsSync("/proc/self/task");
const root = await toyDatabase();
const checkpoint = await toyWeights();

/** Sums in another order, on another number of threads. */
const QUALITY = { rtol: 0, atol: 1e-5 };

function evaluation(count: number, processes: number) {
  const [images, out] = [temporaryFolder(), temporaryFolder()];
  const list = join(out, "list.csv");
  const names = Array.from({ length: count }, (_, i) => `${i}.png`);
  names.forEach((name, i) => {
    linkSync(join(root, "toys", `test${i % 6}.png`), join(images, name));
  });
  writeFileSync(list, ["image,mos", ...names.map((name, i) => `${name},${i % 5}`)].join("\n"));
  const args = ["evaluate", "--checkpoint", checkpoint, "--list", list, "--images", images, "--out", out];
  return { out, args: [...args, "--set", `evaluate.processes=${processes}`] };
}

const qualities = (out: string) =>
  readFileSync(join(out, "predictions.csv"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => Number(line.split(",")[3]));

/** The processes that a process has started. */
function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split(" ").filter(Boolean).map(Number);
}

/** One that has ended may stay listed, as a zombie, where nobody asks for its exit code. */
function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !readFileSync(file, "utf8").includes(") Z ");
}

async function until<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    await setTimeout(20);
  }
}

/** An evaluation of many seconds, once both of its processes run. */
async function longEvaluation() {
  const { args } = evaluation(3000, 2);
  const child = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "liqe.js"), ...args], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let messages = "";
  child.stderr.on("data", (some: Buffer) => (messages += some.toString()));
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const pid = child.pid ?? NaN;
  const encoders = await until(() => (childrenOf(pid).length === 2 ? childrenOf(pid) : undefined));
  return { child, encoders, ended, messages: () => messages };
}

describe.runIf(CAN_SHARE)("liqe evaluate in several processes", () => {
  it.each([2, 3])("gives the scores of one process, with %i", (processes) => {
    const [one, several] = [evaluation(200, 1), evaluation(200, processes)];
    for (const { args } of [one, several]) expect(liqe(args)).toMatchObject({ exitCode: 0 });
    expect(qualities(several.out)).toBeAllClose(qualities(one.out), QUALITY);
    const measured = JSON.parse(readFileSync(join(several.out, "results.json"), "utf8")) as Results; // our own file
    expect(measured.databases[0]).toMatchObject({ images: 200, failed: [] });
  });

  it("says which setting helps where one of them cannot compute", async () => {
    const file = join(PACKAGE_ROOT, "dist", "evaluate", "imageProcesses.js");
    const { ImageProcesses } = (await import(file)) as typeof import("../../src/evaluate/imageProcesses.js");
    const weights = new Map(initialParameters(TOY_ARCHITECTURE, 5));
    weights.delete("visual.proj");
    const processes = await ImageProcesses.open(weights, TOY_ARCHITECTURE, { processes: 2, threads: 1 });
    const features = () => processes.features(new Uint8Array(224 * 224 * 3), 1);
    await expect(features()).rejects.toThrow(
      /could not compute: .*visual\.proj was not sent; `--set evaluate\.processes=1`/,
    );
    await expect(features()).rejects.toThrow("could not compute"); // of the other process as well
    processes.close();
  });

  it("says which setting helps where one of them is killed, and leaves none behind", async () => {
    const { encoders, ended, messages } = await longEvaluation();
    process.kill(encoders[1] ?? NaN, "SIGKILL");
    expect(await ended).toBe(5);
    expect(messages()).toContain("a process that encodes images was ended by SIGKILL");
    expect(messages()).toContain("`--set evaluate.processes=1`");
    await until(() => (encoders.some(isAlive) ? undefined : true));
  });

  it("ends all of them where it is killed itself", async () => {
    const { child, encoders, ended } = await longEvaluation();
    child.kill("SIGKILL");
    await ended;
    await until(() => (encoders.some(isAlive) ? undefined : true));
  });
});
