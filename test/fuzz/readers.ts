/** Readers of files that users bring, each with real files to begin with. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeData } from "../../src/api/describeData.js";
import { parseConfig } from "../../src/api/config.js";
import { clusterOf } from "../../src/cli/cluster.js";
import { jsonOf } from "../../src/base/text.js";
import { writeDurable } from "../../src/base/files.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { decodeImage } from "../../src/data/images/loadImage.js";
import { readArraySplits, readPickledSplits } from "../../src/data/lists/formats/splitFiles.js";
import { readPairList } from "../../src/data/lists/pairList.js";
import { parseList } from "../../src/data/lists/readList.js";
import { readMatFile } from "../../src/data/prepare/matFile.js";
import { readResults } from "../../src/evaluate/results/splitSummary.js";
import { readPredictions } from "../../src/evaluate/scoring/predictionFile.js";
import { PUBLISHED_LABELS } from "../../src/model/prompts/labels.js";
import { readWeights } from "../../src/model/weights/readWeights.js";
import { writeTorchFile } from "../../src/model/weights/torch/writeTorch.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";
import { parseSeen } from "../../src/train/checkpoint/seen.js";
import { temporaryFolder } from "../support/runs.js";
import { promise, type Reader } from "./reader.js";
import { runReaders } from "./runFolders.js";

const FIXTURES = join(PACKAGE_ROOT, "test", "fixtures");

function fixtures(folder: string, ends: RegExp): Uint8Array[] {
  const names = readdirSync(join(FIXTURES, folder)).filter((name) => ends.test(name));
  if (names.length === 0) throw new Error(`no fixture in ${folder} ends in ${String(ends)}`);
  return names.map((name) => Uint8Array.from(readFileSync(join(FIXTURES, folder, name))));
}

function texts(...all: readonly string[]): Uint8Array[] {
  return all.map((text) => new TextEncoder().encode(text));
}

/** Lines of a list, 20 images. */
function rows(of: (i: number) => string): string {
  return Array.from({ length: 20 }, (_, i) => of(i)).join("\n");
}

async function readImage(file: string): Promise<void> {
  const { rows: height, cols, pixels } = await decodeImage(file);
  promise(pixels.length === 3 * height * cols && pixels.length > 0, "its pixels do not fill its sides");
}

async function readTensors(file: string): Promise<void> {
  const weights = await readWeights(file);
  try {
    for (const [name, { shape }] of weights.names) {
      const values = await weights.read(name);
      promise(values.length === shape.reduce((product, size) => product * size, 1), `${name} does not fill its shape`);
      promise(values.every(Number.isFinite), `${name} is not finite`);
    }
  } finally {
    await weights.close();
  }
}

async function readSamples(file: string): Promise<void> {
  const context = { database: "x", folder: dirname(file), tables: PUBLISHED_LABELS, published: new Map() };
  const { samples } = await parseList(file, context);
  promise(
    samples.every(({ mos, image }) => Number.isFinite(mos) && !image.split("/").includes("..") && image !== ""),
    "a score is not finite, or a path leads out",
  );
}

async function describe(file: string): Promise<void> {
  const { images, missingImages, scores } = await describeData(file);
  promise(images > 0 && missingImages <= images && scores.min <= scores.max, "its figures contradict each other");
}

const VALUES = Float32Array.from({ length: 2400 }, (_, i) => i / 7);
const TENSORS = new Map([
  ["logit_scale", { shape: [], values: Float32Array.of(4.6) }],
  ["text_projection", { shape: [40, 60], values: VALUES }],
  ["visual.proj", { shape: [20, 120], values: VALUES }],
]);

/** Weights as safetensors, and as PyTorch writes them: a zip archive with a pickle. */
export async function weightFiles(): Promise<{ readonly safetensors: Uint8Array; readonly torch: Uint8Array }> {
  const [safetensors, torch] = ["x.safetensors", "x.pt"].map((name) => join(temporaryFolder(), name)) as [
    string,
    string,
  ]; // two names
  await writeDurable(safetensors, (handle) => writeSafetensors(handle, TENSORS, { format: "pt" }));
  await writeTorchFile(torch, TENSORS, { dtypeOf: () => "F32" });
  return { safetensors: Uint8Array.from(readFileSync(safetensors)), torch: Uint8Array.from(readFileSync(torch)) };
}

/** `{1: {"train": [0..5], "val": [6, 7], "test": [8, 9]}}` and a second split, by Python's pickle, protocols 2 and 4. */
const PICKLES = [
  "gAJ9cQAoSwF9cQEoWAUAAAB0cmFpbnECXXEDKEsASwFLAksDSwRLBWVYAwAAAHZhbHEEXXEFKEsGSwdlWAQAAAB0ZXN0cQZdcQcoSwhLCWV1SwJ9cQgoaAJdcQkoSwRLBUsGSwdLCEsJZWgEXXEKKEsCSwNlaAZdcQsoSwBLAWV1dS4=",
  "gASVbAAAAAAAAAB9lChLAX2UKIwFdHJhaW6UXZQoSwBLAUsCSwNLBEsFZYwDdmFslF2UKEsGSwdljAR0ZXN0lF2UKEsISwlldUsCfZQoaAJdlChLBEsFSwZLB0sISwllaARdlChLAksDZWgGXZQoSwBLAWV1dS4=",
].map((text) => Uint8Array.from(Buffer.from(text, "base64")));

/** Array of two splits of three rows, int64. */
function npy(): Uint8Array {
  const header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }".padEnd(117) + "\n";
  const data = [0, 1, 2, 3, 4, -1].flatMap((row) => [...new Uint8Array(BigInt64Array.of(BigInt(row)).buffer)]);
  return Uint8Array.from([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length, 0, ...new TextEncoder().encode(header), ...data]); // prettier-ignore
}

/** A tar archive of two samples: a picture and its scores each. */
function tar(): Uint8Array {
  const members = [0, 1].flatMap((i): [string, Uint8Array][] => [
    [`${i}.png`, Uint8Array.from(readFileSync(join(FIXTURES, "images", "bits-1.png")))],
    [`${i}.json`, new TextEncoder().encode(`{"mos": ${i + 1.5}, "mos_std": 0.5}`)],
  ]);
  const blocks = members.flatMap(([name, bytes]) => {
    const header = new Uint8Array(512);
    const put = (text: string, start: number) => {
      header.set(new TextEncoder().encode(text), start);
    };
    put(name, 0);
    put("0000644\0", 100);
    put(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    put("        ", 148);
    put("0", 156);
    put("ustar\0" + "00", 257);
    const sum = header.reduce((all, byte) => all + byte, 0);
    put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, Uint8Array.from([...bytes, ...new Uint8Array((512 - (bytes.length % 512)) % 512)])];
  });
  return Uint8Array.from([...blocks.flatMap((block) => [...block]), ...new Uint8Array(1024)]);
}

const PUBLISHED = rows((i) => `images/${i}.png\t${1 + i / 5}\twhite noise\tanimal\tinvalid\tinvalid`);
const OWN = `image,mos,mos_std,distortion,scene\n${rows((i) => `images/${i}.png,${1 + i / 5},0.5,white noise,animal|plant`)}\n`;
const JSON_LIST = JSON.stringify(Array.from({ length: 20 }, (_, i) => ({ image: `${i}.png`, gt_score: 1 + i / 5, std: 0.4, id: `${i}.png->${1 + i / 5}` }))); // prettier-ignore
const JSON_LINES = rows((i) => JSON.stringify({ file_name: `${i}.png`, mos: 1 + i / 5, split: i < 10 ? "train" : "test" })); // prettier-ignore
const META_INFO = `img_name,mos,std,split\n${rows((i) => `${i}.png,${1 + i / 5},0.5,${i % 3}`)}\n`;

/** All readers. */
export async function readers(): Promise<readonly Reader[]> {
  const { safetensors, torch } = await weightFiles();
  return [
    ...(await runReaders()),
    { name: "JPEG", file: "x.jpg", files: fixtures("images", /\.jpg$/), read: readImage },
    { name: "PNG", file: "x.png", files: fixtures("images", /\.png$/), read: readImage },
    { name: "BMP", file: "x.bmp", files: fixtures("images", /\.bmp$/), read: readImage },
    { name: "TIFF", file: "x.tif", files: fixtures("images", /\.tif$/), read: readImage },
    { name: "WebP", file: "x.webp", files: fixtures("images", /\.webp$/), read: readImage },
    { name: "safetensors", file: "x.safetensors", files: [safetensors], read: readTensors },
    { name: "PyTorch's archives", file: "x.pt", files: [torch], read: readTensors },
    {
      name: "pickled splits",
      file: "x.pkl",
      files: PICKLES,
      read: async (file) => {
        const rows = (await readPickledSplits(file)).flatMap(({ train, val, test }) => [...train, ...val, ...test]);
        promise(
          rows.every((row) => typeof row === "string" || (Number.isSafeInteger(row) && row >= 0)),
          "a row is none",
        );
      },
    },
    { name: "our lists", file: "x.csv", files: texts(PUBLISHED, OWN), read: readSamples },
    { name: "lists of others", file: "x.csv", files: texts(META_INFO, OWN), read: describe },
    { name: "lists in JSON", file: "x.json", files: texts(JSON_LIST, JSON_LINES), read: describe },
    { name: "lists in Parquet", file: "x.parquet", files: fixtures("lists", /\.parquet$/), read: describe },
    { name: "tar shards", file: "x.tar", files: [tar()], read: describe },
    {
      name: "lists of pairs",
      file: "pairs.csv",
      files: texts(`a,b,p\n${rows((i) => `${i}.png,${i + 1}.png,${i / 20}`)}\n`),
      read: async (file) => {
        promise(
          (await readPairList(file)).every(({ p }) => p >= 0 && p <= 1),
          "p is no share",
        );
      },
    },
    {
      name: "predictions",
      file: "x.csv",
      files: texts(`image,quality,mos\n${rows((i) => `${i}.png,${i / 7},${i}`)}\n`, rows((i) => `{"image":"${i}.png","quality":${i / 7}}`)), // prettier-ignore
      read: async (file) => {
        promise(
          (await readPredictions(file)).every(({ quality }) => Number.isFinite(quality)),
          "a score is not finite",
        );
      },
    },
    {
      name: "ARNIQA's arrays",
      file: "train.npy",
      files: [npy()],
      read: async (file) => {
        const rows = (await readArraySplits(dirname(file))).flatMap(({ train }) => train);
        promise(
          rows.every((row) => Number.isSafeInteger(row) && Number(row) >= 0),
          "a row is none",
        );
      },
    },
    {
      name: "results of runs",
      file: "results.json",
      files: texts(JSON.stringify({ protocol: "liqe", protocolVersion: 3, checkpoint: "best", crops: 5, databases: [{ name: "x", split: 1, subset: "test", images: 9, published: null, ...Object.fromEntries(["srcc", "plcc", "krcc", "rmse"].map((name) => [name, { value: 0.5, low: 0.4, high: 0.6 }])), sceneAccuracy: { value: null, reason: "none" }, distortionAccuracy: { value: 0.5 } }] })), // prettier-ignore
      read: async (file) => {
        await readResults(file);
      },
    },
    {
      name: "MATLAB files",
      file: "x.mat",
      files: fixtures("distributions", /\.mat$/),
      read: async (file) => {
        await readMatFile(file);
      },
    },
    {
      name: "configs",
      file: "x.yaml",
      files: readdirSync(join(PACKAGE_ROOT, "configs")).map((name) => Uint8Array.from(readFileSync(join(PACKAGE_ROOT, "configs", name)))), // prettier-ignore
      read: (file) => {
        parseConfig(readFileSync(file, "utf8"), file);
        return Promise.resolve();
      },
    },
    {
      name: "records of seen images",
      file: "seen.json",
      files: texts(JSON.stringify({ format: 1, training: [{ path: "a/b.png", sha256: "0".repeat(64) }], validation: [] })), // prettier-ignore
      read: (file) => {
        const json = jsonOf(readFileSync(file, "utf8"));
        if (json !== undefined) parseSeen(file, json); // its caller refuses what is no JSON
        return Promise.resolve();
      },
    },
    {
      name: "TF_CONFIG",
      file: "TF_CONFIG",
      files: texts('{"cluster":{"worker":["10.0.0.1:8470","10.0.0.2:8470"]},"task":{"type":"worker","index":1}}'),
      read: (file) => {
        const flags = { cluster: undefined, rank: undefined, clusterTimeout: undefined, clusterPublic: false };
        clusterOf(flags, { TF_CONFIG: readFileSync(file, "utf8") });
        return Promise.resolve();
      },
    },
  ];
}
