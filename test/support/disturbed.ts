import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { type Random, seededRandom } from "../../src/base/random.js";
import { loadCheckpoint } from "../../src/train/checkpoint/checkpoint.js";
import { holdsCheckpoint, RUN_FILES } from "../../src/train/checkpoint/runFolder.js";
import { temporaryFolder } from "./runs.js";

/** What a run of the compiled program ended with. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly messages: string;
}

/** Starts `liqe` as a user's shell would; the program itself, so that signals reach it. */
export function startLiqe(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "liqe.js"), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  let messages = "";
  child.stderr.on("data", (chunk: Buffer) => {
    messages += chunk.toString();
  });
  const ended = new Promise<Ending>((resolve) => {
    child.on("close", (code, signal) => {
      resolve({ code, signal, messages });
    });
  });
  return { child, ended, messages: () => messages };
}

/** Writes the config of a run of the toy network, small in all but the number of its checkpoints; gives its path. */
export function toyConfig(
  root: string,
  weights: string,
  { train = "", data = "", losses = "{}" }: { train?: string; data?: string; losses?: string } = {},
): string {
  const file = join(temporaryFolder(), "toys.yaml");
  const lines = [
    "run: toys",
    `model: { weights: ${weights} }`,
    `data: { root: ${root}, databases: [{ name: toys, imagesPerStep: 4 }]${data} }`,
    'prompts: { template: "a photo with {distortion} artifacts, which is of {quality} quality" }',
    `losses: ${losses}`,
    `train: { cropsPerImage: 1, learningRate: 1.0e-3${train} }`,
    "evaluate: { crops: 1, validationCrops: 1 }",
  ];
  writeFileSync(file, lines.join("\n"));
  return file;
}

/** When a signal is sent: so many milliseconds after something was seen to happen. */
interface Moment {
  readonly after: "start" | "step" | "save";
  readonly delayMs: number;
}

/** About twice what each lasts: from the start to the first step, a step, a save. */
const LONGEST_DELAY_MS = { start: 2500, step: 120, save: 80 };

/** Spread over starting, computing and saving alike. */
function drawMoment(random: Random): Moment {
  const after = (["start", "step", "save"] as const)[random.integer(3)] ?? "start";
  return { after, delayMs: random.uniform() * LONGEST_DELAY_MS[after] };
}

export interface Disturbances {
  readonly signal: "SIGKILL" | "SIGTERM";
  readonly times: number;
  readonly seed: number;
}

/** How a disturbed run went. */
export interface DisturbedRun {
  /** Of each process that was sent a signal. */
  readonly endings: readonly Ending[];
  /** Processes that left half a checkpoint behind, under a passing name: they were killed while they saved. */
  readonly duringSave: number;
  /** Of the process that was left alone. */
  readonly last: Ending;
}

/**
 * A run that is sent a signal at seeded moments, and taken up again each time; then it is left to its end. After each
 * death everything in its folder that looks like a checkpoint is loaded, which checks every byte.
 */
export async function disturbedRun(
  config: string,
  run: string,
  { signal, times, seed }: Disturbances,
): Promise<DisturbedRun> {
  const split = join(run, "split-1");
  const command = () =>
    existsSync(join(split, "config.yaml")) ? ["train", "--resume", run] : ["train", "--config", config, "--out", run];
  const endings: Ending[] = [];
  let duringSave = 0;
  for (let i = 0; i < times; i++) {
    const moment = drawMoment(seededRandom(seed, "moment", i));
    const before = lookAt(split);
    const { child, ended } = startLiqe(command());
    await waitFor(moment.after, split, before, () => child.exitCode !== null);
    await setTimeout(moment.delayMs);
    child.kill(signal);
    endings.push(await ended);
    if (lookAt(split).staged.size > 0) duringSave++;
    await checkCheckpoints(split);
  }
  return { endings, duringSave, last: await startLiqe(command()).ended };
}

interface Look {
  readonly metricsBytes: number;
  /** Folders of checkpoints that are being written, or whose writing was cut off. */
  readonly staged: ReadonlySet<string>;
}

function lookAt(split: string): Look {
  const metrics = join(split, "metrics.jsonl");
  const names = existsSync(split) ? readdirSync(split) : [];
  return {
    metricsBytes: existsSync(metrics) ? statSync(metrics).size : 0,
    staged: new Set(names.filter((name) => /^\.tmp-[0-9a-f]{8}-/.test(name))),
  };
}

/** Until something happens that was not so before, or the process ends. */
async function waitFor(what: Moment["after"], split: string, before: Look, isOver: () => boolean): Promise<void> {
  const happened = () => {
    if (what === "start") return true;
    const now = lookAt(split);
    if (what === "step") return now.metricsBytes > 0 && now.metricsBytes !== before.metricsBytes;
    return [...now.staged].some((name) => !before.staged.has(name));
  };
  while (!happened() && !isOver()) await setTimeout(1);
}

/** @throws where a folder that is named as a checkpoint is not whole */
export async function checkCheckpoints(split: string): Promise<void> {
  for (const name of existsSync(split) ? readdirSync(split) : []) {
    if (!name.startsWith(".tmp-") && holdsCheckpoint(join(split, name))) await loadCheckpoint(join(split, name));
  }
}

const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

/**
 * What a run leaves that must not depend on its interruptions: every checkpoint byte for byte, the lines of
 * metrics.jsonl without `time` and `memory`, and the predictions. Of a state, not the bytes of the logs, in which times are
 * written with more or fewer digits.
 */
export function remainsOf(run: string): Readonly<Record<string, unknown>> {
  const split = join(run, "split-1");
  return { ...remainsOfSplit(split), predictions: readFileSync(join(split, "predictions.csv"), "utf8") };
}

/** The same of a split's folder, which has no predictions before the test. */
export function remainsOfSplit(split: string) {
  const checkpoints = readdirSync(split).filter(
    (name) => name !== RUN_FILES.damaged && holdsCheckpoint(join(split, name)),
  );
  const files = checkpoints.flatMap((name) =>
    readdirSync(join(split, name))
      .filter((file) => file.endsWith(".safetensors"))
      .map((file) => [`${name}/${file}`, sha256(readFileSync(join(split, name, file)))] as const),
  );
  const states = checkpoints.map((name) => {
    const state = JSON.parse(readFileSync(join(split, name, "state.json"), "utf8")) as Record<string, unknown>;
    return [`${name}/state.json`, { ...state, logBytes: null }] as const;
  });
  const metrics = readFileSync(join(split, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => ({ ...(JSON.parse(line) as object), time: null, memory: null })); // an object a line
  return {
    checkpoints: new Map<string, unknown>([...files, ...states]),
    metrics,
    passing: readdirSync(split).filter((name) => name.startsWith(".tmp-")),
  };
}
