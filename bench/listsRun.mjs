/** One measurement of lists.mjs: TASK LINES FOLDER; prints { what, seconds, peakBytes }. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expandPaths } from "../dist/api/paths.js";
import { checkData } from "../dist/api/checkData.js";
import { seededRandom } from "../dist/base/random.js";
import { STANDARD_INPUT } from "../dist/base/text.js";
import { NearHashes } from "../dist/data/audit/duplicates.js";

const [task = "", count = "0", folder = ""] = process.argv.slice(2);
const lines = Number(count);
const SCENES = ["animal", "cityscape", "human", "indoor", "landscape"];
const TYPES = ["gaussian blur", "white noise", "jpeg compression"];
const numbers = Array.from({ length: lines }, (_, i) => i);

const TASKS = {
  paths: {
    what: "paths of `predict -`, each looked up on the disk",
    prepare: () => {
      const photos = path.join(folder, "photos");
      mkdirSync(photos, { recursive: true });
      for (let i = 0; i < 1000; i++) writeFileSync(path.join(photos, `${i}.jpg`), "");
      return numbers.map((i) => path.join(photos, `${i % 1000}.jpg`)).join("\n");
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
      writeFileSync(file, numbers.map((i) => line(i).join("\t")).join("\n"));
      return file;
    },
    run: countImages,
  },
  csv: {
    what: "`data check --lists-only`, a CSV",
    prepare: () => {
      const file = path.join(folder, "list.csv");
      const line = (i) => `images/${i >> 7}/${i}.png,${1 + (i % 400) / 100},.5,${TYPES[i % 3]},${SCENES[i % 5]}`;
      writeFileSync(file, ["image,mos,mos_std,distortion,scene", ...numbers.map(line)].join("\n"));
      return file;
    },
    run: countImages,
  },
  near: {
    what: "near copies: all pairs within 8 of 63 bits",
    prepare: () => {
      const random = seededRandom(1, "hashes");
      return numbers.map(() => [random.integer(2 ** 32), random.integer(2 ** 31)]);
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
