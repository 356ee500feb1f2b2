import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, freemem, hostname, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { slurmScript } from "../../src/api/launch/slurm.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { EXIT } from "../../src/cli/exitCodes.js";
import { freePorts } from "../../src/engine/cluster/ports.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

// Slurm's own daemons, with this machine as their one node: Debian's packages slurm-wlm and munge.

process.env["PATH"] = [process.env["PATH"], "/usr/sbin"].join(delimiter); // where Debian has daemons, and a user's PATH may not look
const missing = ["munged", "slurmctld", "slurmd", "srun"].filter((name) => spawnSync("which", [name]).status !== 0);
const reason = missing.length > 0 ? ` (skipped: there is no ${missing.join(", ")})` : "";

const program = join(PACKAGE_ROOT, "bin", "liqe.js");
const folder = temporaryFolder();
const daemons: ChildProcess[] = [];
const SLOWLY = { timeout: 120_000, interval: 500 };

describe.skipIf(!IS_BUILT || reason !== "")(`Slurm${reason}`, () => {
  beforeAll(async () => {
    await startDaemons();
    const settings = [
      "run: toys",
      `model: { weights: ${await toyWeights()} }`,
      `data: { root: ${await toyDatabase()}, databases: [{ name: toys, imagesPerStep: 4 }] }`,
      'prompts: { template: "a photo with {distortion} artifacts, which is of {quality} quality" }',
      "train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 1, learningRate: 1.0e-3 }",
      "evaluate: { crops: 1, validationCrops: 1 }",
    ];
    writeFileSync(join(folder, "toys.yaml"), settings.join("\n"));
  });

  afterAll(async () => {
    for (const daemon of daemons.reverse()) {
      const ended = once(daemon, "exit");
      daemon.kill("SIGTERM");
      await ended;
    }
  });

  it("runs the array that launch writes, and evaluate --runs merges what its jobs leave", async () => {
    const job = sbatch(launched("--sweep", "train.learningRate=1e-3,2e-3"));
    await expect.poll(() => states(job), SLOWLY).toEqual(["COMPLETED", "COMPLETED"]);
    const merged = liqe(["evaluate", "--runs", "checkpoints", "--json"], { cwd: folder });
    const { runs } = JSON.parse(merged.output) as { runs: { run: string; splits: number[] }[] }; // our own output
    expect(runs.map(({ run, splits }) => [run, splits])).toEqual([
      ["toys-train.learningRate=1e-3", [1]],
      ["toys-train.learningRate=2e-3", [1]],
    ]);
  });

  it("tells a job that its time ends: it saves, is queued again and goes on to the end", async () => {
    const job = sbatch(launched("--set", "run=long", "--set", "train.stepsPerEpoch=400"));
    await expect.poll(() => hasSteps("long"), SLOWLY).toBe(true);
    slurm("scancel", "--signal=USR1", "--batch", `${job}_0`); // what Slurm itself does two minutes before the end
    await expect.poll(() => states(job), SLOWLY).toEqual(["COMPLETED"]);
    const log = logOf("long", job);
    expect(log.indexOf("stopped and saved")).toBeGreaterThan(0);
    expect(log.indexOf("going on with")).toBeGreaterThan(log.indexOf("stopped and saved"));
  });

  it("ends a job for good at scancel, which saves", async () => {
    const job = sbatch(launched("--set", "run=cancelled", "--set", "train.stepsPerEpoch=100000"));
    await expect.poll(() => hasSteps("cancelled"), SLOWLY).toBe(true);
    slurm("scancel", job);
    await expect.poll(() => states(job), SLOWLY).toEqual(["CANCELLED"]);
    expect(logOf("cancelled", job)).toContain("stopped and saved");
  });

  it("queues a job again that has lost a peer, and no other one that fails", async () => {
    const resources = { cpus: 1, memory: 1000, gpus: 0, time: "1:00:00" };
    const written = (name: string, code: number) => {
      const command = ["bash", "-c", `[ "\${SLURM_RESTART_COUNT:-0}" = 2 ] || exit ${code}`];
      const script = join(folder, `${name}.sh`);
      writeFileSync(script, slurmScript({ name, jobs: 1, folder, again: EXIT.peerLost, command, ...resources }));
      return script;
    };
    const lost = sbatch(written("lost", EXIT.peerLost));
    const failed = sbatch(written("failed", EXIT.data));
    await expect.poll(() => states(failed), SLOWLY).toEqual(["FAILED"]);
    await expect.poll(() => states(lost), SLOWLY).toEqual(["COMPLETED"]);
    expect(slurm("scontrol", "show", "job", lost)).toContain("Restarts=2");
    expect(slurm("scontrol", "show", "job", failed)).toContain("Restarts=0");
  });

  it("gives srun's tasks their ranks: --cluster slurm trains one run by two processes", () => {
    const args = ["train", "--config", "toys.yaml", "--set", "run=both", "--cluster", "slurm", "--threads", "1"];
    slurm("srun", "--ntasks=2", process.execPath, program, ...args);
    const run = join(folder, "checkpoints", "both", "split-1");
    expect(existsSync(join(run, "results.json"))).toBe(true);
    expect(readFileSync(join(run, "rank-1.log"), "utf8")).toContain("validation: mean SRCC");
  });
});

/** munged, slurmctld and slurmd, of this user, until `sinfo` says that the node is idle. */
async function startDaemons(): Promise<void> {
  const [controller = 0, node = 0] = await freePorts(2);
  const user = userInfo().username;
  const at = (name: string) => join(folder, "slurm", name);
  mkdirSync(at("spool"), { recursive: true });
  writeFileSync(at("munge.key"), randomBytes(128), { mode: 0o600 });
  const settings = {
    ClusterName: "one",
    SlurmctldHost: `${hostname()}(127.0.0.1)`,
    SlurmUser: user,
    SlurmdUser: user,
    AuthType: "auth/munge",
    AuthInfo: `socket=${at("munge.socket")},cred_expire=5`, // seconds that a job queued again waits, 120 otherwise
    SlurmctldPort: controller,
    SlurmdPort: node,
    SlurmctldPidFile: at("slurmctld.pid"),
    SlurmdPidFile: at("slurmd.pid"),
    SlurmdSpoolDir: at("spool"),
    StateSaveLocation: at("state"),
    ProctrackType: "proctrack/linuxproc",
    TaskPlugin: "task/none",
    SelectType: "select/cons_tres",
    SelectTypeParameters: "CR_Core_Memory",
    SchedulerParameters: "sched_interval=1",
  };
  const lines = [
    ...Object.entries(settings).map(([key, value]) => `${key}=${value}`),
    `NodeName=${hostname()} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} RealMemory=${Math.floor(freemem() / 2 ** 20)}`,
    `PartitionName=all Nodes=${hostname()} Default=YES State=UP`,
  ];
  mkdirSync(at("state"));
  writeFileSync(at("slurm.conf"), `${lines.join("\n")}\n`);
  process.env["SLURM_CONF"] = at("slurm.conf");
  const files = ["key", "socket", "pid", "log", "seed"].map((name) => [name, at(`munge.${name}`)] as const);
  const munge = files.map(([name, file]) => `--${name === "socket" ? name : `${name}-file`}=${file}`);
  daemons.push(spawn("munged", ["--foreground", "--force", ...munge], { stdio: "ignore" }));
  await vi.waitUntil(() => existsSync(at("munge.socket")), SLOWLY);
  for (const name of ["slurmctld", "slurmd"]) daemons.push(spawn(name, ["-D"], { stdio: "ignore" }));
  const sinfo = () => spawnSync("sinfo", ["--noheader", "--format=%T"], { encoding: "utf8" }).stdout.trim();
  await vi.waitUntil(() => sinfo() === "idle", SLOWLY);
}

/** Script of `liqe launch` for the toys, with these options. */
function launched(...args: readonly string[]): string {
  const resources = ["--cpus", "1", "--memory", "1000", "--out", "job.sh"];
  expect(liqe(["launch", "--on", "slurm", "--config", "toys.yaml", ...resources, ...args], { cwd: folder }).exitCode).toBe(0); // prettier-ignore
  return join(folder, "job.sh");
}

/** Number of the job that a script is queued as. */
function sbatch(script: string): string {
  return slurm("sbatch", "--parsable", script).trim();
}

/** State of each job of an array. */
function states(job: string): string[] {
  return slurm("squeue", "--noheader", "--array", "--states=all", "--format=%T", "--jobs", job).trim().split("\n");
}

/** What an array's first job has said. */
function logOf(name: string, job: string): string {
  return readFileSync(join(folder, `${name}-${job}_0.log`), "utf8");
}

function hasSteps(run: string): boolean {
  const metrics = join(folder, "checkpoints", run, "split-1", "metrics.jsonl");
  return existsSync(metrics) && readFileSync(metrics, "utf8").includes("step");
}

function slurm(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
