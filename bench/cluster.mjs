/**
 * One run by several processes of this machine, over its loopback: seconds of a step beside one process's with all threads,
 * what of it is spent in exchanging tensors, resident memory of each process; then, with `--kills`, whether a run goes on
 * bit for bit after one of its processes was killed at a random step. `--link` puts two processes into network namespaces
 * (see `links.mjs`), and counts the bytes that each sends a step; `--no-alone` leaves the one process out.
 *
 *     npm run build && node bench/cluster.mjs [--config smoke.yaml] [--ranks 2] [--steps 20] [--kills 0] [--seed 1]
 *       [--link loopback|veth|1gbit|10ms] [--no-alone] [--set KEY=VALUE ...]
 */
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { clearInterval, setInterval } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { seededRandom } from "../dist/base/random.js";
import { freePorts } from "../dist/engine/cluster/ports.js";
import { openLink } from "./links.mjs";
import { median, stepLines, table } from "./measure.mjs";

const { values: options } = parseArgs({
  options: {
    config: { type: "string", default: "smoke.yaml" },
    ranks: { type: "string", default: "2" },
    steps: { type: "string", default: "20" },
    kills: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    link: { type: "string", default: "loopback" },
    "no-alone": { type: "boolean", default: false },
    set: { type: "string", multiple: true, default: [] },
  },
});
const [ranks, steps, kills] = [options.ranks, options.steps, options.kills].map(Number);
const program = new URL("../bin/liqe.js", import.meta.url).pathname;
const threads = Math.max(1, Math.floor(availableParallelism() / ranks));
const savesEvery = kills > 0 ? 3 : steps; // a save between two steps is none of theirs
const settings = [
  ...options.set,
  "train.epochs=1",
  `train.stepsPerEpoch=${steps}`,
  `train.saveEverySteps=${savesEvery}`,
];
const config = ["--config", options.config, ...settings.flatMap((one) => ["--set", one])];
const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
const link = options.link === "loopback" ? null : openLink(options.link);
try {
  const alone = path.join(folder, "alone");
  const isAlone = !options["no-alone"];
  if (isAlone) {
    await promisify(execFile)(process.execPath, [program, "train", ...config, "--out", alone], { maxBuffer: 2 ** 24 });
  }
  const whole = path.join(folder, "whole");
  const { endings, peaks, sent } = await start(() => ["--threads", String(threads), ...config, "--out", whole], {
    run: whole,
  });
  if (endings.some((code) => code !== 0)) throw new Error(`bench: the ranks ended with ${endings.join(", ")}`);
  const one = isAlone ? await timesOf(alone) : null;
  const several = await timesOf(whole);
  const rows = [
    ...(one === null ? [] : [["one process, all threads", one.seconds, null, null, null]]),
    [`${ranks} processes of ${threads} thread(s), ${options.link}`, several.seconds, several.peers, sent, peaks],
  ];
  const listed = (bytes, digits) => bytes?.map((one) => (one / 2 ** 20).toFixed(digits)).join(", ") ?? "";
  console.log(
    table(
      ["", "s a step", "s exchanging", "MB sent a step", "peak resident MB"],
      rows.map(([name, seconds, peers, bytes, memory]) => [
        ...[name, seconds.toFixed(3), peers?.toFixed(3) ?? "", listed(bytes, 2), listed(memory, 0)],
      ]),
    ),
  );
  console.log(JSON.stringify({ one, several, sent, peaks }));
  if (kills > 0) await killRanks(await sumOf(whole));
} finally {
  link?.close();
  await rm(folder, { recursive: true });
}

/** Kills one rank after a random step, goes on, and compares with the run that was left alone. */
async function killRanks(undisturbed) {
  const random = seededRandom(Number(options.seed), "kills");
  let [equal, slowest] = [0, 0];
  for (let i = 0; i < kills; i++) {
    const run = path.join(folder, `killed-${i}`);
    const [victim, step] = [random.integer(ranks), 1 + random.integer(steps - 1)];
    const args = () => ["--threads", String(threads), ...config, "--out", run];
    const { endings, seconds } = await start(args, { victim, isTime: async () => (await stepsOf(run)) >= step });
    const others = endings.filter((_, rank) => rank !== victim);
    if (others.some((code) => code !== 75)) throw new Error(`bench: kill ${i}: the others ended with ${others.join()}`);
    slowest = Math.max(slowest, seconds);
    const resumed = existsSync(path.join(run, "split-1", "config.yaml"));
    const again = await start((rank) =>
      resumed ? ["--threads", String(threads), ...(rank === 0 ? ["--resume", run] : [])] : args(),
    );
    if (again.endings.some((code) => code !== 0))
      throw new Error(`bench: kill ${i}: ended with ${again.endings.join()}`);
    if ((await sumOf(run)) === undisturbed) equal++;
    await rm(run, { recursive: true });
  }
  console.log(
    `${kills} kills: ${equal} with the undisturbed weights, bit for bit; the others ended within ${slowest.toFixed(1)} s, with 75`,
  );
}

/** Runs all ranks to their ends; one of them may be killed when it is time. */
async function start(argsOf, { victim = null, isTime = async () => false, run = null } = {}) {
  const cluster = (link?.addresses ?? (await freePorts(ranks)).map((port) => `127.0.0.1:${port}`)).join(",");
  const children = Array.from({ length: ranks }, (_, rank) => {
    const words = [...(link?.prefix(rank) ?? []), process.execPath, program, "train", "--cluster", cluster];
    const [first, ...others] = [...words, "--rank", String(rank), ...argsOf(rank)];
    return spawn(first, others, { stdio: "ignore" }); // `ip netns exec` becomes the program
  });
  const counts = [];
  const peaks = children.map(() => 0);
  const watch = setInterval(async () => {
    for (const [rank, { pid }] of children.entries()) {
      const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
      peaks[rank] = Math.max(peaks[rank], 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    }
    if (link === null || run === null) return;
    const [step, last] = [await stepsOf(run), counts.at(-1)?.step ?? 0];
    if (step > last) counts.push({ step, bytes: children.map((_, rank) => link.sentBytes(rank)) });
  }, 50);
  const ended = Promise.all(children.map((child) => new Promise((resolve) => child.on("close", resolve))));
  let killedMs = performance.now();
  if (victim !== null) {
    while (!(await isTime()) && children.every(({ exitCode }) => exitCode === null)) await sleep(5);
    children[victim].kill("SIGKILL");
    killedMs = performance.now();
  }
  const endings = await ended;
  clearInterval(watch);
  const sent = link === null || run === null ? null : children.map((_, rank) => sentAStep(counts, rank));
  return { endings, peaks, sent, seconds: (performance.now() - killedMs) / 1000 };
}

/** Bytes a step, over the steps after the first ones up to the last but one: behind the last, checkpoints follow. */
function sentAStep(counts, rank) {
  const among = counts.filter(({ step }) => step > 3 && step < steps);
  const [first, last] = [among[0], among.at(-1)];
  return (last.bytes[rank] - first.bytes[rank]) / (last.step - first.step);
}

async function stepsOf(run) {
  return (await stepLines(run)).length;
}

/** Medians after the first steps, which load and compile. */
async function timesOf(run) {
  const times = (await stepLines(run)).slice(3).map(({ time }) => time);
  return {
    seconds: median(times.map(({ seconds }) => seconds)),
    peers: median(times.map(({ peersSeconds = 0 }) => peersSeconds)),
    least: {
      seconds: Math.min(...times.map(({ seconds }) => seconds)),
      peers: Math.min(...times.map(({ peersSeconds = 0 }) => peersSeconds)),
    },
  };
}

async function sumOf(run) {
  const bytes = await readFile(path.join(run, "split-1", "last", "model.safetensors"));
  return createHash("sha256").update(bytes).digest("hex");
}
