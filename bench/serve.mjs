/**
 * `liqe serve` under load: images a second and latency at 1 to 64 connections, beside `predict` of the same images just
 * before and after each load. With --faults N, N broken, cut off, oversized and slow uploads go among good ones, and every
 * good one must get the score that `predict` gives it.
 *
 *     npm run build && node bench/serve.mjs [--preset vit-b-32] [--connections 1,4,16,64] [--requests 120] [--images 40]
 *         [--faults 0]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import autocannon from "autocannon";
import { load } from "../dist/api/load.js";
import { predict } from "../dist/api/predict.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { saveTensors, table } from "./measure.mjs";

const { values: options } = parseArgs({
  options: {
    preset: { type: "string", default: "vit-b-32" },
    connections: { type: "string", default: "1,4,16,64" },
    requests: { type: "string", default: "120" },
    images: { type: "string", default: "40" },
    faults: { type: "string", default: "0" },
  },
});
const ROOT = path.join(import.meta.dirname, "..");
const PHOTOS = path.join(ROOT, "examples", "clive-sample", "Images");
/** Most by which a score in another batch may differ: CLIP's scale of 100 turns 1e-7 in features into 1e-5 in logits. */
const TOLERANCE = 1e-4;
/** Good uploads under way beside the faulty ones. */
const CLIENTS = 16;

/** Kinds of faulty uploads; each resolves to the words for what became of it. */
const FAULTS = [
  (address) => post(address, "no picture"),
  (address) => post(address, files[0].subarray(0, files[0].length / 2)),
  (address) => post(address, new Uint8Array(9_000_000)),
  (address) => post(address, "--x\r\nbroken", { "content-type": "multipart/form-data; boundary=x" }),
  (address) => raw(address, `POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\nbeginning`, true),
  (address) => raw(address, "POST /score\0\r\n\r\n", false),
  (address) => raw(address, `POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\nslow`, false),
];

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
const weights = path.join(folder, "weights.safetensors");
await saveTensors(weights, initialParameters(PRESETS[options.preset], 1));
const names = (await readdir(PHOTOS)).sort().slice(0, Number(options.images));
const files = await Promise.all(names.map((name) => readFile(path.join(PHOTOS, name))));
let child = null;
try {
  const predicted = [await predictAll()];
  const service = await startService();
  const { address } = service;
  child = service.child;
  const loads = [];
  for (const connections of options.connections.split(",").map(Number)) {
    loads.push(await loadWith(address, connections));
    predicted.push(await predictAll());
  }
  if (Number(options.faults) > 0) await withFaults(address, predicted[0].scores, Number(options.faults));
  child.kill("SIGTERM");
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`liqe serve ended with ${code}`);
  const rows = loads.map(({ connections, rate, cells }, i) => {
    const around = (predicted[i].rate + predicted[i + 1].rate) / 2;
    return [String(connections), rate.toFixed(2), around.toFixed(2), (rate / around).toFixed(2), ...cells];
  });
  console.log(`predict: ${predicted.map(({ cpu }) => cpu.toFixed(3)).join(", ")} s of processors an image`);
  const columns = ["connections", "images/s", "predict", "of it", "CPU s an image", "median s", "99 % s", "errors", "resident MB"]; // prettier-ignore
  console.log(table(columns, rows));
} finally {
  child?.kill("SIGKILL"); // of no effect on one that has ended
  await rm(folder, { recursive: true });
}

/** Scores all images with the model loaded and warm: images a second, and the scores. */
async function predictAll() {
  const model = await load(weights);
  const paths = names.map((name) => path.join(PHOTOS, name));
  for await (const one of predict(paths.slice(0, 4), { checkpoint: model })) void one;
  const scores = [];
  const cpu = process.cpuUsage();
  const startedAtMs = performance.now();
  for await (const { quality } of predict(paths, { checkpoint: model })) scores.push(quality);
  const rate = (1000 * paths.length) / (performance.now() - startedAtMs);
  const { user, system } = process.cpuUsage(cpu);
  model.dispose();
  return { rate, scores, cpu: (user + system) / 1e6 / paths.length };
}

async function startService() {
  const args = ["serve", "--checkpoint", weights, "--port", "0", "--upload-timeout", "5", "--max-upload", "8"];
  const child = spawn(process.execPath, [path.join(ROOT, "bin", "liqe.js"), ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [address] = await once(createInterface(child.stdout), "line");
  return { child, address };
}

async function loadWith(address, connections) {
  const requests = files.map((body, i) => ({ method: "POST", path: `/score?name=${names[i]}`, body }));
  const before = await metric(address, "process_cpu_seconds_total");
  const result = await autocannon({
    url: address,
    connections,
    amount: Number(options.requests),
    requests,
    timeout: 120,
  });
  const rate = result["2xx"] / result.duration;
  const { p50, p99 } = result.latency;
  const seconds = [p50, p99].map((ms) => (ms / 1000).toFixed(3));
  const cpu = ((await metric(address, "process_cpu_seconds_total")) - before) / result["2xx"];
  const errors = String(result.errors + result.non2xx);
  const cells = [cpu.toFixed(3), ...seconds, errors, await residentMegabytes(address)];
  return { connections, rate, cells };
}

async function residentMegabytes(address) {
  return ((await metric(address, "process_resident_memory_bytes")) / 1e6).toFixed(0);
}

async function metric(address, name) {
  const text = await (await globalThis.fetch(`${address}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)[1]);
}

/** Sends faulty uploads while a few clients send good ones. @throws {Error} at the first wrong score */
async function withFaults(address, scores, faults) {
  const start = await residentMegabytes(address);
  const counts = {};
  let sent = 0;
  let good = 0;
  const memory = [start];
  const sendFaults = async () => {
    while (sent < faults) {
      if (sent > (memory.length * faults) / 4) {
        const at = memory.push(null) - 1; // other clients go on meanwhile
        memory[at] = await residentMegabytes(address);
      }
      const outcome = await FAULTS[sent++ % FAULTS.length](address);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
  };
  const sendGood = async (client) => {
    for (let i = client; sent < faults; i++) {
      const at = i % files.length;
      const answer = await globalThis.fetch(`${address}/score`, { method: "POST", body: files[at] });
      if (answer.status === 503) continue;
      const { quality } = await answer.json();
      if (!(Math.abs(quality - scores[at]) <= TOLERANCE))
        throw new Error(`${names[at]}: ${quality}, not ${scores[at]}`);
      good++;
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, i) => sendGood(i));
  await Promise.all([...clients, ...Array.from({ length: 4 * CLIENTS }, sendFaults)]);
  const outcomes = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`);
  console.log(`${faults} faulty uploads: ${outcomes.join(", ")}; ${good} good ones, each scored as predict scores it`);
  memory.push(await residentMegabytes(address));
  console.log(`resident memory before, at each quarter and after: ${memory.join(", ")} MB`);
}

async function post(address, body, headers = {}) {
  try {
    const answer = await globalThis.fetch(`${address}/score`, { method: "POST", body, headers });
    await answer.text();
    return `answered ${answer.status}`;
  } catch {
    return "closed";
  }
}

function raw(address, text, isCut) {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(address).port), "127.0.0.1");
    let heard = "";
    socket.on("error", () => undefined);
    socket.on("data", (data) => (heard += data));
    socket.on("close", () => resolve(isCut ? "cut off by the client" : `answered ${heard.slice(9, 12)}`));
    socket.write(text, () => {
      if (isCut) socket.destroy();
    });
  });
}
