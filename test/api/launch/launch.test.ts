import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launchLocal } from "../../../src/api/launch/local.js";
import { mergeRuns } from "../../../src/api/launch/mergeRuns.js";
import { jobsOf, planLaunch, recordPlan } from "../../../src/api/launch/plan.js";
import { jobIndex, shellWord } from "../../../src/api/launch/resources.js";
import { slurmScript } from "../../../src/api/launch/slurm.js";
import { ConfigError } from "../../../src/base/errors.js";
import { temporaryFolder } from "../../support/runs.js";

const config = "smoke.yaml";

describe("planLaunch", () => {
  it("names a run for each combination of values, and numbers the splits of each one after the other", () => {
    const sweep = ["train.learningRate=1e-5,5e-6", "losses.quality=fidelity,huber"];
    const plan = planLaunch({ config, split: [1, 2, 3], sweep, set: ["train.epochs=2"] });
    const base = plan.base;
    expect(plan.runs.map(({ name }) => name)).toEqual([
      `${base}-train.learningRate=1e-5-losses.quality=fidelity`,
      `${base}-train.learningRate=1e-5-losses.quality=huber`,
      `${base}-train.learningRate=5e-6-losses.quality=fidelity`,
      `${base}-train.learningRate=5e-6-losses.quality=huber`,
    ]);
    const jobs = jobsOf(plan);
    expect(jobs).toHaveLength(12);
    expect(jobs[4]).toMatchObject({
      run: plan.runs[1],
      split: 2,
      folder: join("checkpoints", plan.runs[1]?.name ?? ""),
    });
    expect(plan.runs[3]?.set).toEqual(["train.epochs=2", "train.learningRate=5e-6", "losses.quality=huber", `run=${plan.runs[3]?.name}`]); // prettier-ignore
  });

  it("keeps a list in brackets together, and refuses what is no sweep, a wrong value and a name that stands twice", () => {
    const names = (sweep: string) => planLaunch({ config, split: [1], sweep: [sweep] }).runs.map(({ name }) => name);
    expect(names("train.freeze=[],[text]")).toHaveLength(2);
    expect(() => names("train.epochs")).toThrow("--sweep train.epochs: must be path=a,b");
    expect(() => names("train.epochs=1,none")).toThrow(ConfigError);
    expect(() => names("train.epochs=1,1")).toThrow("two runs would be named");
  });
});

describe("jobIndex", () => {
  it("reads Slurm's and Kubernetes' variables, or takes the number itself", () => {
    expect(jobIndex("env", 4, { SLURM_ARRAY_TASK_ID: "3" })).toBe(3);
    expect(jobIndex("env", 4, { JOB_COMPLETION_INDEX: "0" })).toBe(0);
    expect(jobIndex("2", 4, { JOB_COMPLETION_INDEX: "0" })).toBe(2);
    for (const [given, env] of [
      ["env", {}],
      ["4", {}],
      ["-1", {}],
      ["env", { SLURM_ARRAY_TASK_ID: "x" }],
    ] as const) {
      expect(() => jobIndex(given, 4, env)).toThrow(ConfigError);
    }
  });
});

/** Runs a script as Slurm would, with a `liqe` that ends with a code and a `scontrol` that writes down its calls. */
function runScript(code: number, env: Readonly<Record<string, string>> = {}) {
  const bin = temporaryFolder();
  const calls = join(bin, "calls");
  for (const [name, body] of [
    ["liqe", `echo "job $* $SLURM_ARRAY_TASK_ID"; exit ${code}`],
    ["scontrol", `echo "$*" >> ${calls}`],
  ] as const) {
    writeFileSync(join(bin, name), `#!/bin/bash\n${body}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const folder = join(temporaryFolder(), "it's here");
  mkdirSync(folder);
  const resources = { cpus: 4, memory: 1000, gpus: 1, time: "1:00:00", atOnce: 2 };
  const script = slurmScript({
    name: "toys",
    jobs: 3,
    folder,
    command: ["liqe", "a b", "$HOME", "it's"],
    ...resources,
  });
  const { status, stdout, stderr } = spawnSync("bash", ["-s"], {
    input: script,
    encoding: "utf8",
    env: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, SLURM_ARRAY_JOB_ID: "17", SLURM_ARRAY_TASK_ID: "2", ...env },
  });
  writeFileSync(calls, "", { flag: "a" });
  return { script, status, stdout, stderr, requeued: readFileSync(calls, "utf8") };
}

describe("slurmScript", () => {
  it("is an array of all jobs with their resources, and passes the words of the command as they are", () => {
    const { script, status, stdout, stderr, requeued } = runScript(0);
    const lines = [
      "array=0-2%2",
      "cpus-per-task=4",
      "mem=1000M",
      "gres=gpu:1",
      "time=1:00:00",
      "requeue",
      "signal=B:USR1@120",
    ];
    for (const line of lines) expect(script).toContain(`#SBATCH --${line}\n`);
    expect([status, stdout, stderr, requeued]).toEqual([0, "job a b $HOME it's 2\n", "", ""]);
  });

  it("queues a job that lost a peer again, a bounded number of times, and no other", () => {
    expect(runScript(75)).toMatchObject({ status: 75, requeued: "requeue 17_2\n" });
    expect(runScript(75, { SLURM_RESTART_COUNT: "100" })).toMatchObject({ status: 75, requeued: "" });
    expect(runScript(3)).toMatchObject({ status: 3, requeued: "" });
  });
});

describe("slurmScript, told that its time is over", () => {
  it.each([
    ["SIGUSR1", "requeue 17_2\n"],
    ["SIGTERM", ""],
  ] as const)("has the job save at %s; scontrol then hears %j", async (signal, requeued) => {
    const bin = temporaryFolder();
    const [started, calls] = [join(bin, "started"), join(bin, "calls")];
    const job = `trap 'sleep 0.2; exit 143' TERM; touch ${started}; while :; do sleep 0.02; done`;
    for (const [name, body] of [
      ["liqe", job],
      ["scontrol", `echo "$*" >> ${calls}`],
    ] as const) {
      writeFileSync(join(bin, name), `#!/bin/bash\n${body}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    writeFileSync(calls, "");
    const resources = { cpus: 1, memory: 1000, gpus: 0, time: "1:00:00" };
    const script = join(bin, "job.sh");
    writeFileSync(script, slurmScript({ name: "toys", jobs: 3, folder: bin, command: ["liqe"], ...resources }));
    const child = spawn("bash", [script], {
      stdio: "ignore",
      env: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, SLURM_ARRAY_JOB_ID: "17", SLURM_ARRAY_TASK_ID: "2" },
    });
    const ended = once(child, "close");
    await expect.poll(() => existsSync(started), { timeout: 20_000 }).toBe(true);
    child.kill(signal);
    expect(await ended).toEqual([143, null]);
    expect(readFileSync(calls, "utf8")).toBe(requeued);
  });
});

describe("launchLocal", () => {
  const plan = () => planLaunch({ config, split: [1, 2, 3], runs: temporaryFolder() });

  it("runs every job, tries one that ends with 75 again, and says what became of each", async () => {
    const launched = plan();
    const tries = join(temporaryFolder(), "tries");
    writeFileSync(tries, "");
    const scripts = ["echo first", `echo x >> ${tries}; [ $(wc -l < ${tries}) -ge 3 ] || exit 75`, "exit 3"];
    const notes: string[] = [];
    const ended = await launchLocal(launched, {
      ...{ atOnce: 1, signal: new AbortController().signal },
      commandOf: (index) => ["bash", "-c", scripts[index] ?? ""],
      note: (line) => notes.push(line),
    });
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 3]);
    expect(readFileSync(tries, "utf8")).toBe("x\nx\nx\n");
    expect(readFileSync(join(ended[0]?.folder ?? "", "split-1.log"), "utf8")).toBe("first\n");
    expect(notes[2]).toMatch(/^3 of 3: \S+ split 3: ended with 3; see \S+split-3\.log$/);
  });

  it("ends what is under way by SIGTERM once it is told to stop, and begins nothing more", async () => {
    const stop = new AbortController();
    const started = join(temporaryFolder(), "started");
    const script = `trap 'exit 143' TERM; touch ${started}; while :; do sleep 0.05; done`;
    const running = launchLocal(plan(), {
      ...{ atOnce: 1, signal: stop.signal, note: () => undefined },
      commandOf: () => ["bash", "-c", script],
    });
    await expect.poll(() => existsSync(started), { timeout: 20_000 }).toBe(true);
    stop.abort();
    expect((await running).map(({ code }) => code)).toEqual([143, null, null]);
  });
});

describe("mergeRuns", () => {
  it("names every run and split that was launched and has no results", async () => {
    const runs = temporaryFolder();
    const plan = planLaunch({ config, split: [1, 2], sweep: ["train.epochs=1,2"], runs });
    await recordPlan(plan);
    const merged = await mergeRuns(runs);
    expect(merged.map(({ run }) => run)).toEqual(plan.runs.map(({ name }) => name));
    for (const one of merged) {
      const reason = "has not begun";
      expect(one).toMatchObject({
        splits: [],
        missing: [
          { split: 1, reason },
          { split: 2, reason },
        ],
        summary: null,
      });
    }
    await expect(mergeRuns(temporaryFolder())).rejects.toThrow("holds no run");
    writeFileSync(join(runs, "broken.launch.json"), "{}");
    await expect(mergeRuns(runs)).rejects.toThrow("is no list of launched runs");
  });
});

describe("shellWord", () => {
  it("quotes what a shell would take apart", () => {
    expect(["a=b", "a b", "it's", "$x", ""].map(shellWord)).toEqual(["a=b", "'a b'", "'it'\\''s'", "'$x'", "''"]);
  });
});
