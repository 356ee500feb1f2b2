/** One measurement of lists.mjs: TASK LINES FOLDER; prints { what, seconds, peakBytes }. */
import { closeSync, existsSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import path from "node:path";
import { expandPaths } from "../dist/api/paths.js";
import { checkData } from "../dist/api/checkData.js";
import { seededRandom } from "../dist/base/random.js";
import { STANDARD_INPUT } from "../dist/base/text.js";
import { findOtherCase } from "../dist/data/audit/fileChecks.js";
import { checkSamples } from "../dist/data/audit/sampleChecks.js";
import { checkSplit } from "../dist/data/audit/splitChecks.js";
import { openDatabases } from "../dist/data/openDatabases.js";
import { PUBLISHED_LABELS } from "../dist/model/prompts/labels.js";
import { NearHashes } from "../dist/data/images/nearHashes.js";

const [task = "", count = "0", folder = ""] = process.argv.slice(2);
const lines = Number(count);
const SCENES = ["animal", "cityscape", "human", "indoor", "landscape"];
const TYPES = ["gaussian blur", "white noise", "jpeg compression"];
const numbers = () => Array.from({ length: lines }, (_, i) => i);

const TASKS = {
  paths: {
    what: "paths of `predict -`, each looked up on the disk",
    prepare: () => {
      const photos = path.join(folder, "photos");
      mkdirSync(photos, { recursive: true });
      for (let i = 0; i < 1000; i++) writeFileSync(path.join(photos, `${i}.jpg`), "");
      return numbers()
        .map((i) => path.join(photos, `${i % 1000}.jpg`))
        .join("\n");
    },
    run: async (list) => {
      const { files } = await expandPaths([STANDARD_INPUT], { recursive: false, readList: async () => list });
      return files.length;
    },
  },
  published: {
    what: "`data check --lists-only`, a list as published",
    prepare: () => {
      const file = path.join(folder, "published.txt");
      const line = (i) => [
        `images/${i >> 7}/${i}.png`,
        1 + (i % 400) / 100,
        TYPES[i % 3],
        SCENES[i % 5],
        "invalid",
        "invalid",
      ];
      writeLines(file, (i) => line(i).join("\t"));
      return file;
    },
    run: countImages,
  },
  csv: {
    what: "`data check --lists-only`, a CSV",
    prepare: () => {
      const file = path.join(folder, "list.csv");
      const line = (i) => `images/${i >> 7}/${i}.png,${1 + (i % 400) / 100},.5,${TYPES[i % 3]},${SCENES[i % 5]}`;
      writeLines(file, line, "image,mos,mos_std,distortion,scene\n");
      return file;
    },
    run: countImages,
  },
  start: {
    what: "the lists at the start of `train`: read, names looked up, audited",
    prepare: () => {
      const images = path.join(folder, "images");
      mkdirSync(path.join(images, "files"), { recursive: true });
      for (let i = 0; i < 1000; i++) writeFileSync(path.join(images, "files", `${i}.png`), "");
      // 1,000 files under as many names as are asked for: each group of 1,000 by another link to their folder
      for (let i = 0; i < lines / 1000; i++) linkOnce(path.join(images, `link-${i}`));
      const line = (i) => `link-${Math.floor(i / 1000)}/${i % 1000}.png,${1 + (i % 400) / 100}`;
      writeLines(path.join(images, "train.csv"), line, "image,mos\n");
      for (const name of ["val", "test"]) writeFileSync(path.join(images, `${name}.csv`), `image,mos\n${name}.png,1\n`);
      return folder;
    },
    run: async (root) => {
      const lists = { train: "train.csv", val: "val.csv", test: "test.csv" };
      const databases = [{ name: "mine", folder: "images", ...lists, imagesPerStep: 16 }];
      const [database] = await openDatabases({ root, databases }, 1);
      const context = { database: "mine", folder, tables: PUBLISHED_LABELS, published: new Map() };
      const { train, val, test } = database;
      checkSplit({ train, val, test }, context);
      checkSamples([...train, ...val, ...test], context);
      findOtherCase(train);
      return train.length;
    },
  },
  near: {
    what: "near copies: all pairs within 8 of 63 bits",
    prepare: () => {
      const random = seededRandom(1, "hashes");
      return numbers().map(() => [random.integer(2 ** 32), random.integer(2 ** 31)]);
    },
    run: (hashes) => {
      const near = new NearHashes(hashes.length);
      let found = 0;
      for (const [i, hash] of hashes.entries()) {
        const copy = i % 100 === 99 ? turned(hashes[i - 50]) : hash; // one in a hundred is a copy with 8 other bits
        if (near.first(copy, () => true) !== null) found++;
        near.add(copy);
      }
      if (found < Math.floor(hashes.length / 100)) throw new Error(`only ${found} copies were found`);
      return hashes.length;
    },
  },
};

/** Writes `lines` lines in pieces, so that the peak of memory is that of what is measured. */
function writeLines(file, line, head = "") {
  const handle = openSync(file, "w");
  let text = head;
  for (let i = 0; i < lines; i++) {
    text += `${line(i)}\n`;
    if (text.length > 2 ** 20 || i === lines - 1) {
      writeSync(handle, text);
      text = "";
    }
  }
  closeSync(handle);
}

function linkOnce(link) {
  if (!existsSync(link)) symlinkSync("files", link);
}

async function countImages(file) {
  const { counts } = await checkData({ list: file, images: folder, depth: "lists" });
  return Object.values(counts)[0].images;
}

function turned([low, high]) {
  return [(low ^ 0x80402010) >>> 0, (high ^ 0x08040201) >>> 0];
}

const { what, prepare, run } = TASKS[task];
const input = prepare();
const start = process.cpuUsage();
const done = await run(input);
const { user, system } = process.cpuUsage(start);
const seconds = (user + system) / 1e6; // of processors: the wall's depend on what else runs
if (done !== lines) throw new Error(`${task}: ${done} of ${lines} were read`);
console.log(JSON.stringify({ what, seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }));
