/**
 * Images in a tar shard beside the same ones in files, and the index of a shard of many samples.
 *
 *     npm run build && node bench/archives.mjs [--images examples/clive-sample/Images] [--samples 100000]
 *
 * Both orders are read twice, in turns. Seconds are the processors'.
 */
import { Buffer } from "node:buffer";
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { FILES_AT_ONCE, mapConcurrent } from "../dist/base/concurrency.js";
import { INSIDE, openArchive } from "../dist/data/archives/archive.js";
import { createTarWriter } from "../dist/data/archives/writeTar.js";
import { decodeImage } from "../dist/data/images/loadImage.js";
import { table } from "./measure.mjs";

const { values: options } = parseArgs({
  options: {
    images: { type: "string", default: "examples/clive-sample/Images" },
    samples: { type: "string", default: "100000" },
  },
});
const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-archives-"));
const rows = [];
try {
  const names = (await readdir(options.images)).filter((name) => /\.(?:jpe?g|png|webp|bmp)$/i.test(name));
  const files = names.map((name) => path.join(options.images, name));
  const shard = await writeShard("images.tar", async (tar) => {
    for (const file of files) await tar.add(path.basename(file), await readFile(file));
  });
  const inside = (await openArchive(shard)).names.map((name) => `${shard}${INSIDE}${name}`);
  for (let turn = 0; turn < 2; turn++) {
    rows.push(await timed("decode, in files", files.length, () => mapConcurrent(files, FILES_AT_ONCE, decodeOne)));
    rows.push(await timed("decode, in a tar", inside.length, () => mapConcurrent(inside, FILES_AT_ONCE, decodeOne)));
  }
  const samples = Number(options.samples);
  const many = await writeShard("many.tar", async (tar) => {
    for (let i = 0; i < samples; i++) {
      await tar.add(`${i}.png`, new Uint8Array(700));
      await tar.add(`${i}.json`, Buffer.from(JSON.stringify({ mos: i / samples })));
    }
  });
  rows.push(await timed("index of a tar", samples, () => openArchive(many)));
} finally {
  await rm(folder, { recursive: true });
}
console.log(table(["what", "images", "processor s", "images a processor s"], rows));

async function writeShard(name, fill) {
  const file = path.join(folder, name);
  const handle = await open(file, "w");
  const tar = createTarWriter(handle);
  await fill(tar);
  await tar.end();
  await handle.close();
  return file;
}

function decodeOne(file) {
  return decodeImage(file);
}

async function timed(what, count, work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  return [what, count.toLocaleString("en"), seconds.toFixed(2), Math.round(count / seconds).toLocaleString("en")];
}
