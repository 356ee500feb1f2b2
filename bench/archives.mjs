/**
 * Images in a tar shard beside the same ones in files, and the index of a shard of many samples.
 *
 *     npm run build && node bench/archives.mjs [--images examples/clive-sample/Images] [--samples 100000]
 *     npm run build && node bench/archives.mjs --many 1000000
 *
 * Both orders are read twice, in turns. `--many` decodes that many small pictures once from shards of a thousand each and
 * once from folders of a thousand files: a thousand different ones, under as many names as are asked for. Seconds are the
 * processors', for `--many` the clock's too.
 */
import { Buffer } from "node:buffer";
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { FILES_AT_ONCE, mapConcurrent } from "../dist/base/concurrency.js";
import { INSIDE, openArchive } from "../dist/data/archives/archive.js";
import { createTarWriter } from "../dist/data/archives/writeTar.js";
import { decodeImage } from "../dist/data/images/loadImage.js";
import { table } from "./measure.mjs";

const { values: options } = parseArgs({
  options: {
    images: { type: "string", default: "examples/clive-sample/Images" },
    samples: { type: "string", default: "100000" },
    many: { type: "string" },
  },
});
/** Pictures of a shard or folder of `--many`, and their side in pixels. */
const GROUP = 1000;
const SMALL = 64;

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-archives-"));
try {
  const names = (await readdir(options.images)).filter((name) => /\.(?:jpe?g|png|webp|bmp)$/i.test(name));
  const files = names.map((name) => path.join(options.images, name));
  if (options.many === undefined) await compareOne(files);
  else await compareMany(files, Number(options.many));
} finally {
  await rm(folder, { recursive: true });
}

async function compareOne(files) {
  const shard = await writeShard("images.tar", async (tar) => {
    for (const file of files) await tar.add(path.basename(file), await readFile(file));
  });
  const inside = (await openArchive(shard)).names.map((name) => `${shard}${INSIDE}${name}`);
  const rows = [];
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
  const cells = rows.map(({ what, count, processor, rate }) => [what, count, processor.toFixed(2), rate(processor)]);
  console.log(table(["what", "images", "processor s", "images a processor s"], cells));
}

/** @param files  of the photographs that the small pictures are made of */
async function compareMany(files, count) {
  const pictures = [];
  for (let i = 0; i < GROUP; i++) {
    const small = sharp(files[i % files.length])
      .resize(SMALL, SMALL)
      .jpeg({ quality: 95 - Math.floor(i / files.length) });
    pictures.push(await small.toBuffer());
  }
  await mkdir(path.join(folder, "files"));
  for (const [i, picture] of pictures.entries()) await writeFile(path.join(folder, "files", `${i}.jpg`), picture);
  const shard = await writeShard("shard.tar", async (tar) => {
    for (const [i, picture] of pictures.entries()) await tar.add(`${i}.jpg`, picture);
  });
  const groups = Math.ceil(count / GROUP);
  for (let group = 0; group < groups; group++) {
    await symlink("files", path.join(folder, `group-${group}`));
    await symlink(path.basename(shard), path.join(folder, `shard-${group}.tar`));
  }
  const placeOf = (i) => [Math.floor(i / GROUP), `${i % GROUP}.jpg`];
  const inFiles = ([group, name]) => path.join(folder, `group-${group}`, name);
  const inShards = ([group, name]) => path.join(folder, `shard-${group}.tar${INSIDE}${name}`);
  const all = Array.from({ length: count }, (_, i) => i);
  const decodeAll = (nameOf) => async () => {
    for (let start = 0; start < count; start += GROUP) {
      const some = all.slice(start, start + GROUP).map((i) => nameOf(placeOf(i)));
      await mapConcurrent(some, FILES_AT_ONCE, decodeOne);
    }
  };
  const ways = [
    ["in folders of a thousand files", inFiles],
    ["in shards of a thousand", inShards],
  ];
  const rows = [];
  for (const [what, nameOf] of ways) rows.push(await timed(what, count, decodeAll(nameOf)));
  const cells = rows.map(({ what, count: images, processor, clock, rate }) => [
    ...[what, images, processor.toFixed(0), rate(processor), clock.toFixed(0), rate(clock)],
  ]);
  const head = ["what", "images", "processor s", "images a processor s", "s", "images a s"];
  console.log(table(head, cells));
  console.log(`peak resident ${(process.resourceUsage().maxRSS / 1e6).toFixed(2)} GB`);
}

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
  const [before, started] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(before);
  const clock = (performance.now() - started) / 1000;
  const rate = (seconds) => Math.round(count / seconds).toLocaleString("en");
  return { what, count: count.toLocaleString("en"), processor: (user + system) / 1e6, clock, rate };
}
