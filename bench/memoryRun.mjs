/**
 * Whether a long run grows: resident memory, open handles and temporary files of a training run of smoke.yaml, or of
 * `liqe predict`, from the first tenth to the end.
 *
 *     npm run build && node bench/memoryRun.mjs [--root examples] [--steps 1000] [--epochs 2]
 *     npm run build && node bench/memoryRun.mjs [--root examples] --images 100000
 *
 * The root has the quickstart's database, `clive-sample`; its photographs are scored again and again, by one window each.
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { stepLines, table } from "./measure.mjs";

/** Part of the work after which caches are full and every kernel has run. */
const SETTLED = 0.1;

/** Milliseconds between two looks at the process. */
const EVERY_MS = 500;

const { values: options } = parseArgs({
  options: {
    root: { type: "string", default: "examples" },
    steps: { type: "string", default: "1000" },
    epochs: { type: "string", default: "2" }, // each ends with a validation and checkpoints
    images: { type: "string" },
  },
});
const program = new URL("../bin/liqe.js", import.meta.url).pathname;

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  if (options.images === undefined) await train();
  else await predict(Number(options.images));
} finally {
  await rm(folder, { recursive: true });
}

async function train() {
  const epochs = Number(options.epochs);
  const settings = {
    "data.root": options.root,
    "train.epochs": epochs,
    "train.stepsPerEpoch": Number(options.steps) / epochs,
  };
  const set = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const run = path.join(folder, "run");
  const readSteps = async () => (await stepLines(run)).length;
  const args = ["train", "--config", "smoke.yaml", ...set, "--engine", "native", "--out", run];
  report(await watch(args, { total: Number(options.steps), done: readSteps, what: "step" }));
}

async function predict(images) {
  const photos = path.join(options.root, "clive-sample", "Images");
  const names = (await readdir(photos)).map((name) => path.join(photos, name));
  function* list() {
    for (let i = 0; i < images; i++) yield `${names[i % names.length]}\n`;
  }
  let lines = -1; // the heading is no image
  const input = Readable.from(list());
  const onOutput = (chunk) => {
    for (const byte of chunk) if (byte === 10) lines++;
  };
  const args = ["predict", "-", "--csv", "--crops", "1", "--engine", "native"];
  report(await watch(args, { total: images, done: () => lines, what: "image", input, onOutput }));
  if (lines !== images) throw new Error(`${lines} of ${images} images were scored`);
}

/** Runs the command, and looks at its process until it ends: a row for each look. */
async function watch(args, { total, done, what, input, onOutput = () => {} }) {
  const temporary = path.join(folder, "temporary");
  await mkdir(temporary);
  const child = spawn(process.execPath, [program, ...args], {
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: temporary },
  });
  input?.pipe(child.stdin);
  child.stdout.on("data", onOutput);
  let messages = "";
  child.stderr.on("data", (chunk) => (messages = (messages + chunk).slice(-2000)));
  let code;
  child.on("close", (exitCode, signal) => (code = exitCode ?? signal));
  const looks = [];
  while (code === undefined) {
    const look = await lookAt(child.pid, temporary);
    if (look !== null) looks.push({ done: await done(), ...look });
    await setTimeout(EVERY_MS);
  }
  if (code !== 0) throw new Error(`ended with ${code}: ${messages}`);
  return { looks: looks.filter((look) => look.done > 0), total, what };
}

/** Resident megabytes, open handles and temporary files; null where the process has just ended. */
async function lookAt(pid, temporary) {
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const residentMB = Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN) / 1000);
    const handles = (await readdir(`/proc/${pid}/fd`)).length;
    return Number.isNaN(residentMB) ? null : { residentMB, handles, files: (await readdir(temporary)).length };
  } catch {
    return null;
  }
}

/** Medians over a tenth of the work each, as the garbage collector's waves are higher than any growth that matters. */
function report({ looks, total, what }) {
  const tenths = Array.from({ length: 10 }, (_, k) => {
    const inside = looks.filter(({ done }) => done > (k * total) / 10 && done <= ((k + 1) * total) / 10);
    const column = (name) => inside.map((look) => look[name]).sort((a, b) => a - b);
    const [resident, handles, files] = ["residentMB", "handles", "files"].map(column);
    return {
      until: ((k + 1) * total) / 10,
      resident: middle(resident),
      most: resident.at(-1),
      handles: middle(handles),
      files: files.at(-1),
    };
  }).filter(({ resident }) => resident !== undefined);
  const rows = tenths.map(({ until, ...figures }) => [until, ...Object.values(figures)].map(String));
  console.log(table([`until ${what}`, "resident MB", "at most", "handles", "temporary files"], rows));
  const [settled, last] = [tenths[SETTLED * 10], tenths.at(-1)];
  console.log(
    `from the second tenth to the last: ${(100 * (last.resident / settled.resident - 1)).toFixed(1)} % of memory`,
  );
}

function middle(sorted) {
  return sorted[Math.floor(sorted.length / 2)];
}
