/**
 * One run by several processes of this machine, over its loopback: seconds of a step beside one process's with all threads,
 * what of it is spent in exchanging tensors, resident memory of each process; then, with `--kills`, whether a run goes on
 * bit for bit after one of its processes was killed at a random step.
 *
 *     npm run build && node bench/cluster.mjs [--config smoke.yaml] [--ranks 2] [--steps 20] [--kills 0] [--seed 1] [--set KEY=VALUE ...]
 */
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { clearInterval, setInterval } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { seededRandom } from "../dist/base/random.js";
import { median, table } from "./measure.mjs";

const { values: options } = parseArgs({
  options: {
    config: { type: "string", default: "smoke.yaml" },
    ranks: { type: "string", default: "2" },
    steps: { type: "string", default: "20" },
    kills: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    set: { type: "string", multiple: true, default: [] },
  },
});
const [ranks, steps, kills] = [options.ranks, options.steps, options.kills].map(Number);
const program = new URL("../bin/liqe.js", import.meta.url).pathname;
const threads = Math.max(1, Math.floor(availableParallelism() / ranks));
const settings = [...options.set, "train.epochs=1", `train.stepsPerEpoch=${steps}`, "train.saveEverySteps=3"];
const config = ["--config", options.config, ...settings.flatMap((one) => ["--set", one])];
const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  const alone = path.join(folder, "alone");
  await promisify(execFile)(process.execPath, [program, "train", ...config, "--out", alone], { maxBuffer: 2 ** 24 });
  const whole = path.join(folder, "whole");
  const { endings, peaks } = await start(() => ["--threads", String(threads), ...config, "--out", whole]);
  if (endings.some((code) => code !== 0)) throw new Error(`bench: the ranks ended with ${endings.join(", ")}`);
  const [one, several] = [await timesOf(alone), await timesOf(whole)];
  const rows = [
    ["one process, all threads", one.seconds, null, null],
    [`${ranks} processes of ${threads} thread(s)`, several.seconds, several.peers, peaks],
  ];
  console.log(
    table(
      ["", "s a step", "s exchanging", "peak resident MB"],
      rows.map(([name, seconds, peers, memory]) => [
        name,
        seconds.toFixed(3),
        peers?.toFixed(3) ?? "",
        memory?.map((bytes) => (bytes / 2 ** 20).toFixed(0)).join(", ") ?? "",
      ]),
    ),
  );
  console.log(JSON.stringify({ one, several, peaks }));
  if (kills > 0) await killRanks(await sumOf(whole));
} finally {
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
async function start(argsOf, { victim = null, isTime = async () => false } = {}) {
  const cluster = (await freePorts()).map((port) => `127.0.0.1:${port}`).join(",");
  const children = Array.from({ length: ranks }, (_, rank) =>
    spawn(process.execPath, [program, "train", "--cluster", cluster, "--rank", String(rank), ...argsOf(rank)], {
      stdio: "ignore",
    }),
  );
  const peaks = children.map(() => 0);
  const watch = setInterval(async () => {
    for (const [rank, { pid }] of children.entries()) {
      const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
      peaks[rank] = Math.max(peaks[rank], 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    }
  }, 200);
  const ended = Promise.all(children.map((child) => new Promise((resolve) => child.on("close", resolve))));
  let killedMs = performance.now();
  if (victim !== null) {
    while (!(await isTime()) && children.every(({ exitCode }) => exitCode === null)) await sleep(5);
    children[victim].kill("SIGKILL");
    killedMs = performance.now();
  }
  const endings = await ended;
  clearInterval(watch);
  return { endings, peaks, seconds: (performance.now() - killedMs) / 1000 };
}

async function freePorts() {
  const servers = Array.from({ length: ranks }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.on("listening", resolve))));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function linesOf(run) {
  const text = await readFile(path.join(run, "split-1", "metrics.jsonl"), "utf8").catch(() => "");
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line)).filter(({ kind }) => kind === "step"); // prettier-ignore
}

async function stepsOf(run) {
  return (await linesOf(run)).length;
}

/** Medians after the first steps, which load and compile. */
async function timesOf(run) {
  const times = (await linesOf(run)).slice(3).map(({ time }) => time);
  return {
    seconds: median(times.map(({ seconds }) => seconds)),
    peers: median(times.map(({ peersSeconds = 0 }) => peersSeconds)),
  };
}

async function sumOf(run) {
  const bytes = await readFile(path.join(run, "split-1", "last", "model.safetensors"));
  return createHash("sha256").update(bytes).digest("hex");
}
