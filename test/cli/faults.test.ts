import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { remainsOf, startLiqe, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const weights = await toyWeights();
const original = await toyDatabase();
const TRAIN = ", epochs: 2, stepsPerEpoch: 15, saveEverySteps: 3";
const config = toyConfig(original, weights, { train: TRAIN });

const newRun = () => join(temporaryFolder(), "run");
const train = (file: string, run: string) => ["train", "--config", file, "--out", run];
const resume = (run: string, ...more: string[]) => ["train", "--resume", run, ...more];

/** The toy run as it is without faults, computed once. */
let undisturbed: ReturnType<typeof remainsOf> | undefined;
function expected() {
  if (undisturbed === undefined) {
    const run = newRun();
    expect(liqe(train(config, run)).exitCode).toBe(0);
    undisturbed = remainsOf(run);
  }
  return undisturbed;
}

/** Runs `liqe` under a shell's limit or in its namespace. */
function inShell(script: string, args: readonly string[]) {
  const program = [process.execPath, join(PACKAGE_ROOT, "bin", "liqe.js"), ...args];
  const { status, stderr } = spawnSync("bash", ["-c", `${script}; exec "$@"`, "bash", ...program], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { exitCode: status, messages: stderr };
}

/** Starts the run, ends it by SIGTERM when it has logged a few steps, and gives its folder. */
async function stoppedRun(file: string): Promise<string> {
  const run = newRun();
  const { child, ended } = startLiqe(train(file, run));
  await logged(run, 2000, () => child.exitCode !== null);
  child.kill("SIGTERM");
  expect((await ended).code).toBe(143);
  return run;
}

/** Until metrics.jsonl has so many bytes. */
async function logged(run: string, bytes: number, isOver: () => boolean): Promise<void> {
  const metrics = join(run, "split-1", "metrics.jsonl");
  while (!isOver() && !(existsSync(metrics) && statSync(metrics).size >= bytes)) await setTimeout(5);
}

const passing = (run: string) => readdirSync(join(run, "split-1")).filter((name) => name.startsWith(".tmp-"));
const metricsOf = (run: string) => readFileSync(join(run, "split-1", "metrics.jsonl"), "utf8");
const isWholeLines = (text: string) => text === "" || (text.endsWith("\n") && text.trimEnd().split("\n").every(isJson));
function isJson(line: string): boolean {
  JSON.parse(line);
  return true;
}

/** A file system of its own, as small as one wants, needs a user namespace; not every system allows that. */
const MAY_MOUNT = spawnSync("unshare", ["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

describe.skipIf(!IS_BUILT)("liqe train on a full disk", () => {
  it("keeps the checkpoint it has where the next one does not fit, says so once, and goes on when there is room", async () => {
    const run = await stoppedRun(config);
    const last = join(run, "split-1", "last");
    const before = readFileSync(join(last, "manifest.json"), "utf8");
    const { exitCode, messages } = inShell("ulimit -f 1000", resume(run)); // the model alone has 1.6 MB
    expect(exitCode).toBe(6);
    expect(messages.match(/no room for what was to be written \(EFBIG/g)).toHaveLength(1);
    expect(messages).toContain(`${last} is whole. Make room and go on with: liqe train --resume ${run}/split-1`);
    expect(messages).not.toMatch(/^\s+at /m);
    expect(readFileSync(join(last, "manifest.json"), "utf8")).toBe(before);
    await loadCheckpoint(last);
    expect(passing(run)).toEqual([]);
    expect(isWholeLines(metricsOf(run))).toBe(true);
    expect(liqe(resume(run)).exitCode).toBe(0);
    expect(remainsOf(run)).toEqual(expected());
  });

  it("leaves no half line where metrics.jsonl cannot grow", () => {
    const run = newRun();
    const never = toyConfig(original, weights, { train: ", epochs: 2, stepsPerEpoch: 2000, saveEverySteps: 4000" });
    const { exitCode, messages } = inShell("ulimit -f 160", train(never, run)); // the pictures of its folder are smaller
    expect(exitCode).toBe(6);
    expect(messages).toContain("no checkpoint was saved yet");
    const metrics = metricsOf(run);
    expect(metrics.length).toBeGreaterThan(160_000);
    expect(metrics.length).toBeLessThanOrEqual(160 * 1024);
    expect(isWholeLines(metrics)).toBe(true);
  });

  it.skipIf(!MAY_MOUNT)("says the same on a file system without space, and its checkpoint can be loaded", async () => {
    const folder = temporaryFolder();
    const rescued = temporaryFolder();
    // Room for two checkpoints of 3.3 MB and no third one. What is left is copied out before the file system goes with its namespace.
    const script = 'mount -t tmpfs -o size=8m tmpfs "$0"; "$@"; code=$?; cp -r "$0/run" "$RESCUED"; exit $code';
    const program = [process.execPath, join(PACKAGE_ROOT, "bin", "liqe.js"), ...train(config, join(folder, "run"))];
    const { status, stderr } = spawnSync("unshare", ["-Urm", "bash", "-c", script, folder, ...program], {
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1", RESCUED: rescued },
    });
    expect(stderr).toMatch(/no room for what was to be written \(ENOSPC.*last is whole/);
    expect(status).toBe(6);
    const { state } = await loadCheckpoint(join(rescued, "run", "split-1", "last"));
    expect(state.optimizerSteps).toBeGreaterThan(0);
    expect(passing(join(rescued, "run"))).toEqual([]);
  });
});

describe.skipIf(!IS_BUILT)("liqe train --resume with a damaged checkpoint", () => {
  /** Turns one bit over. */
  function damage(file: string): void {
    const bytes = readFileSync(file);
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(file, bytes);
  }

  it("goes on from `previous`, says why, and ends as the undisturbed run does", async () => {
    const run = await stoppedRun(config);
    const last = join(run, "split-1", "last");
    truncateSync(join(last, "state.json"), 10); // not even JSON
    const { exitCode, messages } = liqe(resume(run));
    expect(messages).toContain(`${last}/state.json`);
    expect(messages).toContain(`going on from ${run}/split-1/previous`);
    expect(statSync(join(run, "split-1", "damaged", "state.json")).size).toBe(10); // kept, but out of the way
    expect(exitCode).toBe(0);
    expect(remainsOf(run)).toEqual(expected());
  });

  it("refuses with 4 where both are damaged, and touches nothing", async () => {
    const run = await stoppedRun(config);
    for (const name of ["last", "previous"]) damage(join(run, "split-1", name, "model.safetensors"));
    const before = metricsOf(run);
    const { exitCode, messages } = liqe(resume(run));
    expect(exitCode).toBe(4);
    expect(messages).toMatch(/last\/model\.safetensors: was changed .*previous\/model\.safetensors: was changed/);
    expect(messages).toContain("no whole checkpoint is left in the run");
    expect(metricsOf(run)).toBe(before);
  });
});

describe.skipIf(!IS_BUILT)("liqe train at two signals", () => {
  it("ends at once with the second one's code, without saving, and resumes to the undisturbed run", async () => {
    const run = newRun();
    const { child, ended } = startLiqe(train(config, run));
    await logged(run, 2000, () => child.exitCode !== null);
    child.kill("SIGINT");
    child.kill("SIGTERM");
    const { code, messages } = await ended;
    // two signals at once reach the threads of a process in either order: the notice says which came first
    expect(code).toBe(messages.includes("SIGINT: stopping") ? 143 : 130);
    expect(messages).toMatch(/SIG(INT|TERM): stopping/);
    expect(messages).not.toContain("stopped and saved");
    expect(liqe(resume(run)).exitCode).toBe(0);
    expect(remainsOf(run)).toEqual(expected());
  });
});

describe.skipIf(!IS_BUILT)("liqe train on what it cannot go on with", () => {
  it("stops with 6 and a diagnosis at a gradient that overflows", () => {
    const run = newRun();
    const losses = "{ weights: { quality: 1.0e+30, distortion: 1 } }";
    const { exitCode, messages } = liqe(train(toyConfig(original, weights, { train: TRAIN, losses }), run));
    expect(exitCode).toBe(6);
    expect(messages).toContain(`${run}/split-1/diagnosis.json has the batch and the gradients`);
    expect(existsSync(join(run, "split-1", "diagnosis.json"))).toBe(true);
  });

  it("stops with 3 at an image that is none, and with --set data.onUnreadable=replace goes on without it", () => {
    const root = temporaryFolder();
    cpSync(original, root, { recursive: true });
    writeFileSync(join(root, "toys", "train3.png"), "no picture");
    const run = newRun();
    const strict = toyConfig(root, weights, { train: TRAIN });
    const refused = liqe(train(strict, run));
    expect([refused.exitCode, existsSync(run)]).toEqual([3, false]);
    const { exitCode, messages } = liqe([...train(strict, run), "--set", "data.onUnreadable=replace"]);
    expect(exitCode).toBe(0);
    expect(messages).toContain("1 training image cannot be read (data.onUnreadable: replace)");
    expect(messages.match(/train3\.png: not an image: .*; others take its place/g)).toHaveLength(1);
  });

  it("names files that never come and ends, with 3 or by SIGKILL, though threads hang in them", async () => {
    const root = temporaryFolder();
    cpSync(original, root, { recursive: true });
    const hung = toyConfig(root, weights, {
      train: ", epochs: 2, stepsPerEpoch: 500, saveEverySteps: 3",
      data: ", cacheMB: 0, stallSeconds: 2",
    });
    const run = newRun();
    const { child, ended } = startLiqe(train(hung, run));
    await logged(run, 3000, () => child.exitCode !== null);
    // All at once, as when a network folder dies: more reads hang than there are threads to read and write by.
    const pipes = Array.from({ length: 12 }, (_, i) => join(root, "toys", `train${i}.png`));
    const made = pipes.map((pipe) => `${pipe}.fifo`);
    execFileSync("mkfifo", made);
    made.forEach((fifo, i) => {
      renameSync(fifo, pipes[i] ?? ""); // over the image: at no moment is there none, which would be another error
    });
    const { code, messages } = await ended;
    // Null is SIGKILL, the last resort of `leave`: a thread that cannot be freed keeps exit() from returning
    expect([3, null]).toContain(code);
    expect(messages).toMatch(/train\d+\.png.*: no answer after 2 s \(data\.stallSeconds\); does the disk/);
    await loadCheckpoint(join(run, "split-1", "last"));
  });
});
