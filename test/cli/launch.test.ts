import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { partsOf } from "../../src/base/processes.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const weights = await toyWeights();
const root = await toyDatabase();
const folder = temporaryFolder();
writeFileSync(
  join(folder, "toys.yaml"),
  [
    "run: toys",
    `model: { weights: ${weights} }`,
    `data: { root: ${root}, databases: [{ name: toys, imagesPerStep: 4 }] }`,
    'prompts: { template: "a photo with {distortion} artifacts, which is of {quality} quality" }',
    "train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 1, learningRate: 1.0e-3 }",
    "evaluate: { crops: 1, validationCrops: 1 }",
  ].join("\n"),
);
const RUNS = ["toys-train.learningRate=1e-3", "toys-train.learningRate=2e-3"];
const SWEPT = ["--config", "toys.yaml", "--sweep", "train.learningRate=1e-3,2e-3"];
const results = (run: string) => join(folder, "checkpoints", run, "split-1", "results.json");

describe.skipIf(!IS_BUILT)("liqe launch", () => {
  it("writes a script whose jobs, run as an array by hand, leave runs that evaluate --runs merges", () => {
    const launched = liqe(["launch", "--on", "slurm", ...SWEPT, "--out", "job.sh"], { cwd: folder });
    expect(launched).toMatchObject({ exitCode: 0, output: "", messages: "job.sh written\n" });
    expect(readFileSync(join(folder, "job.sh"), "utf8")).toContain("#SBATCH --array=0-1\n");
    const begun = liqe(["evaluate", "--runs", "checkpoints"], { cwd: folder });
    const lines = RUNS.map((run) => `${run}\n  missing: split 1 has not begun\n`);
    expect([begun.exitCode, begun.output]).toEqual([3, lines.join("\n")]);
    const job = (index: string) =>
      spawnSync("bash", [join(folder, "job.sh")], { env: { ...process.env, SLURM_ARRAY_TASK_ID: index }, encoding: "utf8" }); // prettier-ignore
    expect(job("1").status).toBe(0);
    expect([existsSync(results(RUNS[0] ?? "")), existsSync(results(RUNS[1] ?? ""))]).toEqual([false, true]);
    const partly = liqe(["evaluate", "--runs", "checkpoints"], { cwd: folder });
    expect(partly.exitCode).toBe(3);
    expect(partly.output).toMatch(
      new RegExp(`^${RUNS[0] ?? ""}\n  missing: split 1 has not begun\n\n${RUNS[1] ?? ""}\n`),
    );
    expect(job("0").status).toBe(0);
    const merged = liqe(["evaluate", "--runs", "checkpoints", "--json"], { cwd: folder });
    expect(merged.exitCode).toBe(0);
    const { runs } = JSON.parse(merged.output) as { runs: { run: string; splits: number[]; missing: unknown[] }[] }; // our own output
    expect(runs.map(({ run, splits, missing }) => [run, splits, missing])).toEqual(RUNS.map((run) => [run, [1], []]));
  });

  it("skips here what is finished, takes up what is not, and ends with a failed job's code", () => {
    const again = liqe(["launch", "--on", "local", ...SWEPT, "--set", "train.epochs=1"], { cwd: folder });
    expect(again).toMatchObject({ exitCode: 0, output: "2 of 2 jobs finished\n" });
    const log = readFileSync(join(folder, "checkpoints", RUNS[0] ?? "", "split-1.log"), "utf8");
    expect(log).toContain("is finished already");
    const missing = liqe(["launch", "--on", "local", "--config", "toys.yaml", "--split", "7"], { cwd: folder });
    expect(missing.output).toBe("0 of 1 job finished\n");
    expect(missing.exitCode).toBe(3);
  });

  it("has its jobs save at SIGTERM, and takes them up when it is called again", async () => {
    const args = [
      "launch",
      "--on",
      "local",
      "--config",
      "toys.yaml",
      "--set",
      "run=long",
      "--set",
      "train.stepsPerEpoch=400",
    ];
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "liqe.js"), ...args], {
      cwd: folder,
      stdio: "ignore",
    });
    const ended = once(child, "close");
    const run = join(folder, "checkpoints", "long");
    const metrics = join(run, "split-1", "metrics.jsonl");
    await expect.poll(() => existsSync(metrics) && readFileSync(metrics, "utf8").includes("step"), { timeout: 60_000 }).toBe(true); // prettier-ignore
    child.kill("SIGTERM");
    expect(await ended).toEqual([143, null]);
    expect(liqe(args, { cwd: folder })).toMatchObject({ exitCode: 0, output: "1 of 1 job finished\n" });
    const log = readFileSync(join(run, "split-1.log"), "utf8");
    expect(log.indexOf("stopped and saved")).toBeGreaterThan(0);
    expect(log.indexOf("going on with")).toBeGreaterThan(log.indexOf("stopped and saved"));
  });

  it("ends its jobs with itself at a second signal, though they do not answer", async () => {
    const long = ["--config", "toys.yaml", "--set", "run=stuck", "--set", "train.stepsPerEpoch=400"];
    const program = join(PACKAGE_ROOT, "bin", "liqe.js");
    const child = spawn(process.execPath, [program, "launch", "--on", "local", ...long], {
      ...{ cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
    });
    let notices = "";
    child.stderr.on("data", (chunk: Buffer) => (notices += chunk.toString()));
    const ended = once(child, "close");
    const split = join(folder, "checkpoints", "stuck", "split-1");
    const lock = () => (existsSync(split) ? readdirSync(split) : []).find((name) => name.startsWith(".running-"));
    await expect.poll(lock, { timeout: 60_000 }).toBeDefined();
    const { pid } = partsOf((lock() ?? "").slice(".running-".length));
    const isThere = () => existsSync(`/proc/${pid}/fd/0`); // not of one that has ended, which its parent may not have seen
    process.kill(Number(pid), "SIGSTOP");
    onTestFinished(() => {
      if (isThere()) process.kill(Number(pid), "SIGKILL"); // where the launcher has left it
    });
    child.kill("SIGTERM");
    await expect.poll(() => notices, { timeout: 20_000 }).toContain("SIGTERM: the jobs save and end");
    child.kill("SIGINT"); // as a second SIGTERM within a second is taken for the first one
    expect(await ended).toEqual([130, null]);
    await expect.poll(isThere, { timeout: 20_000 }).toBe(false);
  });

  it.each([
    ["local", ["--out", "job.sh", "--cpus", "2"], "--out, --cpus have no effect with --on local"],
    ["local", ["--index", "0", "--at-once", "2"], "--at-once has no effect with --index"],
    ["local", ["--replicas", "2"], "--replicas has no effect with --on local"],
    ["slurm", ["--image", "x", "--claim", "y"], "--image, --claim have no effect with --on slurm"],
    ["slurm", ["--index", "0"], "--index goes with --on local"],
    ["slurm", ["--checkpoint", "x"], "--checkpoint has no effect with --on slurm"],
    ["kubernetes", ["--image", "x", "--time", "1:00:00"], "--time has no effect with --on kubernetes"],
    ["kubernetes", ["--image", "x", "--serve", "--checkpoint", "y", "--sweep", "seed=1,2"], "--config, --sweep have no effect with --serve"], // prettier-ignore
  ])("names what does nothing: --on %s %j", (on, args, words) => {
    const refused = liqe(["launch", "--on", on, "--config", "toys.yaml", ...args], { cwd: folder });
    expect([refused.exitCode, refused.output]).toEqual([2, ""]);
    expect(refused.messages).toContain(`liqe launch: ${words}`);
  });

  it("refuses what does not go together", () => {
    const refused = (...args: readonly string[]) => liqe(["launch", ...args], { cwd: folder });
    expect(refused("--on", "kubernetes", "--config", "toys.yaml").messages).toContain("--on kubernetes needs --image");
    expect(refused("--on", "local", "--serve", "--checkpoint", "x").exitCode).toBe(2);
    expect(refused("--on", "slurm", "--config", "toys.yaml", "--time", "soon").exitCode).toBe(2);
    expect(refused("--on", "local", "--config", "toys.yaml", "--index", "env").messages).toContain(
      "--index env: neither",
    );
  });
});
