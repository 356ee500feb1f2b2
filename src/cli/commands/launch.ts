import path from "node:path";
import type { LaunchOptions, LaunchPlan } from "../../api/launch/plan.js";
import { ConfigError } from "../../base/errors.js";
import { PACKAGE_ROOT } from "../../base/packageInfo.js";
import { plural } from "../../base/text.js";
import { parseSplits } from "../arguments.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exitCodes.js";
import { engineOptions, flagOption, listOption, textOption, wholeNumberOption } from "../options.js";
import { createProgress } from "../progress.js";
import { listenForStop } from "../signals.js";
import { runTraining } from "./train.js";

const SWEEP = "values that runs differ by: train.learningRate=1e-5,5e-6; several make every combination";
const INDEX = "run the job with this number alone, here; env: that of SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX";
const MEMORY = "megabytes of memory of a job  [default: 16384]";
const PROGRAM = path.join(PACKAGE_ROOT, "bin", "liqe.js");

export const launchCommand = defineCommand({
  command: "launch",
  describe: "train many runs: here, as a Slurm job array, or as a Kubernetes job",
  builder: (yargs) =>
    engineOptions(yargs)
      .option("on", {
        choices: ["local", "slurm", "kubernetes"] as const,
        demandOption: true,
        requiresArg: true,
        describe: "where the runs are trained",
      }) // prettier-ignore
      .option("config", textOption("a YAML file, or the name of one in configs/"))
      .option("set", { ...listOption("change a value of the config: train.epochs=2"), nargs: 1 })
      .option("split", textOption("a split or a range, 1-10  [default: 1]"))
      .option("sweep", { ...listOption(SWEEP), nargs: 1 })
      .option("runs", textOption("the folder of the runs  [default: checkpoints]"))
      .option("at-once", wholeNumberOption("at-once", 1, "jobs at once  [default: 1 here, else as there is room]"))
      .option("index", textOption(INDEX))
      .option("out", textOption("write the script or manifest to this file  [default: standard output]"))
      .option("cpus", wholeNumberOption("cpus", 1, "processors of a job  [default: 4]"))
      .option("memory", wholeNumberOption("memory", 512, MEMORY))
      .option("gpus", wholeNumberOption("gpus", 0, "GPUs of a job  [default: 0]"))
      .option(
        "time",
        textOption("longest time of a Slurm job, after which it goes on as a new one  [default: 24:00:00]"),
      )
      .option("image", textOption("container image for Kubernetes, made from the Dockerfile"))
      .option("claim", textOption("persistent volume claim with configs, images and runs, mounted at /work"))
      .option("serve", flagOption("with --on kubernetes: liqe serve as a Deployment instead"))
      .option("checkpoint", textOption("the model of --serve, a path below /work"))
      .option("replicas", wholeNumberOption("replicas", 1, "servers of --serve at least  [default: 1]"))
      .check(checkCall)
      .example("$0 launch --on local --config kadid.yaml --split 1-10 --at-once 2", "two at a time; again to go on")
      .example("$0 launch --on slurm --config kadid.yaml --split 1-10 --out job.sh", "then: sbatch job.sh")
      .example("$0 launch --on slurm --config kadid --sweep train.learningRate=1e-5,5e-6", "one run a value")
      .example("$0 launch --on kubernetes --config kadid --image IMAGE --claim data", "an Indexed Job"),
  handler: async (given) => {
    if (given.serve) return writeOut(await serveText(given), given.out);
    const { planLaunch, recordPlan } = await import("../../api/launch/plan.js");
    const plan = planLaunch(optionsOf(given));
    if (given.index !== undefined) return runIndex(plan, given.index, given);
    if (given.on === "local") return runLocal(plan, given);
    await recordPlan(plan); // of jobs that are never begun, too
    await writeOut(await arrayText(plan, given), given.out);
  },
});

interface Given {
  readonly on: "local" | "slurm" | "kubernetes";
  readonly config: string | undefined;
  readonly set: readonly string[];
  readonly split: string | undefined;
  readonly sweep: readonly string[];
  readonly runs: string | undefined;
  readonly atOnce: number | undefined;
  readonly engine: "auto" | "native" | "wasm";
  readonly threads: number | undefined;
  readonly cpus: number | undefined;
  readonly memory: number | undefined;
  readonly gpus: number | undefined;
  readonly time: string | undefined;
  readonly image: string | undefined;
  readonly claim: string | undefined;
  readonly checkpoint: string | undefined;
  readonly replicas: number | undefined;
}

/** Options by the names that they have on the command line. */
interface Call extends Omit<Given, "atOnce"> {
  readonly "at-once": number | undefined;
  readonly serve: boolean;
  readonly index: string | undefined;
  readonly out: string | undefined;
}

const TRAINED = ["config", "set", "split", "sweep", "runs", "engine", "threads"] as const;
const PLACED = ["out", "cpus", "memory", "gpus"] as const;

/** Options that have an effect, by the kind of launch. */
const OPTIONS = {
  "--on local": [...TRAINED, "at-once"],
  "--index": [...TRAINED, "index"],
  "--on slurm": [...TRAINED, ...PLACED, "at-once", "time"],
  "--on kubernetes": [...TRAINED, ...PLACED, "at-once", "image", "claim"],
  "--serve": [...PLACED, "serve", "checkpoint", "replicas", "image", "claim", "engine", "threads"],
} as const satisfies Readonly<Record<string, readonly (keyof Call)[]>>;

/** @throws {ConfigError} where something that the kind of launch needs is missing, or something has no effect on it */
function checkCall(call: Call): true {
  const { on, config, image, checkpoint, time, serve, index } = call;
  const fail = (what: string) => {
    throw new ConfigError(`liqe launch: ${what}\nSee "liqe launch --help".`);
  };
  if (serve && on !== "kubernetes") fail("--serve goes with --on kubernetes; elsewhere start liqe serve itself");
  if (index !== undefined && on !== "local")
    fail("--index goes with --on local; a script or manifest has it in itself");
  const kind = serve ? "--serve" : index !== undefined ? "--index" : (`--on ${on}` as const);
  const known: readonly (keyof Call)[] = OPTIONS[kind];
  const idle = ALL_OPTIONS.filter((name) => !known.includes(name) && isGiven(call[name]));
  if (idle.length > 0)
    fail(`${idle.map((name) => `--${name}`).join(", ")} ${idle.length === 1 ? "has" : "have"} no effect with ${kind}`);
  if (serve && checkpoint === undefined) fail("--serve needs --checkpoint, the model");
  if (!serve && config === undefined) fail("needs --config");
  if (on === "kubernetes" && image === undefined) fail("--on kubernetes needs --image");
  if (time !== undefined && !/^(\d+-)?\d{1,2}:\d{2}:\d{2}$/.test(time))
    fail(`--time must be hours:minutes:seconds, got "${time}"`);
  return true;
}

const ALL_OPTIONS: readonly (keyof Call)[] = [...new Set(Object.values(OPTIONS).flat())];

/** True for an option of the command line, in distinction from none. */
function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}

function optionsOf({ config = "", set, split = "1", sweep, runs }: Given): LaunchOptions {
  return { config, set, split: parseSplits(split), sweep, runs };
}

function resourcesOf({ cpus = 4, memory = 16_384, gpus = 0, atOnce }: Given) {
  return { cpus, memory, gpus, atOnce };
}

/** Exit codes after which another try would end the same. */
const HOPELESS = [EXIT.usage, EXIT.data, EXIT.checkpoint, EXIT.engine, EXIT.trainingStopped];

/** Arguments by which a job's own process makes the same plan. */
function jobArguments({ config = "", set, split = "1", sweep, runs, engine, threads }: Given, index: string): string[] {
  const options = [...set.map((one) => ["--set", one]), ...sweep.map((one) => ["--sweep", one])].flat();
  const own = [...(runs === undefined ? [] : ["--runs", runs]), ...(threads === undefined ? [] : ["--threads", String(threads)])]; // prettier-ignore
  return ["launch", "--on", "local", "--config", config, "--split", split, ...options, ...own, "--engine", engine, "--index", index]; // prettier-ignore
}

/** Script or manifest of an array of jobs. */
async function arrayText({ runs, splits, base }: LaunchPlan, given: Given): Promise<string> {
  const shared = { ...resourcesOf(given), name: base, jobs: runs.length * splits.length, again: EXIT.peerLost };
  const args = jobArguments(given, "env");
  if (given.on === "slurm") {
    const { slurmScript } = await import("../../api/launch/slurm.js");
    const { time = "24:00:00" } = given;
    return slurmScript({ ...shared, time, folder: process.cwd(), command: ["node", PROGRAM, ...args] });
  }
  const { jobManifest } = await import("../../api/launch/kubernetes.js");
  return jobManifest({ ...shared, hopeless: HOPELESS, image: given.image ?? "", claim: given.claim, args });
}

async function serveText(given: Given): Promise<string> {
  const { serveManifest } = await import("../../api/launch/kubernetes.js");
  const { image = "", claim, checkpoint = "", replicas = 1, engine, threads } = given;
  const own = threads === undefined ? [] : ["--threads", String(threads)];
  const args = ["serve", "--checkpoint", checkpoint, "--engine", engine, ...own];
  return serveManifest({ ...resourcesOf(given), name: "liqe-serve", image, claim, args, replicas });
}

async function writeOut(text: string, out: string | undefined): Promise<void> {
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }
  const { writeNamedFile } = await import("../../base/folders.js");
  await writeNamedFile(out, text);
  process.stderr.write(`${out} written\n`);
}

/** Runs one job in this process: from its beginning, or on from where it was. */
async function runIndex(plan: LaunchPlan, given: string, { config = "", engine, threads }: Given): Promise<void> {
  const { jobIndex, jobsOf, recordPlan } = await import("../../api/launch/plan.js");
  const jobs = jobsOf(plan);
  const job = jobs[jobIndex(given, jobs.length, process.env)];
  if (job === undefined) throw new Error(`internal: no job ${given}`);
  const progress = createProgress();
  const stop = listenForStop(progress.note);
  stop.setEffect("end"); // while it checks, nothing is there to be saved
  try {
    await recordPlan(plan);
    progress.note(`${job.run.name} split ${job.split}`);
    const settings = { set: job.run.set, split: job.split, out: job.folder, takeUp: true, engine, threads };
    await runTraining(config, settings, { progress, stop });
  } finally {
    stop.dispose();
    progress.stop();
  }
}

/** Runs all jobs, a few at once, and ends with the first code that is not 0. */
async function runLocal(plan: LaunchPlan, given: Given): Promise<void> {
  const { launchLocal } = await import("../../api/launch/local.js");
  const progress = createProgress();
  const stop = listenForStop(
    progress.note,
    "the jobs save and end; once more stops at once, at their last checkpoints",
  );
  try {
    const commandOf = (index: number) => [process.execPath, PROGRAM, ...jobArguments(given, String(index))];
    const { signal } = stop;
    const ended = await launchLocal(plan, { atOnce: given.atOnce ?? 1, commandOf, signal, note: progress.note });
    const failed = ended.filter(({ code }) => code !== 0);
    process.stdout.write(`${ended.length - failed.length} of ${plural(ended.length, "job")} finished\n`);
    const code = stop.exitCode() ?? failed.find((one) => one.code !== null)?.code;
    if (code !== undefined && code !== null) process.exitCode = code;
    else if (failed.length > 0) process.exitCode = EXIT.unexpected;
  } finally {
    stop.dispose();
    progress.stop();
  }
}
