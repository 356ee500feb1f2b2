import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { SILENT } from "../../../src/base/types.js";
import { tmpdir } from "node:os";
import path from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkDatabases } from "../../../src/data/audit/check.js";
import { synthesizeDatabase } from "../../../src/data/synthesis/synthesizeDatabase.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically } from "../files.js";
import { encoder, picture } from "./pictures.js";

const CONTENTS = 6;

/** A small database as `liqe data synthesize` makes it: six pictures, ten versions of each, two splits. */
async function synthesize(root: string): Promise<void> {
  const photos = createFolderAtomically();
  for (let i = 0; i < CONTENTS; i++) {
    await encoder(picture(`content${i}`))
      .png()
      .toFile(path.join(photos, `p${i}.png`));
  }
  const folder = path.join(root, "photos");
  const settings = { photos, out: folder, seed: 1, perContent: 10, splits: 2, version: "0.0.0", workers: 1 };
  await synthesizeDatabase(settings, SILENT);
}

let original = "";
beforeAll(async () => {
  original = mkdtempSync(path.join(tmpdir(), "liqe-planted-"));
  await synthesize(original);
}, 120_000);
afterAll(() => {
  rmSync(original, { recursive: true });
});

/** A copy to plant faults in. */
function synthesized(): { root: string; folder: string } {
  const root = createFolderAtomically();
  cpSync(original, root, { recursive: true });
  return { root, folder: path.join(root, "photos") };
}

const listOf = (folder: string, subset: string, split = 1) =>
  path.join(folder, "splits2", String(split), `photos_${subset}_clip.txt`);
const rowsOf = (file: string) => readFileSync(file, "utf8").trimEnd().split("\n");
const check = (root: string) =>
  checkDatabases(
    { root, databases: [{ name: "photos", imagesPerStep: 4 }] },
    { tables: PUBLISHED_LABELS, followLinks: false },
  );

/** Kind and image of what was found, apart from notes on the labels, each once. */
async function found(root: string): Promise<string[]> {
  const { findings } = await check(root);
  const kept = findings.filter(
    ({ kind, severity }) => !(kind === "skew" || kind === "unlabelled") || severity === "error",
  );
  return [...new Set(kept.map(({ kind, severity, image }) => `${severity} ${kind} ${image ?? ""}`.trim()))].sort();
}

/** CRC-32 as in PNG's specification, annex D. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** A PNG of one grey, compressed to some hundred kilobytes; row by row, so that it is quick to make. */
function flatPng(rows: number, cols: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(cols, 0);
  header.writeUInt32BE(rows, 4);
  header.set([8, 0, 0, 0, 0], 8); // 8-bit grey, not interlaced
  const pixels = deflateSync(Buffer.alloc(rows * (cols + 1)), { level: 1 });
  const magic = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([magic, chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))]);
}

describe("data check on a synthesized database", () => {
  it("finds nothing wrong with it as it is", async () => {
    const { root } = synthesized();
    expect(await found(root)).toEqual([]);
  });

  it("finds and names every planted fault", async () => {
    const { root, folder } = synthesized();
    const at = (image: string) => path.join(folder, image);
    const line = (image: string) => `${image}\t3\tinvalid\tinvalid\tinvalid\tinvalid\n`;
    const train = listOf(folder, "train");
    const [first = "", second = ""] = rowsOf(train).map((row) => row.split("\t")[0] ?? "");
    const jpeg = await encoder(picture("truncated")).jpeg().toBuffer();
    writeFileSync(at("truncated.jpg"), jpeg.subarray(0, jpeg.length >> 1));
    await encoder(picture("renamed")).png().toFile(at("renamed.jpg"));
    await encoder(picture("small", 200, 200))
      .png()
      .toFile(at("small.png"));
    copyFileSync(at(first), at("copy.png"));
    await encoder(picture("content3")).jpeg({ quality: 60 }).toFile(at("original.jpg"));
    const { default: sharp } = await import("sharp");
    await sharp(at("original.jpg")).resize({ width: 250 }).jpeg({ quality: 50 }).toFile(at("reencoded.jpg"));
    const elsewhere = createFolderAtomically({ "secret.png": readFileSync(at(second)) });
    symlinkSync(path.join(elsewhere, "secret.png"), at("link.png"));
    writeFileSync(at("huge.png"), flatPng(20_000, 15_000));
    writeFileSync(at("text.jpg"), "not a picture\n");
    const outside = [line("../secret.png"), line(path.join(elsewhere, "secret.png"))];
    const planted = ["truncated.jpg", "renamed.jpg", "small.png", "original.jpg", "link.png", "huge.png", "text.jpg"];
    appendFileSync(train, [...planted.map(line), ...outside].join(""));
    appendFileSync(listOf(folder, "test"), line("copy.png") + line("reencoded.jpg"));
    appendFileSync(train, line("gone.png"));
    const turned = rowsOf(listOf(folder, "train", 2)).map((row) => {
      const [image, mos, ...labels] = row.split("\t");
      return [image, (6 - Number(mos)).toFixed(4), ...labels].join("\t");
    });
    writeFileSync(listOf(folder, "train", 2), `${turned.join("\n")}\n`);
    writeFileSync(listOf(folder, "val"), `${rowsOf(listOf(folder, "val")).join("\r\n")}\r\n`);
    writeFileSync(listOf(folder, "val", 2), `\uFEFF${readFileSync(listOf(folder, "val", 2), "utf8")}`);

    const all = await found(root);
    const disagreeing = all.filter((finding) => finding.startsWith("warning disagreement"));
    expect(disagreeing).toHaveLength(turned.length); // each score of the turned list is another than elsewhere
    // "original.jpg" is of a photograph whose versions may stand in other lists: near them, and not planted
    const rest = all.filter((finding) => !disagreeing.includes(finding) && !/near-copy images\//.test(finding));
    expect(rest).toEqual(
      [
        "error damaged truncated.jpg",
        "warning extension renamed.jpg",
        "error small small.png",
        "error copy copy.png",
        "warning near-copy reencoded.jpg",
        "error polarity",
        "note line-ends",
        "note bom",
        "error path ../secret.png",
        `error path ${path.join(elsewhere, "secret.png")}`,
        "error outside link.png",
        "error large huge.png",
        "error unreadable text.jpg",
        "error missing gone.png",
      ].sort(),
    );
  });

  it("refuses a PNG of 300 megapixels by its header, without decoding it", async () => {
    const folder = createFolderAtomically({ "huge.png": flatPng(20_000, 15_000), "l.csv": "image,mos\nhuge.png,1\n" });
    const { checkList } = await import("../../../src/data/audit/check.js");
    const before = process.resourceUsage().maxRSS;
    const { findings } = await checkList(path.join(folder, "l.csv"), folder, { tables: PUBLISHED_LABELS });
    const grownMB = (process.resourceUsage().maxRSS - before) / 1024;
    expect(findings.map(({ kind }) => kind)).toContain("large");
    expect(findings.find(({ kind }) => kind === "large")?.message).toContain("15000 x 20000 pixels are more than");
    expect(grownMB).toBeLessThan(100); // decoded it takes 900 MB
  });
});
