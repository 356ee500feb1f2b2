/**
 * The figures of docs/performance.md, each a ratio against something measured in the same run:
 *
 *     npm run build && npm run bench -- [--quick] [--json [FILE]] [--python PYTHON] [--rounds 3] [--only steps,parts,scoring,loading]
 *       [--forms TEXT,TEXT]
 *
 * `--json` prints all that was measured; FILE gets the ratios alone, for bench/history and compare.mjs. PYTHON has torch
 * and transformers; without it the rows of PyTorch are left out, and said so. `--quick` measures the narrow preset alone,
 * `--forms` of a step's rows ours in float32 and those whose names hold one of the texts.
 * Every measurement is a process of its own; rounds alternate between the programs; the first step of each, which loads
 * and compiles, is shown apart; medians of the others, with their least and most.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "../dist/base/random.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { initialParameters } from "../dist/model/parameters/initialize.js";
import { promptGrid } from "../dist/model/prompts/promptGrid.js";
import { tokenize } from "../dist/model/text/tokenizer.js";
import { halvesProducts, measure, median, saveTensors, table } from "./measure.mjs";

const {
  values: options,
  positionals: [ratiosFile],
} = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    python: { type: "string", default: "python3" },
    rounds: { type: "string", default: "3" },
    steps: { type: "string", default: "3" },
    only: { type: "string", default: "steps,parts,scoring,loading" },
    forms: { type: "string" },
  },
});
const WORDS = ["steps", "parts", "scoring", "loading"];
const unknown = options.only.split(",").find((word) => !WORDS.includes(word));
if (unknown !== undefined) throw new Error(`--only: ${unknown} is none of ${WORDS.join(", ")}`);
const here = (name) => new URL(name, import.meta.url).pathname;
const [rounds, steps] = [Number(options.rounds), Number(options.steps) + 1];
const hasTorch = can(() => execFileSync(options.python, ["-c", "import torch, transformers"], { stdio: "ignore" }));
const threads = cpus().length;
const say = (text) => process.stderr.write(`${text}\n`);
const hasBfloat16 = await halvesProducts(threads);
const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));

try {
  const products = await bestProduct();
  const settings = [{ preset: "vit-tiny", images: 32, crops: 1 }];
  if (!options.quick) settings.push({ preset: "vit-b-32", images: 12, crops: 3 });
  const results = [];
  if (isWanted("steps")) for (const setting of settings) results.push(await measured(setting));
  const isWhole = hasTorch && !options.quick;
  const parts = isWhole && isWanted("parts") ? await measuredParts() : [];
  const tables = [];
  if (isWhole && isWanted("scoring")) tables.push(...(await measuredBy("evaluation.mjs")));
  if (isWhole && isWanted("loading")) tables.push(...(await measuredBy("loader.mjs")));
  const report = { machine: machine(), products, results, parts, tables };
  if (options.json && ratiosFile === undefined) console.log(JSON.stringify(report, null, 2));
  else print(report);
  if (ratiosFile !== undefined) await saveRatios(ratiosFile, report);
} finally {
  await rm(folder, { recursive: true });
}

function isWanted(what) {
  return options.only.split(",").includes(what);
}

/** Table of a benchmark of its own, beside ONNX Runtime or PIL: { head, rows, note }; none, and said, where it fails. */
async function measuredBy(script) {
  say(`${script}, ${rounds} rounds`);
  const args = [here(script), "--json", "--python", options.python, "--runs", String(rounds)];
  return measure(process.execPath, args).then(
    (table) => [table],
    (error) => {
      say(`${script} was left out: ${error.message}`);
      return [];
    },
  );
}

/** One setting in all forms, in turns. */
async function measured({ preset, images, crops }) {
  const own = (engine) => async () => {
    const { float32: product } = await bestProduct(); // of this minute: what else the machine does comes and goes
    const argument = { preset, images, crops, microBatch: images * crops, steps, engine };
    const run = await measure(process.execPath, [here("stepRun.mjs"), JSON.stringify(argument)]);
    return { ...run, ofProduct: run.flops / Math.min(...run.seconds.slice(1)) / product };
  };
  const torch = (changes) => () =>
    measure(options.python, [
      here("pytorch/step.py"),
      folder,
      JSON.stringify({ images, crops, steps: Math.min(steps, 3), threads, tokens: 24, autocast: false, ...changes }),
    ]);
  const forms = {
    "ours, float32": own({}),
    "ours, operation by operation": own({ compile: "never" }),
    ...(hasBfloat16 && { "ours, bfloat16 products": own({ precision: "bfloat16" }) }),
  };
  if (hasTorch && preset === "vit-b-32") {
    await exchange(preset, images, crops);
    forms["PyTorch, as released (77 tokens)"] = torch({ tokens: 77 });
    forms["PyTorch, trimmed to 24 tokens"] = torch({});
    forms["PyTorch, trimmed, bfloat16 autocast"] = torch({ autocast: true });
    forms["PyTorch, trimmed, autocast, compiled"] = torch({ autocast: true, compile: true });
  }
  const isAsked = ([name], i) => i === 0 || (options.forms?.split(",").some((text) => name.includes(text)) ?? true);
  const wanted = Object.fromEntries(Object.entries(forms).filter(isAsked));
  const taken = await inTurns(`${preset} ${images} x ${crops}`, wanted);
  const [loss] = taken.get("ours, float32")[0].losses;
  const rows = [...taken].map(([name, runs]) => row(name, runs, loss));
  return { preset, images, crops, flops: taken.get("ours, float32")[0].flops, rows };
}

/** Floating-point operations a second of the machine's best product, in a process of its own. */
function bestProduct() {
  return measure(process.execPath, [here("productRun.mjs"), String(threads)]);
}

/** Parts of the step of ViT-B/32 alone, ours and PyTorch's in turns. */
async function measuredParts() {
  await exchange("vit-b-32", 12, 3);
  const ours = (part) => () =>
    measure(process.execPath, [here("partsRun.mjs"), folder, JSON.stringify({ crops: 36, steps: steps + 2, ...part })]);
  const torch = (part) => () =>
    measure(options.python, [
      here("pytorch/parts.py"),
      folder,
      JSON.stringify({ crops: 36, steps: steps + 2, threads, autocast: false, fused: true, ...part }),
    ]);
  const tables = [];
  for (const [what, forms] of [
    [
      "image tower forward and backward, 36 crops",
      {
        "ours, float32": ours({ part: "vision" }),
        ...(hasBfloat16 && {
          "ours, bfloat16 products": ours({ part: "vision", engine: { precision: "bfloat16" } }),
        }),
        PyTorch: torch({ part: "vision" }),
        "PyTorch, bfloat16 autocast": torch({ part: "vision", autocast: true }),
      },
    ],
    [
      "AdamW, 151 million parameters",
      {
        ours: ours({ part: "optimizer" }),
        "PyTorch, fused": torch({ part: "optimizer" }),
        "PyTorch, as by default": torch({ part: "optimizer", fused: false }),
      },
    ],
  ]) {
    const taken = await inTurns(what, forms);
    const norm = [...taken.values()][0][0].norm;
    tables.push({
      what,
      rows: [...taken].map(([name, runs]) => {
        const tolerance = name.includes("bfloat16") ? 5e-2 : 1e-3;
        if (!(Math.abs(runs[0].norm / norm - 1) < tolerance)) throw new Error(`${name}: norm ${runs[0].norm}, and ours ${norm}`); // prettier-ignore
        return timesOf(name, runs);
      }),
    });
  }
  return tables;
}

/** Runs of each form, `rounds` of them, in turns. */
async function inTurns(what, forms) {
  const taken = new Map(Object.keys(forms).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(forms)) {
      if (round > 0 && name.includes("as released")) continue; // minutes a step
      say(`${what}: ${name}, round ${round + 1} of ${rounds}`);
      taken.get(name).push(await run());
    }
  }
  return taken;
}

/** Weights and inputs for PyTorch: those that stepRun.mjs makes of the same seeds. */
async function exchange(preset, images, crops) {
  const parameters = initialParameters(PRESETS[preset], 1);
  await saveTensors(path.join(folder, "weights.safetensors"), parameters);
  const random = seededRandom(1, "bench", "memory");
  const grid = promptGrid();
  const any = (length, most) => Float32Array.from({ length }, () => random.integer(most));
  const pixels = any(images * crops * 224 * 224 * 3, 256);
  const size = (axis) => grid.axes.find((one) => one.axis === axis).labels.length;
  const mos = Float32Array.from({ length: images }, () => 5 * random.uniform());
  const scenes = [...any(images, size("scene"))].flatMap((one) =>
    Array.from({ length: size("scene") }, (_, i) => Number(i === one)),
  );
  const distortions = any(images, size("distortion"));
  const ids = grid.prompts.flatMap((prompt) => {
    const found = tokenize(prompt);
    return Array.from({ length: 77 }, (_, i) => found[i] ?? 0);
  });
  const tensor = (shape, values) => ({ shape, values: Float32Array.from(values) });
  await saveTensors(
    path.join(folder, "inputs.safetensors"),
    new Map([
      ["pixels", tensor([images * crops, 224 * 224 * 3], pixels)],
      ["tokens", tensor([grid.prompts.length, 77], ids)],
      ["mos", tensor([images], mos)],
      ["scenes", tensor([images, size("scene")], scenes)],
      ["distortions", tensor([images], distortions)],
      [
        "database",
        tensor(
          [images],
          Array.from({ length: images }, (_, i) => Math.floor(i / 4)),
        ),
      ],
    ]),
  );
  const shape = { axes: grid.axes.map(({ axis }) => axis), sizes: grid.axes.map(({ labels }) => labels.length) };
  await writeFile(path.join(folder, "grid.json"), JSON.stringify(shape));
}

/** @param loss  of our first step: the same weights and inputs have to give it */
function row(name, runs, loss) {
  const [first] = runs[0].losses;
  const tolerance = /bfloat16|autocast/u.test(name) ? 2e-2 : 1e-3;
  if (!(Math.abs(first / loss - 1) < tolerance)) throw new Error(`${name}: loss ${first}, and ours ${loss}`);
  const shares = runs.flatMap(({ ofProduct }) => ofProduct ?? []); // of our own steps
  return { ...timesOf(name, runs), ...(shares.length > 0 && { ofProduct: median(shares) }), loss: first };
}

function timesOf(name, runs) {
  const seconds = runs.flatMap((run) => run.seconds.slice(1));
  return {
    name,
    seconds: median(seconds),
    least: Math.min(...seconds),
    most: Math.max(...seconds),
    firstSeconds: median(runs.map((run) => run.seconds[0])),
    peakBytes: median(runs.map((run) => run.peakBytes)),
  };
}

/** Writes what a version's speed is held against: no seconds, which differ from machine to machine. */
async function saveRatios(file, report) {
  const { version } = JSON.parse(await readFile(here("../package.json"), "utf8"));
  const ratios = report.results.flatMap(ratiosOf);
  await writeFile(file, `${JSON.stringify({ version, machine: report.machine, note: "", ratios }, null, 2)}\n`);
}

/** Our steps beside the machine's best product, and beside PyTorch's; memory beside the eager step's, and PyTorch's. */
function ratiosOf({ preset, images, crops, rows }) {
  const [ours] = rows;
  const ratio = (name, value, better) => ({ name: `${preset}, ${images} x ${crops}: ${name}`, value: Number(value.toFixed(3)), better }); // prettier-ignore
  const own = rows.filter(({ name }) => name.startsWith("ours"));
  const eager = rows.find(({ name }) => name === "ours, operation by operation");
  const torch = rows.filter((row) => !own.includes(row));
  return [
    ...own.map(({ name, ofProduct }) => ratio(`speed of ${name}, beside the best product`, ofProduct, "higher")),
    ...torch.map(({ name, least }) => ratio(`seconds beside ${name}`, ours.least / least, "lower")),
    ...[...(eager === undefined ? [] : [eager]), ...torch].map(({ name, peakBytes }) =>
      ratio(`memory beside ${name}`, ours.peakBytes / peakBytes, "lower"),
    ),
  ];
}

function print({ machine: name, products, results, parts, tables }) {
  const giga = (value) => (value / 1e9).toFixed(0);
  console.log(`${name}; best products: ${giga(products.float32)} GFLOP/s in float32`);
  for (const { preset, images, crops, flops, rows } of results) {
    const [ours] = rows;
    console.log(`\n${preset}, ${images} x ${crops}: ${giga(flops / ours.seconds)} GFLOP/s, ${(flops / ours.seconds / products.float32).toFixed(2)} of the best product\n`); // prettier-ignore
    console.log(tableOfTimes("step", rows));
  }
  for (const { what, rows } of parts) console.log(`\n${tableOfTimes(what, rows)}`);
  for (const { head, rows, note = "" } of tables) console.log(`\n${table(head, rows)}\n${note}`);
  if (!hasTorch) console.log(`\nPyTorch was left out: ${options.python} has no torch and transformers (--python)`);
}

/** Rows beside the first one. */
function tableOfTimes(title, rows) {
  const [ours] = rows;
  const cells = rows.map(({ name, seconds, least, most, firstSeconds, peakBytes }) => [
    name,
    seconds.toFixed(3),
    `${least.toFixed(3)} to ${most.toFixed(3)}`,
    (seconds / ours.seconds).toFixed(2),
    (least / ours.least).toFixed(2),
    firstSeconds.toFixed(2),
    `${(peakBytes / 1e9).toFixed(2)} GB`,
  ]);
  return table([title, "seconds", "spread", "beside ours", "least beside least", "first", "peak resident"], cells);
}

function machine() {
  return `${cpus()[0].model.trim()}, ${threads} cores, Node ${process.version}`;
}

function can(work) {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
