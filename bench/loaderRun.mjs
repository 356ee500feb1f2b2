/**
 * One run of our loader, for loader.mjs:
 *
 *     node loaderRun.mjs FOLDER IMAGES BATCH [CACHE] [memory]
 *
 * CACHE is a `data.pixelCacheDir`, empty for none. Prints JSON as loader_torch.py does, or resident memory.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { createLoader } from "../dist/data/loader/loader.js";
import { DEFAULT_IMAGE_OPTIONS } from "../dist/data/images/loadImage.js";
import { imagePatches } from "../dist/model/vision/patches.js";
import { PRESETS } from "../dist/model/architecture/presets.js";

const [folder, images, batch, cache = "", mode = "time"] = process.argv.slice(2);
const imagesPerStep = Number(batch);
const steps = Number(images) / imagesPerStep;
const { vision } = PRESETS["vit-b-32"];

const found = readdirSync(folder).sort();
const labels = { folder, mosStd: null, distortion: 0, scenes: [0], list: "bench" };
const train = Array.from({ length: Number(images) }, (_, i) => {
  const image = found[i % found.length];
  return { database: "bench", image, file: path.join(folder, image), mos: i, line: i + 1, ...labels };
});
const database = { name: "bench", imagesPerStep, folder, train, val: [], test: [] };

/** As training has it: where each step's floats are laid out. */
const memory = new Float32Array(imagesPerStep * 3 * 224 * 224 * 3);

/** Every step of one pass, from nothing to normalized floats; nothing is remembered in memory. */
async function pass(onStep = () => undefined) {
  const read = {
    ...DEFAULT_IMAGE_OPTIONS,
    cacheMB: 0,
    onUnreadable: "stop",
    pixelCacheDir: cache || null,
    pixelCacheGB: 10,
  };
  const source = createLoader([database], {
    seed: 1,
    cropsPerImage: 3,
    stepsPerEpoch: steps,
    scenes: 9,
    images: read,
  });
  const started = performance.now();
  const before = process.cpuUsage();
  let crops = 0;
  let sum = null;
  for (let step = 0; step < steps; step++) {
    const { pixels } = await source.get(0, step);
    const floats = imagePatches(pixels, vision, memory);
    crops += pixels.length / (224 * 224 * 3);
    sum ??= floats[1000];
    onStep(step + 1);
  }
  source.close();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - started) / 1000, cpuSeconds: (user + system) / 1e6, crops, sum };
}

if (mode === "memory") {
  const residentMB = [];
  await pass((done) => {
    if (Math.floor((10 * done) / steps) > residentMB.length)
      residentMB.push(Math.round(process.memoryUsage().rss / 2 ** 20));
  });
  console.log(JSON.stringify({ residentMB }));
} else {
  await pass(); // warms up: compiled code, page cache, allocators
  console.log(JSON.stringify(await pass()));
}
