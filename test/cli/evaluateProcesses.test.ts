import { spawn } from "node:child_process";
import { existsSync, linkSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { findInstalledEngine } from "../../src/engine/install/installed.js";
import type { Results } from "../../src/evaluate/results/results.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT } from "./liqe.js";

const CAN_SHARE = IS_BUILT && findInstalledEngine().ok && existsSync("/proc/self/task");
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
  return { out, args: [...args, "--processes", String(processes)] };
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
    await pause(20);
  }
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "liqe.js"), ...args], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let messages = "";
  child.stderr.on("data", (some: Buffer) => (messages += some.toString()));
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  return { child, pid: child.pid ?? NaN, ended, messages: () => messages };
}

/** An evaluation of many seconds, once both of its processes run. */
async function longEvaluation() {
  const started = start(evaluation(3000, 2).args);
  const encoders = await until(() => {
    const children = childrenOf(started.pid);
    return children.length === 2 ? children : undefined;
  });
  return { ...started, encoders };
}

/** Evaluates to the end: the scores, and how many processes took part besides. */
async function evaluated(processes: number) {
  const { out, args } = evaluation(200, processes);
  const { pid, ended } = start(args);
  let most = 0;
  const watching = setInterval(() => (most = Math.max(most, childrenOf(pid).length)), 20);
  expect(await ended).toBe(0);
  clearInterval(watching);
  const { databases } = JSON.parse(readFileSync(join(out, "results.json"), "utf8")) as Results; // our own file
  expect(databases[0]).toMatchObject({ images: 200, failed: [] });
  return { most, scores: qualities(out) };
}

describe.runIf(CAN_SHARE)("liqe evaluate in several processes", () => {
  it("gives the scores of one process, with two and with three", async () => {
    const one = await evaluated(1);
    expect(one.most).toBe(0);
    for (const processes of [2, 3]) {
      const several = await evaluated(processes);
      expect(several.most).toBe(processes);
      expect(several.scores).toBeAllClose(one.scores, QUALITY);
    }
  });

  it("says which setting helps where one of them cannot compute", async () => {
    const file = join(PACKAGE_ROOT, "dist", "evaluate", "scoring", "workerPool.js");
    const { openScorer } = (await import(file)) as typeof import("../../src/evaluate/scoring/workerPool.js");
    const weights = new Map(initialParameters(TOY_ARCHITECTURE, 5));
    weights.delete("visual.proj");
    const prompts = { grid: { axes: [] }, logitScale: () => 1, promptFeatures: () => null };
    const model = { architecture: TOY_ARCHITECTURE, cropSize: 224 * 224 * 3, ...prompts };
    const open = { model, weights } as unknown as Parameters<typeof openScorer>[0]; // all of it that is read
    const engine = { backend: "native", device: "cpu", threads: 2 } as const;
    const { scorer, close } = await openScorer(open, { processes: 2, engine, crops: 2 });
    const logits = async () => ("logitsLater" in scorer ? scorer.logitsLater(new Uint8Array(model.cropSize)) : null);
    await expect(logits()).rejects.toThrow(/could not compute: .*visual\.proj was not sent; with `--processes 1`/);
    await expect(logits()).rejects.toThrow("could not compute"); // of the other process as well
    close();
  });

  it("says which setting helps where one of them is killed, and leaves none behind", async () => {
    const { encoders, ended, messages } = await longEvaluation();
    process.kill(encoders[1] ?? NaN, "SIGKILL");
    expect(await ended).toBe(5);
    expect(messages()).toContain("a process that encodes images was ended by SIGKILL");
    expect(messages()).toContain("with `--processes 1`");
    await until(() => (encoders.some(isAlive) ? undefined : true));
  });

  it("ends all of them where it is killed itself", async () => {
    const { child, encoders, ended } = await longEvaluation();
    child.kill("SIGKILL");
    await ended;
    await until(() => (encoders.some(isAlive) ? undefined : true));
  });
});
