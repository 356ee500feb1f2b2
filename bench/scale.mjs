/**
 * Several machines on paper: seconds of a training step by 1 to 256 devices against link, batch and tower, and hours and
 * cost of scoring many images. Nothing is assumed in silence: throughput is a datasheet's peak times --utilization, or
 * what was measured (--measured), and links, storage and prices are options.
 *
 *     npm run build && node bench/scale.mjs --device h100 --precision bfloat16 --utilization 0.3 [--preset vit-b-32]
 *         [--images 16] [--crops 3] [--per-rank] [--ranks 1,2,4,...] [--links 25,100,400] [--turn-microseconds 20]
 *         [--score 1e9 --photos DIR --cores 16 --storage 10] [--dollars-per-hour PRICE] [--json]
 *     node bench/scale.mjs --measured measured.json --preset vit-tiny      the model beside what bench/scaleMeasure.mjs measured
 */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { loadImage, DEFAULT_IMAGE_OPTIONS } from "../dist/data/images/loadImage.js";
import { LARGE } from "../dist/engine/cluster/collective.js";
import { presetArchitecture } from "../dist/model/architecture/presets.js";
import { gridOf, PromptsConfig } from "../dist/model/config.js";
import { imageFlops } from "../dist/model/flops.js";
import { countParameters, parameterShapes, sizeOf } from "../dist/model/parameters/shapes.js";
import { evaluationCrops } from "../dist/model/preprocess/crops.js";
import { gridTree } from "../dist/model/text/promptTree.js";
import { stepFlops } from "../dist/train/cost/stepFlops.js";
import { table } from "./measure.mjs";
import { processorSeconds, saturation, scoringRate, splitStep, stepTime } from "./scaleModel.mjs";

/**
 * NVIDIA's datasheets: 10^12 FLOP a second without sparsity (half of the printed figure, where that is with sparsity), and
 * 10^9 bytes a second of the device's memory.
 */
const DEVICES = {
  a100: { name: "A100 SXM 80 GB", float32: 19.5, tf32: 156, bfloat16: 312, memory: 2039 },
  h100: { name: "H100 SXM", float32: 67, tf32: 494.5, bfloat16: 989.5, memory: 3350 },
  l4: { name: "L4", float32: 30.3, tf32: 60, bfloat16: 121, memory: 300 },
};
/** Times that the update of Adam reads or writes a value: gradient, weight and two moments in, weight and moments out. */
const UPDATE_PASSES = 7;
const FLOAT_BYTES = 4;
/** Windows of an image that is scored. */
const WINDOWS = 15;
/** Images a second that twice the ranks have to add for it to be worth anything. */
const WORTHWHILE = 1.2;

const { values: options } = parseArgs({
  options: {
    preset: { type: "string", default: "vit-b-32" },
    device: { type: "string" },
    precision: { type: "string", default: "float32" },
    utilization: { type: "string" },
    images: { type: "string", default: "16" },
    crops: { type: "string", default: "3" },
    "per-rank": { type: "boolean", default: false },
    ranks: { type: "string", default: "1,2,4,8,16,32,64,128,256" },
    links: { type: "string", default: "25,100,400" },
    "turn-microseconds": { type: "string", default: "20" },
    score: { type: "string" },
    photos: { type: "string", default: path.join(import.meta.dirname, "..", "examples", "clive-sample", "Images") },
    "decode-seconds": { type: "string" },
    "image-bytes": { type: "string" },
    cores: { type: "string", default: "16" },
    storage: { type: "string", default: "10" },
    "dollars-per-hour": { type: "string" },
    measured: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const architecture = presetArchitecture(options.preset);
const ranks = options.ranks.split(",").map(Number);
const found = {};
if (options.measured === undefined) {
  const device = deviceOf();
  found.training = trainingRows(device);
  if (options.score !== undefined) found.scoring = scoringRows(device, await oneImage());
} else {
  found.held = heldRows(JSON.parse(await readFile(options.measured, "utf8")));
}
if (options.json) console.log(JSON.stringify(found));
else print();

/** @throws {Error} where the device or the share of its peak is not named: both are assumptions of whoever asks */
function deviceOf() {
  const device = DEVICES[options.device];
  const peak = device?.[options.precision];
  const utilization = Number(options.utilization);
  if (peak === undefined || !["float32", "tf32", "bfloat16"].includes(options.precision))
    throw new Error(`bench: --device: one of ${Object.keys(DEVICES).join(", ")}; --precision: float32, tf32, bfloat16`);
  if (!(utilization > 0 && utilization <= 1))
    throw new Error("bench: --utilization: the share of the peak, above 0 to 1");
  return { ...device, flops: peak * 1e12 * utilization };
}

/** What ranks sum in a step of so many crops, and in how many parts. */
function exchanged(crops) {
  const shapes = parameterShapes(architecture);
  const large = [...shapes.values()].filter((shape) => sizeOf(shape) >= LARGE).length;
  const values = countParameters(shapes) + (crops + 1) * architecture.embedding;
  return { bytes: FLOAT_BYTES * values, messages: large + 2 }; // the small ones together, and the features
}

/** A step on a device of known throughput, in the terms of `stepTime`. */
function stepOn({ flops, memory }, images) {
  const crops = images * Number(options.crops);
  const tree = gridTree(gridOf(PromptsConfig.parse({})), architecture.text);
  const shape = { crops, microBatch: crops, images, recompute: "never", freeze: [] };
  const work = stepFlops({ architecture, tree }, shape);
  const update = (UPDATE_PASSES * FLOAT_BYTES * countParameters(parameterShapes(architecture))) / (memory * 1e9);
  return {
    crops,
    cropSeconds: work.images / crops / flops,
    ownSeconds: work.prompts / flops + update,
    ...exchanged(crops),
  };
}

function trainingRows(device) {
  return options.links.split(",").map(Number).map((gigabits) => {
    const rows = ranks.map((count) => {
      const images = Number(options.images) * (options["per-rank"] ? count : 1);
      const step = stepOn(device, images);
      const cluster = { ranks: count, linkBytes: (gigabits * 1e9) / 8, turnSeconds: Number(options["turn-microseconds"]) / 1e6 }; // prettier-ignore
      const time = stepTime(step, cluster);
      return { ranks: count, images, ...time, rate: images / time.seconds };
    }).filter(({ ranks: count, images }) => count <= images); // each has one at least
    return { gigabits, rows, saturatesAt: saturation(rows, WORTHWHILE) };
  }); // prettier-ignore
}

/** Seconds of one processor and bytes of a file, means over the photographs: read, decoded, reduced, cut into windows. */
async function oneImage() {
  if (options["decode-seconds"] !== undefined)
    return { decodeSeconds: Number(options["decode-seconds"]), imageBytes: Number(options["image-bytes"]) };
  const names = (await readdir(options.photos)).filter((name) => /\.(jpe?g|png|bmp|webp)$/i.test(name)).slice(0, 200);
  const files = names.map((name) => path.join(options.photos, name));
  const images = { ...DEFAULT_IMAGE_OPTIONS, window: architecture.vision.imageSize };
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const before = process.cpuUsage();
  for (const file of files) evaluationCrops(await loadImage(file, images), WINDOWS, architecture.vision.imageSize);
  const { user, system } = process.cpuUsage(before);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return { decodeSeconds: (user + system) / 1e6 / files.length, imageBytes: bytes / files.length };
}

function scoringRows({ flops }, { decodeSeconds, imageBytes }) {
  const one = {
    deviceImages: flops / (WINDOWS * imageFlops(architecture)),
    decodeImages: Number(options.cores) / decodeSeconds,
    imageBytes,
  };
  const price = options["dollars-per-hour"] === undefined ? null : Number(options["dollars-per-hour"]);
  const rows = ranks.map((devices) => {
    const { images, bound } = scoringRate(one, { devices, storageBytes: Number(options.storage) * 1e9 });
    const hours = Number(options.score) / images / 3600;
    return { devices, images, bound, hours, deviceHours: hours * devices, dollars: price === null ? null : hours * devices * price }; // prettier-ignore
  });
  return { decodeSeconds, imageBytes, ...one, rows };
}

/**
 * The model, fed with the steps of one process and the smallest one of two, beside all measured steps: processor seconds
 * of all ranks together, which hold beside other work as well, and the clock's, where all cores are at work: the processor
 * seconds over the cores.
 * @param measured  of bench/scaleMeasure.mjs; one crop an image, as in smoke.yaml
 */
function heldRows(measured) {
  const byImages = (count) => measured.filter((one) => one.ranks === count).sort((a, b) => a.images - b.images);
  const [alone, pair] = [byImages(1), byImages(2)[0]];
  const [smaller, larger] = [alone[0], alone.at(-1)].map(({ images, cpu }) => ({ crops: images, seconds: cpu }));
  const split = splitStep(smaller, larger);
  const stepOf = (crops, secondsPerByte) => ({ crops, ...split, ...exchanged(crops), secondsPerByte });
  const pairStep = stepOf(pair.images, 0);
  const secondsPerByte = (pair.cpu - processorSeconds(pairStep, 2)) / (2 * pairStep.bytes);
  const rows = measured.map((one) => {
    const isFed = one.ranks === 1 || one === pair;
    const model = processorSeconds(stepOf(one.images, secondsPerByte), one.ranks);
    return { ...one, model, clockModel: model / one.cores, isFed };
  });
  return { ...split, secondsPerByte, rows };
}

function print() {
  const assumed = `${options.device} ${options.precision}, ${options.utilization} of the peak`;
  for (const { gigabits, rows, saturatesAt } of found.training ?? []) {
    console.log(`\n${options.preset}, ${assumed}, ${gigabits} Gbit/s: ${saturatesAt === null ? "no end in sight" : `saturates at ${saturatesAt}`}`); // prettier-ignore
    const cells = rows.map((row) => [row.ranks, row.images, ...[row.encode, row.own, row.exchange, row.seconds].map((s) => (1000 * s).toFixed(2)), row.rate.toFixed(0)].map(String)); // prettier-ignore
    console.log(table(["ranks", "images a step", "ms encoding", "ms by itself", "ms exchanging", "ms a step", "images/s"], cells)); // prettier-ignore
  }
  if (found.scoring !== undefined) {
    const { decodeSeconds, imageBytes, deviceImages, decodeImages, rows } = found.scoring;
    console.log(`\n${options.preset}, ${assumed}: ${deviceImages.toFixed(0)} images/s a device, ${decodeImages.toFixed(0)} decoded beside it (${decodeSeconds.toFixed(4)} s of a processor, ${(imageBytes / 1000).toFixed(0)} kB each)`); // prettier-ignore
    const cells = rows.map((row) => [row.devices, row.images.toFixed(0), row.bound, row.hours.toFixed(1), row.deviceHours.toFixed(0), row.dollars?.toFixed(0) ?? "no price given"].map(String)); // prettier-ignore
    console.log(table(["devices", "images/s", "bound by", "hours", "device hours", "dollars"], cells));
  }
  if (found.held !== undefined) {
    const { cropSeconds, ownSeconds, secondsPerByte, rows } = found.held;
    console.log(`${cropSeconds.toFixed(4)} s a crop, ${ownSeconds.toFixed(4)} s by itself, ${(1e9 * secondsPerByte).toFixed(2)} s for 1 GB in the ring`); // prettier-ignore
    const off = (model, measured) => `${(100 * (model / measured - 1)).toFixed(0)} %`;
    const cells = rows.map((row) => [row.ranks, row.images, row.cpu.toFixed(3), row.model.toFixed(3), row.isFed ? "fed" : off(row.model, row.cpu), row.median.toFixed(3), row.clockModel.toFixed(3), off(row.clockModel, row.median)].map(String)); // prettier-ignore
    console.log(table(["processes", "images", "processor s a step", "model", "off by", "s a step", "model", "off by"], cells)); // prettier-ignore
  }
}
