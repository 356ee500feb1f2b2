/**
 * Summary of the split lists that the LIQE authors published: for each database its number of images, the range of MOS,
 * and each type of distortion with the first image of every kind of path that has it.
 *
 *     node scripts/reference/published_lists.mjs FOLDER > test/fixtures/databases/published.json
 *
 * With `--fingerprints`: what tells their test lists, and all images of each database, from other lists:
 *
 *     node scripts/reference/published_lists.mjs FOLDER --fingerprints > src/data/databases/fingerprints.ts
 *
 * FOLDER holds the databases' folders of github.com/zwx8981/LIQE, IQA_Database/, with their splits2/.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDERS = {
  live: "databaserelease2",
  csiq: "CSIQ",
  kadid10k: "kadid10k",
  bid: "BID",
  clive: "ChallengeDB_release",
  koniq10k: "koniq-10k",
};

const [root = ".", mode] = process.argv.slice(2);
const madeBy = "scripts/reference/published_lists.mjs from the lists of github.com/zwx8981/LIQE";
if (mode === "--fingerprints") writeFingerprints();
else {
  const databases = Object.entries(FOLDERS).map(([name, folder]) => [name, summary(name, splitsOf(folder))]);
  process.stdout.write(`${JSON.stringify({ madeBy, databases: Object.fromEntries(databases) }, null, 2)}\n`);
}

function splitsOf(folder) {
  return join(root, folder, "splits2");
}

function lines(file) {
  return readFileSync(file, "utf8").split(/\r?\n/).filter(Boolean);
}

function splitNumbers(folder) {
  return readdirSync(folder).filter((entry) => /^\d+$/.test(entry)).sort((a, b) => a - b); // prettier-ignore
}

function writeFingerprints() {
  const databases = Object.entries(FOLDERS).map(([name, folder]) => {
    const splits = splitNumbers(splitsOf(folder));
    const rows = (split, subset) => lines(join(splitsOf(folder), split, `${name}_${subset}_clip.txt`));
    const wholes = splits.map((split) =>
      fingerprint(["train", "val", "test"].flatMap((subset) => rows(split, subset))),
    );
    if (new Set(wholes).size !== 1) throw new Error(`${name}: its splits hold different images`);
    const tests = splits.map((split) => `    "${fingerprint(rows(split, "test"))}",\n`);
    return `  ${name}: {\n    whole: "${wholes[0]}",\n    tests: [\n${tests.join("").replaceAll(/^/gm, "  ").trimEnd()}\n    ],\n  },\n`;
  });
  process.stdout.write(
    `/**\n * Fingerprints of the lists that LIQE's figures are of, its authors' own: each split's test images, and all images of a\n` +
      ` * database. Made by ${madeBy}.\n */\n` +
      `export const FINGERPRINTS = {\n${databases.join("")}} as const;\n`,
  );
}

/** Number of images, and the first half of the SHA-256 of their sorted names and scores: `publishedLists.ts` has the same. */
function fingerprint(list) {
  const rows = list.map((line) => line.split("\t")).map(([image, mos]) => `${image}\t${Number(mos).toFixed(6)}\n`);
  return `${rows.length} ${createHash("sha256").update(rows.sort().join("")).digest("hex").slice(0, 32)}`;
}

function summary(name, folder) {
  const splits = splitNumbers(folder);
  const rows = new Map();
  for (const split of splits) {
    for (const subset of ["train", "val", "test"]) {
      for (const line of lines(join(folder, split, `${name}_${subset}_clip.txt`))) {
        const [image, mos, distortion, ...scenes] = line.split("\t");
        rows.set(image, { image, mos: Number(mos), distortion, scenes: scenes.filter((s) => s.trim() !== "invalid") });
      }
    }
  }
  const sorted = [...rows.values()].sort((a, b) => (a.image < b.image ? -1 : 1));
  const mos = sorted.map((row) => row.mos);
  return {
    images: sorted.length,
    mos: [Math.min(...mos), Math.max(...mos)],
    scenes: [...new Set(sorted.flatMap((row) => row.scenes))].sort(),
    types: typesOf(sorted),
  };
}

/** [example, type, images] of each type among the paths of one kind: those that differ in no more than their content. */
function typesOf(rows) {
  const kinds = new Map();
  for (const { image, distortion } of rows) {
    const folder = image.slice(0, image.lastIndexOf("/"));
    const number = /_(\d\d)_\d\d\.png$/.exec(image)?.[1] ?? "";
    const key = [folder, number, distortion].join("\t");
    const [example, type, images] = kinds.get(key) ?? [image, distortion, 0];
    kinds.set(key, [example, type, images + 1]);
  }
  return [...kinds.values()];
}
