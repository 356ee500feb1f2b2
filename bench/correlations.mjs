/**
 * SRCC and KRCC (tau-b) of a million images with ties, beside SciPy's `spearmanr` and `kendalltau` on the same numbers:
 * both must agree within 1e-9, or this stops.
 *
 *     npm run build && node bench/correlations.mjs [--python PYTHON] [--images 1000000] [--runs 3]
 *
 * PYTHON has scipy. Each measurement is a process of its own; the two take turns.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "../dist/base/random.js";
import { measure, median, table } from "./measure.mjs";

/** |ours − SciPy's| beside SciPy's. */
const AGREEMENT = 1e-9;
/** Steps that scores are rounded to, as published ones are: thousands of images share a value. */
const QUALITY_STEP = 1e-4;
const MOS_STEP = 1e-2;

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    images: { type: "string", default: "1000000" },
    runs: { type: "string", default: "3" },
  },
});
const images = Number(options.images);
const here = (name) => new URL(name, import.meta.url).pathname;

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  const ties = await writeScores();
  const results = { ours: [], scipy: [] };
  for (let run = 0; run < Number(options.runs); run++) {
    results.ours.push(await measure(process.execPath, [here("correlationsRun.mjs"), folder]));
    results.scipy.push(await measure(options.python, [here("correlations_scipy.py"), folder]));
  }
  console.log(`${images} images; ${ties.quality} different predictions, ${ties.mos} different MOS`);
  console.log(
    table(
      ["", "value", "here", "SciPy", "ratio"],
      ["srcc", "krcc"].map((name) => row(name, results)),
    ),
  );
} finally {
  await rm(folder, { recursive: true });
}

function row(name, { ours, scipy }) {
  const [value, want] = [ours[0][name].value, scipy[0][name].value];
  if (!(Math.abs(value - want) <= AGREEMENT * Math.abs(want))) {
    throw new Error(`${name}: ${value} here, ${want} in SciPy`);
  }
  const [mine, theirs] = [ours, scipy].map((results) => median(results.map((result) => result[name].seconds)));
  return [name, value.toFixed(9), seconds(mine), seconds(theirs), (theirs / mine).toFixed(2)];
}

function seconds(value) {
  return `${value.toFixed(2)} s`;
}

/** Predictions from 1 to 5 and MOS from 0 to 100 that follow them with noise, as float64 files. */
async function writeScores() {
  const random = seededRandom(1, "bench", "correlations");
  const quality = new Float64Array(images);
  const mos = new Float64Array(images);
  for (let i = 0; i < images; i++) {
    const level = random.uniform();
    quality[i] = rounded(1 + 4 * level, QUALITY_STEP);
    mos[i] = rounded(Math.min(100, Math.max(0, 100 * level + 20 * random.normal())), MOS_STEP);
  }
  await writeFile(path.join(folder, "quality.f64"), quality);
  await writeFile(path.join(folder, "mos.f64"), mos);
  return { quality: new Set(quality).size, mos: new Set(mos).size };
}

function rounded(value, step) {
  return Math.round(value / step) * step;
}
