import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launchLocal } from "../../../src/api/launch/local.js";
import { mergeRuns } from "../../../src/api/launch/mergeRuns.js";
import { jobIndex, jobsOf, planLaunch, recordPlan } from "../../../src/api/launch/plan.js";
import { shellWord, slurmScript } from "../../../src/api/launch/slurm.js";
import { ConfigError } from "../../../src/base/errors.js";
import { MAIN_METRICS } from "../../../src/evaluate/metrics/metrics.js";
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
    for (const odd of [",", "1,", "1,,2", "[1", "1,[2"]) {
      expect(() => names(`train.epochs=${odd}`)).toThrow(
        `--sweep train.epochs=${odd}: has an empty value, or a bracket`,
      );
    }
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
  const resources = { cpus: 4, memory: 1000, gpus: 1, time: "1:00:00", atOnce: 2, again: 75 };
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
    ["SIGUSR1", 143, undefined, "requeue 17_2\n"],
    ["SIGUSR1", 143, "99", "requeue 17_2\n"],
    ["SIGUSR1", 143, "100", ""],
    ["SIGUSR1", 0, undefined, ""], // it has finished meanwhile
    ["SIGTERM", 143, undefined, ""],
  ] as const)(
    "has the job save at %s and end with %i; begun again %s times, scontrol hears %j",
    async (signal, code, restarts, requeued) => {
      const bin = temporaryFolder();
      const [started, saved, calls] = [join(bin, "started"), join(bin, "saved"), join(bin, "calls")];
      const job = `trap 'sleep 0.2; touch ${saved}; exit ${code}' TERM; touch ${started}; while :; do sleep 0.02; done`;
      for (const [name, body] of [
        ["liqe", job],
        ["scontrol", `echo "$*" >> ${calls}`],
      ] as const) {
        writeFileSync(join(bin, name), `#!/bin/bash\n${body}\n`);
        chmodSync(join(bin, name), 0o755);
      }
      writeFileSync(calls, "");
      const resources = { cpus: 1, memory: 1000, gpus: 0, time: "1:00:00", again: 75 };
      const script = join(bin, "job.sh");
      writeFileSync(script, slurmScript({ name: "toys", jobs: 3, folder: bin, command: ["liqe"], ...resources }));
      const child = spawn("bash", [script], {
        stdio: "ignore",
        env: {
          ...{ PATH: `${bin}:${process.env["PATH"] ?? ""}`, SLURM_ARRAY_JOB_ID: "17", SLURM_ARRAY_TASK_ID: "2" },
          ...(restarts === undefined ? {} : { SLURM_RESTART_COUNT: restarts }),
        },
      });
      const ended = once(child, "close");
      await expect.poll(() => existsSync(started), { timeout: 20_000 }).toBe(true);
      child.kill(signal);
      expect(await ended).toEqual([code, null]);
      expect(existsSync(saved)).toBe(true); // before the script ended
      expect(readFileSync(calls, "utf8")).toBe(requeued);
    },
  );
});

describe("launchLocal", () => {
  const plan = () => planLaunch({ config, split: [1, 2, 3], runs: temporaryFolder() });

  it("runs every job once, though others fail, and says what became of each", async () => {
    const launched = plan();
    const scripts = ["echo first", "exit 75", "kill -9 $$"];
    const notes: string[] = [];
    const ended = await launchLocal(launched, {
      ...{ atOnce: 1, signal: new AbortController().signal },
      commandOf: (index) => ["bash", "-c", scripts[index] ?? ""],
      note: (line) => notes.push(line),
    });
    expect(ended.map(({ code }) => code)).toEqual([0, 75, 137]);
    expect(readFileSync(join(ended[0]?.folder ?? "", "split-1.log"), "utf8")).toBe("first\n");
    expect(notes[2]).toMatch(/^3 of 3: \S+ split 3: ended with 137; see \S+split-3\.log$/);
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

  it("has the others save and end where one cannot be run, and throws once they have", async () => {
    const folder = temporaryFolder();
    const [started, saved] = [join(folder, "started"), join(folder, "saved")];
    const script = `trap 'sleep 0.2; touch ${saved}; exit 143' TERM; touch ${started}; while :; do sleep 0.02; done`;
    const notBefore = `while [ ! -e ${started} ]; do sleep 0.02; done`;
    const commands = [["bash", "-c", script], ["bash", "-c", notBefore], [join(folder, "no-program")]];
    const running = launchLocal(plan(), {
      ...{ atOnce: 2, signal: new AbortController().signal, note: () => undefined },
      commandOf: (index) => commands[index] ?? [],
    });
    await expect(running).rejects.toThrow("ENOENT");
    expect(existsSync(saved)).toBe(true);
  });
});

describe("recordPlan", () => {
  it("adds what is launched to what was, of the same run and of others", async () => {
    const runs = temporaryFolder();
    const launch = async (split: readonly number[], sweep: readonly string[] = []) => {
      const plan = planLaunch({ config, split, sweep, runs });
      await recordPlan(plan);
      return plan.base;
    };
    const base = await launch([3, 4]);
    await launch([1], ["train.epochs=1,2"]);
    await launch([2, 3]);
    const file = join(runs, `${base}.launch.json`);
    const recorded = { [base]: [2, 3, 4], [`${base}-train.epochs=1`]: [1], [`${base}-train.epochs=2`]: [1] };
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ runs: recorded });
    writeFileSync(file, '{"something":"else"}');
    await expect(launch([1])).rejects.toThrow(`${file}: is no list of launched runs`);
    expect(readFileSync(file, "utf8")).toBe('{"something":"else"}');
  });
});

/** A split whose training has ended, with results of one database. */
function finishSplit(
  runs: string,
  run: string,
  split: number,
  figures: { srcc: number; plcc: number; crops?: number },
) {
  const folder = join(runs, run, `split-${split}`);
  const last = join(folder, "last");
  mkdirSync(last, { recursive: true });
  writeFileSync(join(folder, "config.yaml"), "run: toys\n");
  writeFileSync(join(last, "state.json"), JSON.stringify({ progress: { finished: true }, optimizerSteps: 2 }));
  writeFileSync(join(last, "manifest.json"), "{}");
  const { srcc, plcc, crops = 15 } = figures;
  const none = { value: null };
  const database = { name: "toys", split, subset: "test", images: 6, srcc: { value: srcc }, plcc: { value: plcc } };
  const others = Object.fromEntries(MAIN_METRICS.filter((name) => !(name in database)).map((name) => [name, none]));
  const results = {
    protocol: "liqe",
    protocolVersion: 2,
    checkpoint: last,
    crops,
    databases: [{ ...database, ...others }],
  };
  writeFileSync(join(folder, "results.json"), JSON.stringify(results));
}

describe("mergeRuns", () => {
  const noted: string[] = [];
  const reporter = { note: (line: string) => void noted.push(line) };

  it("has each run's figures over the splits that are there, launched or not", async () => {
    const runs = temporaryFolder();
    await recordPlan({ base: "a", config, runs: [{ name: "a", set: [] }], splits: [1, 2, 10], folder: runs });
    finishSplit(runs, "a", 1, { srcc: 0.5, plcc: 0.25 });
    finishSplit(runs, "a", 10, { srcc: 0.75, plcc: 0.5 });
    finishSplit(runs, "b", 3, { srcc: 0.25, plcc: 1 });
    const [a, b, ...others] = await mergeRuns(runs, reporter);
    expect(others).toEqual([]);
    expect(a).toMatchObject({ run: "a", splits: [1, 10], missing: [{ split: 2, reason: "has not begun" }] });
    const deviation = Math.SQRT1_2 * 0.25;
    expect(a?.summary).toMatchObject({
      splits: [1, 10],
      databases: [{ name: "toys", splits: [1, 10], srcc: { mean: 0.625, values: [0.5, 0.75] }, plcc: { mean: 0.375 } }],
      mean: { srcc: { mean: 0.625, median: 0.625, values: [0.5, 0.75] }, plcc: { mean: 0.375, values: [0.25, 0.5] } },
    });
    const { mean } = a?.summary ?? {};
    expect(mean?.srcc.mean === null ? NaN : mean?.srcc.standardDeviation).toBeCloseTo(deviation, 12);
    expect(b).toMatchObject({
      run: "b",
      splits: [3],
      missing: [],
      summary: { mean: { srcc: { mean: 0.25 }, plcc: { mean: 1 } } },
    });
    expect(existsSync(join(runs, "a", "splits.json"))).toBe(false); // which is the whole run's
    expect(noted).toEqual([]);
  });

  it("has no figures over splits that were evaluated in different ways, and says in which", async () => {
    const runs = temporaryFolder();
    finishSplit(runs, "a", 1, { srcc: 0.5, plcc: 0.25 });
    finishSplit(runs, "a", 2, { srcc: 0.75, plcc: 0.5, crops: 1 });
    expect(await mergeRuns(runs, reporter)).toEqual([{ run: "a", splits: [1, 2], missing: [], summary: null }]);
    expect(noted).toEqual([expect.stringMatching(/15 crops; .* 1 crops\), so no table over them$/)]);
  });

  it("names every run and split that was launched and has no results", async () => {
    const runs = temporaryFolder();
    const plan = planLaunch({ config, split: [1, 2], sweep: ["train.epochs=1,2"], runs });
    await recordPlan(plan);
    const merged = await mergeRuns(runs, reporter);
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
    await expect(mergeRuns(temporaryFolder(), reporter)).rejects.toThrow("holds no run");
    writeFileSync(join(runs, "broken.launch.json"), "{}");
    await expect(mergeRuns(runs, reporter)).rejects.toThrow("is no list of launched runs");
  });
});

describe("shellWord", () => {
  it("quotes what a shell would take apart", () => {
    expect(["a=b", "a b", "it's", "$x", ""].map(shellWord)).toEqual(["a=b", "'a b'", "'it'\\''s'", "'$x'", "''"]);
  });
});
