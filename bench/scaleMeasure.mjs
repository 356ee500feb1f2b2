/**
 * Step times that bench/scale.mjs is fed with and held against: the first steps of a run by several processes of one
 * thread on this machine, over its loopback. What is printed is the list that its --measured reads.
 *
 *     npm run build && node bench/scaleMeasure.mjs [--config smoke.yaml] [--ranks 1,2,3,4] [--images 8,24] [--steps 20] > measured.json
 *
 * Each process is killed after its steps: what comes behind them is not asked for. The least of the steps is what other
 * work on the machine disturbs least; the median is beside it, and `cpu`, seconds of processors a step of all ranks together,
 * which other work changes little.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePorts } from "../dist/engine/cluster/ports.js";
import { median, stepLines } from "./measure.mjs";

/** First steps, which load and compile. */
const WARM_UP = 3;
/** Images of smoke.yaml to train on: each is decoded the first time that it is drawn, and kept. */
const IMAGES = 400;
const { values: options } = parseArgs({
  options: {
    config: { type: "string", default: "smoke.yaml" },
    ranks: { type: "string", default: "1,2,3,4" },
    images: { type: "string", default: "8,24" },
    steps: { type: "string", default: "20" },
  },
});
const steps = Number(options.steps);
const program = path.join(import.meta.dirname, "..", "bin", "liqe.js");
const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  const measured = [];
  for (const ranks of options.ranks.split(",").map(Number)) {
    for (const images of options.images.split(",").map(Number)) {
      const times = await timesOf(ranks, images);
      measured.push({ ranks, images, ...times, cores: availableParallelism(), load: loadavg()[0] });
      console.error(JSON.stringify(measured.at(-1)));
    }
  }
  console.log(JSON.stringify(measured));
} finally {
  await rm(folder, { recursive: true, maxRetries: 5 });
}

/** Least and median seconds of a step after the first ones, and of its exchange. */
async function timesOf(ranks, images) {
  const warmUp = WARM_UP + Math.ceil(IMAGES / images);
  const out = path.join(folder, `${ranks}-${images}`);
  const settings = [
    `data.databases.0.imagesPerStep=${images}`,
    "train.epochs=1",
    `train.stepsPerEpoch=${steps + warmUp + 20}`,
  ];
  const args = ["train", "--config", options.config, ...settings.flatMap((one) => ["--set", one]), "--threads", "1"];
  const addresses = (await freePorts(ranks)).map((port) => `127.0.0.1:${port}`).join(",");
  const children = Array.from({ length: ranks }, (_, rank) => {
    const peers = ranks === 1 ? [] : ["--cluster", addresses, "--rank", String(rank)];
    return spawn(process.execPath, [program, ...args, ...peers, "--out", rank === 0 ? out : `${out}-${rank}`], {
      stdio: "ignore",
    });
  });
  const ended = Promise.all(children.map((child) => once(child, "close")));
  let first = null;
  try {
    for (;;) {
      const lines = await stepLines(out);
      if (lines.length >= warmUp) first ??= { steps: lines.length, cpu: await cpuOf(children) };
      if (lines.length >= first?.steps + steps) {
        const cpu = ((await cpuOf(children)) - first.cpu) / (lines.length - first.steps);
        return { ...summary(lines.slice(first.steps)), cpu };
      }
      const codes = children.map(({ exitCode }) => exitCode);
      if (codes.some((code) => code !== null)) throw new Error(`bench: the ranks ended with ${codes.join()}`);
      await sleep(20);
    }
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await ended;
  }
}

function summary(lines) {
  const seconds = lines.map(({ time }) => time.seconds);
  const exchange = lines.map(({ time }) => time.peersSeconds ?? 0);
  return { seconds: Math.min(...seconds), median: median(seconds), exchange: Math.min(...exchange) };
}

/** Seconds of processors that all ranks have had so far (proc(5): ticks of 10 ms). */
async function cpuOf(children) {
  const texts = await Promise.all(children.map(({ pid }) => readFile(`/proc/${pid}/stat`, "utf8")));
  const ticks = texts.map((text) => text.slice(text.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number)); // prettier-ignore
  return ticks.flat().reduce((sum, one) => sum + one, 0) / 100;
}
