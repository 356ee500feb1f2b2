/**
 * Processor time of the intervals of one list: 1,000 resamples, each with its own curve, of 10,000 images by default.
 *
 *     npm run build && node bench/bootstrap.mjs [--images 10000] [--resamples 1000] [--groups] [--limit]
 *
 * `--groups` gives the images 9 scenes and 4 distortions, which are measured too; `--limit` takes a list whose best curve
 * is an exponential, the logistic's limit, where searches go far.
 */
import { parseArgs } from "node:util";
import { seededRandom } from "../dist/base/random.js";
import { measureDatabases } from "../dist/evaluate/evaluate.js";

const { values: options } = parseArgs({
  options: {
    images: { type: "string", default: "10000" },
    resamples: { type: "string", default: "1000" },
    groups: { type: "boolean", default: false },
    limit: { type: "boolean", default: false },
  },
});
const scenes = ["animal", "cityscape", "human", "indoor", "landscape", "night", "plant", "still_life", "others"];
const distortions = ["blur", "noise", "jpeg", "other"];
const random = seededRandom(1, "boot");
const predictions = Array.from({ length: Number(options.images) }, (_, i) => {
  const mos = 100 * random.uniform();
  const seen = mos - 50 + 12 * random.normal();
  return {
    ...{ database: "x", image: String(i), file: "", mos, mosStd: 10, content: null, crops: {} },
    quality: options.limit ? 1 + 4 / (1 + Math.exp(-seen / 15)) : 3 + 1.5 * Math.sinh(seen / 50),
    ...{ scene: "animal", distortion: "blur" },
    sceneLabels: options.groups ? [scenes[i % scenes.length]] : [],
    distortionLabel: options.groups ? distortions[i % distortions.length] : null,
    probabilities: { quality: [], scene: [], distortion: [] },
  };
});
const started = process.cpuUsage();
const [measured] = measureDatabases([{ name: "x", split: 1, subset: "test", predictions, failed: [] }], {
  ...{ protocol: "liqe", labels: { scenes, distortions }, seed: 1, resamples: Number(options.resamples) },
});
const { user, system } = process.cpuUsage(started);
console.log(
  `${options.resamples} resamples of ${options.images} images: ${((user + system) / 1e6).toFixed(1)} s, PLCC ${measured.metrics.plcc.result.value.toFixed(4)}`,
);
