/**
 * How often the 95 % intervals hold the true value, and how often two equal models are called different at 5 %, by
 * simulation: databases of normal scores whose true correlations are known, tested on random splits that share images.
 *
 *     npm run build && node bench/coverage.mjs [--repetitions 5000] [--resamples 1000] [--jobs 2] [--only NAME]
 *         [--protocol raw] [--few] [--apart] [--seed 0]
 *
 * `--protocol liqe` fits the curve again in each resample, as `liqe evaluate` does; `--few` simulates few contents
 * instead; `--apart` draws each split by itself, which is what a common draw is there for.
 */
import os from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { table } from "./measure.mjs";
import { METRICS, repetition } from "./coverageRun.mjs";

/** Units of a database (contents of so many images, or images), the share that a split tests, and the splits. */
const SCENARIOS = [
  { name: "images-1", what: "100 images, one split", units: 500, images: 1, share: 0.2, splits: 1 },
  { name: "images-10", what: "100 of 500 images, ten splits", units: 500, images: 1, share: 0.2, splits: 10 },
  { name: "contents-1", what: "60 contents of 2, one split", units: 300, images: 2, share: 0.2, splits: 1 },
  { name: "contents-10", what: "60 of 300 contents of 2, ten splits", units: 300, images: 2, share: 0.2, splits: 10 },
];
const FEW = [4, 6, 8, 12, 16, 20, 25, 30, 40, 50, 60].map((tested) => ({
  name: `contents-${tested}`,
  what: `${tested} contents of 10, one split`,
  ...{ units: tested, images: 10, share: 1, splits: 1 },
}));

if (isMainThread) await simulateAll();
else for (const index of workerData.indices) parentPort.postMessage(repetition(workerData.scenario, index));

async function simulateAll() {
  const { values: options } = parseArgs({
    options: {
      repetitions: { type: "string", default: "5000" },
      resamples: { type: "string", default: "1000" },
      jobs: { type: "string", default: String(os.availableParallelism()) },
      only: { type: "string" },
      protocol: { type: "string", default: "raw" },
      few: { type: "boolean", default: false },
      apart: { type: "boolean", default: false },
      seed: { type: "string", default: "0" },
    },
  });
  const [repetitions, resamples, jobs] = [options.repetitions, options.resamples, options.jobs].map(Number);
  const scenarios = (options.few ? FEW : SCENARIOS).filter(({ name }) => [name, undefined].includes(options.only));
  console.log(
    `${repetitions} repetitions, ${resamples} resamples, protocol ${options.protocol}${options.apart ? ", each split drawn by itself" : ""}`,
  );
  const rows = [];
  for (const scenario of scenarios) {
    const how = { ...scenario, resamples, protocol: options.protocol, apart: options.apart, seed: options.seed };
    rows.push(...rowsOf(scenario.what, await inWorkers(how, repetitions, jobs)));
  }
  console.log(table(["", "measure", "one model", "difference", "false alarms", "true", "mean found"], rows));
}

/** Outcomes of all repetitions, shared among workers. */
async function inWorkers(scenario, repetitions, jobs) {
  const outcomes = [];
  const work = Array.from({ length: jobs }, (_, job) => {
    const indices = Array.from({ length: repetitions }, (_, i) => i).filter((i) => i % jobs === job);
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { scenario, indices } });
      worker.on("message", (outcome) => outcomes.push(outcome));
      worker.on("error", reject);
      worker.on("exit", resolve);
    });
  });
  await Promise.all(work);
  if (outcomes.length !== repetitions) throw new Error(`${outcomes.length} of ${repetitions} repetitions came back`);
  return outcomes;
}

function rowsOf(what, outcomes) {
  return METRICS.map((metric) => {
    const own = outcomes.map((outcome) => outcome[metric]);
    const share = (key) => `${((100 * own.filter((one) => one[key]).length) / own.length).toFixed(1)} %`;
    const found = own.reduce((sum, { value }) => sum + value, 0) / own.length;
    return [what, metric, share("covered"), share("differenceCovered"), share("alarm"), own[0].true.toFixed(4), found.toFixed(4)]; // prettier-ignore
  });
}
