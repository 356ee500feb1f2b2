/**
 * Our loader beside PyTorch's DataLoader with PIL: the same files, decoded, reduced where large, cut to three windows each,
 * flipped and normalized to floats, 32 images a batch. Times alternate, run by run; PyTorch's best way is taken.
 *
 *     npm run build && node bench/loader.mjs [--python PYTHON] [--runs 3] [--images 320] [--kinds koniq,kadid,live,bid] [--json]
 *     npm run build && node bench/loader.mjs --memory 10000
 *
 * PYTHON has torch, numpy and pillow. Seconds are the clock's; processor seconds count all threads and processes, and say
 * the same on a machine with other work to do.
 */
import { Buffer } from "node:buffer";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { measure, median, table } from "./measure.mjs";

const BATCH = 32;
const FILES = 24;
/** Pictures as the databases hold them: JPEG of 4:2:0 at their sizes, PNG, BMP. */
const KINDS = {
  koniq: { name: "JPEG, 1024 x 768 (KonIQ-10k)", width: 1024, height: 768, extension: "jpg" },
  kadid: { name: "PNG, 512 x 384 (KADID-10k)", width: 512, height: 384, extension: "png" },
  live: { name: "BMP, 768 x 512 (LIVE)", width: 768, height: 512, extension: "bmp" },
  bid: { name: "JPEG, 1600 x 1200, reduced (BID)", width: 1600, height: 1200, extension: "jpg" },
};
/** Workers, and where bytes become floats. */
const TORCH_WAYS = [
  { workers: 2, where: "worker" },
  { workers: 2, where: "main" },
  { workers: 3, where: "worker" },
  { workers: 0, where: "worker" },
];

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    runs: { type: "string", default: "3" },
    images: { type: "string", default: "320" },
    kinds: { type: "string", default: Object.keys(KINDS).join() },
    photos: { type: "string", default: "examples/photos" },
    torch: { type: "string" },
    memory: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

const folder = await mkdtemp(path.join(tmpdir(), "liqe-bench-"));
try {
  if (options.memory !== undefined) await showMemory(options.memory);
  else await compareAll();
} finally {
  await rm(folder, { recursive: true });
}

async function compareAll() {
  const rows = [];
  for (const kind of options.kinds.split(",")) rows.push(await compare(kind));
  const head = [
    "files",
    "PyTorch, its best way",
    "crops/s",
    "ours",
    "ratio",
    "by processor time",
    "from pixelCacheDir",
  ];
  console.log(options.json ? JSON.stringify({ head, rows }) : `${availableParallelism()} cores\n${table(head, rows)}`);
}

async function compare(kind) {
  const files = await makePictures(kind);
  const way = await bestTorchWay(files);
  const results = { torch: [], ours: [], cached: [] };
  const cache = path.join(folder, `${kind}-pixels`);
  await ours(files, cache); // fills it
  for (let run = 0; run < Number(options.runs); run++) {
    results.torch.push(await torch(files, way));
    results.ours.push(await ours(files));
    results.cached.push(await ours(files, cache));
  }
  const rate = (who, of) => median(results[who].map((result) => result.crops / result[of]));
  const ratio = (who, of) => (rate(who, of) / rate("torch", of)).toFixed(2);
  const cached = `${rate("cached", "seconds").toFixed(0)} crops/s, ${ratio("cached", "seconds")}`;
  return [
    KINDS[kind].name,
    `${way.workers} workers, floats in ${way.where}`,
    rate("torch", "seconds").toFixed(0),
    rate("ours", "seconds").toFixed(0),
    ratio("ours", "seconds"),
    ratio("ours", "cpuSeconds"),
    cached,
  ];
}

/** The quickest; `--torch 2,worker` tries no others. */
async function bestTorchWay(files) {
  if (options.torch !== undefined) {
    const [workers, where] = options.torch.split(",");
    return { workers: Number(workers), where };
  }
  const tried = [];
  for (const way of TORCH_WAYS) {
    const { seconds, cpuSeconds } = await torch(files, way, BATCH * 3);
    console.error(
      `${path.basename(files)}: PyTorch, ${way.workers} workers, floats in ${way.where}: ${seconds.toFixed(2)} s, ${cpuSeconds.toFixed(2)} of processor`,
    );
    tried.push({ way, seconds });
  }
  return tried.sort((a, b) => a.seconds - b.seconds)[0].way;
}

function torch(files, { workers, where }, images = Number(options.images)) {
  const script = new URL("loader_torch.py", import.meta.url).pathname;
  return measure(options.python, [
    "-W",
    "ignore",
    script,
    files,
    String(workers),
    String(images),
    String(BATCH),
    where,
  ]);
}

function ours(files, cache = "") {
  return measure(process.execPath, [ourScript(), files, options.images, String(BATCH), cache]);
}

function ourScript() {
  return new URL("loaderRun.mjs", import.meta.url).pathname;
}

/** Resident memory at every tenth of a long pass. */
async function showMemory(images) {
  const files = await makePictures("koniq");
  const steps = Math.round(Number(images) / BATCH);
  const { residentMB } = await measure(process.execPath, [
    ourScript(),
    files,
    String(steps * BATCH),
    String(BATCH),
    "",
    "memory",
  ]);
  console.log(
    table(
      ["images", "resident"],
      residentMB.map((mb, i) => [String(Math.round(((i + 1) * steps) / residentMB.length) * BATCH), `${mb} MB`]),
    ),
  );
}

async function makePictures(kind) {
  const { width, height, extension } = KINDS[kind];
  const into = path.join(folder, kind);
  await mkdir(into);
  const photos = (await readdir(options.photos)).filter((name) => name.endsWith(".jpg"));
  for (let i = 0; i < FILES; i++) {
    const photo = path.join(options.photos, photos[i % photos.length]);
    const picture = sharp(photo)
      .resize(width, height, { fit: "cover" })
      .flip(i >= photos.length)
      .flop(i >= 2 * photos.length);
    const file = path.join(into, `${String(i).padStart(3, "0")}.${extension}`);
    if (extension === "bmp") await writeBmp(file, await picture.removeAlpha().raw().toBuffer(), width, height);
    else await (extension === "jpg" ? picture.jpeg({ quality: 90 }) : picture.png()).toFile(file);
  }
  return into;
}

async function writeBmp(file, rgb, width, height) {
  const bytes = Buffer.alloc(54 + rgb.length); // widths here are whole numbers of four bytes
  bytes.write("BM", "latin1");
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let row = 0, to = 54; row < height; row++) {
    for (let from = (height - 1 - row) * width * 3, end = from + width * 3; from < end; from += 3, to += 3) {
      bytes.set([rgb[from + 2], rgb[from + 1], rgb[from]], to);
    }
  }
  await writeFile(file, bytes);
}
