import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { describeData } from "../../../src/api/describeData.js";
import { initialConfig } from "../../../src/api/init/initConfig.js";
import { expandPaths } from "../../../src/api/paths.js";
import { DataError } from "../../../src/base/errors.js";
import { openArchive, sha256OfImage } from "../../../src/data/archives/archive.js";
import { createTarWriter } from "../../../src/data/archives/writeTar.js";
import { checkDatabases, checkList } from "../../../src/data/audit/check.js";
import { DataConfig } from "../../../src/data/config.js";
import { decodeImage, DEFAULT_IMAGE_OPTIONS } from "../../../src/data/images/loadImage.js";
import { createImageReader } from "../../../src/data/loader/imageReader.js";
import { openDatabases } from "../../../src/data/openDatabases.js";
import { SUBSETS } from "../../../src/data/sample.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically, pngOf } from "../files.js";

type Members = Readonly<Record<string, string | Uint8Array>>;

/** Writes a tar of these members into a new folder, and returns its path. */
async function tarOf(members: Members, name = "shard-000000.tar", folder = createFolderAtomically()): Promise<string> {
  const file = path.join(folder, name);
  const handle = await open(file, "w");
  const tar = createTarWriter(handle);
  for (const [member, contents] of Object.entries(members)) await tar.add(member, Buffer.from(contents));
  await tar.end();
  await handle.close();
  return file;
}

/** Six samples of pictures with a score in JSON. */
async function samples(): Promise<Members> {
  const members: Record<string, string | Uint8Array> = {};
  for (let i = 0; i < 6; i++) {
    members[`p${i}.png`] = await pngOf(230, 240, i);
    members[`p${i}.json`] = JSON.stringify({ mos: 1 + i / 2, mos_std: 0.5, scene: ["animal"], caption: "not a label" });
  }
  return members;
}

/** Parquet of images inside, as data sets of Hugging Face hold them. */
function parquetOf(
  rows: readonly { bytes: Uint8Array | null; path: string | null; mos: number | null }[],
  groupSize = 2,
): Uint8Array {
  const schema = [
    { name: "root", num_children: 2 },
    { name: "image", num_children: 2, repetition_type: "OPTIONAL" as const },
    { name: "bytes", type: "BYTE_ARRAY" as const, repetition_type: "OPTIONAL" as const },
    {
      name: "path",
      type: "BYTE_ARRAY" as const,
      converted_type: "UTF8" as const,
      repetition_type: "OPTIONAL" as const,
    },
    { name: "mos", type: "DOUBLE" as const, repetition_type: "OPTIONAL" as const },
  ];
  const image = rows.map(({ bytes, path: name }) => (bytes === null && name === null ? null : { bytes, path: name }));
  const columnData = [
    { name: "image", data: image },
    { name: "mos", data: rows.map(({ mos }) => mos) },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData, schema, rowGroupSize: groupSize }));
}

const dataOf = (source: string) => DataConfig.parse({ databases: [{ name: "mine", source, imagesPerStep: 2 }] });

describe("a tar shard", () => {
  it("is a source whose images are read in place, with the scores in their JSON", async () => {
    const members = await samples();
    const shard = await tarOf(members);
    expect(await describeData(shard)).toMatchObject({ format: "webdataset", images: 6, missingImages: 0, ignoredColumns: ["caption"] }); // prettier-ignore
    const [database] = await openDatabases(dataOf(shard), 1);
    const all = SUBSETS.flatMap((subset) => database?.[subset] ?? []);
    expect(new Map(all.map(({ image, mos, mosStd }) => [image, [mos, mosStd]]))).toEqual(
      new Map(Array.from({ length: 6 }, (_, i) => [`shard-000000.tar::p${i}.png`, [1 + i / 2, 0.5]])),
    );
    const folder = createFolderAtomically({ "p3.png": members["p3.png"] ?? "" });
    const third = all.find(({ image }) => image.endsWith("p3.png"));
    const alone = path.join(folder, "p3.png");
    expect(await decodeImage(third?.file ?? "")).toEqual(await decodeImage(alone));
    expect(await sha256OfImage(third?.file ?? "")).toBe(await sha256OfImage(alone));
  });

  it("passes the audit down to the pixels, which finds a picture twice and a damaged one", async () => {
    const members = await samples();
    const png = Buffer.from(members["p4.png"] ?? "");
    const shard = await tarOf({ ...members, "p9.png": png, "p9.json": '{"mos":3}', "q.png": png.subarray(0, 2000), "q.json": '{"mos":3}' }); // prettier-ignore
    const options = { tables: PUBLISHED_LABELS, depth: "pixels", images: DEFAULT_IMAGE_OPTIONS, followLinks: false, report: () => {} } as const; // prettier-ignore
    const { findings } = await checkDatabases(dataOf(path.dirname(shard)), options);
    const listed = await checkList(shard, path.dirname(shard), { ...options, depth: "headers" });
    expect(listed.findings.map(({ kind }) => kind)).not.toContain("line-ends"); // bytes of pictures are no text
    const kinds = findings.filter(({ kind }) => ["copy", "damaged", "missing", "outside", "unreadable"].includes(kind));
    expect(kinds.map(({ kind, image }) => [kind, image])).toEqual([
      ["damaged", "shard-000000.tar::q.png"],
      ["copy", "shard-000000.tar::p9.png"],
    ]);
  });

  it("is read by the loader, with the cache on the disk", async () => {
    const shard = await tarOf(await samples());
    const cache = createFolderAtomically();
    const read = async () => {
      const notes: string[] = [];
      const reader = createImageReader({ ...DEFAULT_IMAGE_OPTIONS, cacheMB: 0, pixelCacheDir: cache, pixelCacheGB: 1 }, (line) => notes.push(line)); // prettier-ignore
      const { source } = await reader.read(`${shard}::p2.png`);
      reader.close();
      return { pixels: Buffer.from(source.pixels), notes };
    };
    const first = await read();
    expect(first.notes).toEqual([]);
    expect((await read()).pixels.equals(first.pixels)).toBe(true);
  });

  it("is one of several that make one list, each subset its own, scores in text files too", async () => {
    const folder = createFolderAtomically();
    const png = await pngOf(224, 224);
    const one = (key: string, score: number) => ({ [`${key}.png`]: png, [`${key}.txt`]: `${score}\n` });
    await tarOf({ ...one("a", 1), ...one("b", 2) }, "train-000000.tar", folder);
    await tarOf({ ...one("c", 3), "d.jpg": png, "d.cls": "4" }, "train-000001.tar", folder);
    await tarOf({ ...one("e", 5) }, "test-000000.tar", folder);
    expect(await describeData(folder)).toMatchObject({ images: 5, ambiguities: [], splits: [{ train: 4, val: 0, test: 1 }] }); // prettier-ignore
    const [database] = await openDatabases(dataOf(folder), 1);
    expect(database?.train.map(({ image, mos }) => [image, mos])).toEqual([
      ["train-000000.tar::a.png", 1],
      ["train-000000.tar::b.png", 2],
      ["train-000001.tar::c.png", 3],
      ["train-000001.tar::d.jpg", 4],
    ]);
    expect((await initialConfig(folder)).warnings).toEqual([]);
  });

  it("is listed by predict's paths as its images", async () => {
    const shard = await tarOf(await samples());
    const { files, problems } = await expandPaths([shard], { recursive: false });
    expect(files).toEqual(Array.from({ length: 6 }, (_, i) => `${shard}::p${i}.png`));
    writeFileSync(shard, readFileSync(shard).subarray(0, 3000));
    expect((await expandPaths([shard], { recursive: false })).problems[0]?.error).toContain("is cut off in p0.png");
    expect(problems).toEqual([]);
  });

  it("has names above 100 bytes, by our writer and by GNU tar's", async () => {
    const long = `${"folder/".repeat(30)}a.png`;
    const ours = await tarOf({ [long]: "x", "b.png": "yz" });
    expect((await openArchive(ours)).names).toEqual([long, "b.png"]);
    const folder = createFolderAtomically({ [`in/${long}`]: "x", "in/b.png": "yz" });
    for (const form of ["gnu", "pax", "ustar"]) {
      const file = path.join(folder, `${form}.tar`);
      execFileSync("tar", ["-cf", file, `--format=${form}`, "-C", path.join(folder, "in"), "b.png", long]);
      const archive = await openArchive(file);
      expect(archive.names).toEqual(["b.png", long]);
      expect((await archive.read("b.png")).toString()).toBe("yz");
      expect((await archive.read(long)).toString()).toBe("x");
    }
    expect(execFileSync("tar", ["-xOf", ours, long]).toString()).toBe("x");
  });
});

describe("a damaged archive is refused by name:", () => {
  it.each<readonly [string, (whole: Buffer) => Buffer, string]>([
    ["cut off in a member", (whole) => whole.subarray(0, 512), "at byte 0: is cut off in p0.png"],
    ["cut off between members", (whole) => whole.subarray(0, 1024), "at byte 1024: is cut off after p0.png"],
    ["without its end", (whole) => whole.subarray(0, -1024), "is cut off after p1.json"],
    ["a changed header", (whole) => Buffer.concat([whole.subarray(0, 10), Buffer.from("?"), whole.subarray(11)]), "at byte 0: has no sound header"], // prettier-ignore
    ["compressed", () => Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(1000, 7)]), "unpack it by gunzip"],
  ])("a tar %s", async (_, damage, message) => {
    const shard = await tarOf({ "p0.png": "x", "p0.json": "{}", "p1.png": "y", "p1.json": '{"mos":2}' });
    writeFileSync(shard, damage(readFileSync(shard)));
    const failed = await describeData(shard).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DataError);
    expect(String(failed)).toContain(`${shard}: `);
    expect(String(failed)).toContain(message);
    await expect(openDatabases(dataOf(shard), 1)).rejects.toThrow(DataError);
  });

  it("a tar of samples with two images, or two JSON files", async () => {
    const png = await pngOf(230, 240, 1);
    const described = async (members: Members) => describeData(await tarOf(members));
    const pair = { "0.ref.png": png, "0.dist.png": png, "0.json": '{"mos":1}' };
    await expect(described(pair)).rejects.toThrow("one sample has several images, 0.ref.png and 0.dist.png");
    const texts = { "0.png": png, "0.meta.json": "{}", "0.json": '{"mos":1}' };
    await expect(described(texts)).rejects.toThrow("several files .json, 0.meta.json and 0.json");
  });

  it("a tar with a name twice, with a link, with JSON that is none, or without a score", async () => {
    const folder = createFolderAtomically({ "p.png": "x" });
    const twice = path.join(folder, "twice.tar");
    execFileSync("tar", ["-cf", twice, "-C", folder, "p.png", "p.png", "--hard-dereference"]);
    await expect(describeData(twice)).rejects.toThrow(`${twice}: has p.png twice`);
    execFileSync("ln", ["-s", "p.png", path.join(folder, "l.png")]);
    const link = path.join(folder, "link.tar");
    execFileSync("tar", ["-cf", link, "-C", folder, "l.png"]);
    await expect(describeData(link)).rejects.toThrow(`${link}: l.png: is a link`);
    const broken = await tarOf({ "a.png": "x", "a.json": '{"mos": 1' });
    await expect(describeData(broken)).rejects.toThrow(`${broken}::a.json:1: is no whole JSON`);
    const without = await tarOf({ "a.png": "x", "a.json": '{"mos": 1}', "b.png": "x" });
    await expect(describeData(without)).rejects.toThrow(`${without}:2: item 2`);
  });
});

describe("Parquet with images inside", () => {
  const rowsOf = async (count: number) =>
    Promise.all(Array.from({ length: count }, async (_, i) => ({ bytes: await pngOf(224, 230, i), path: `p${i}.png`, mos: 1 + i / 2 }))); // prettier-ignore

  it("is a source whose images are read in place, one group of rows after the other", async () => {
    const rows = await rowsOf(7);
    const folder = createFolderAtomically({ "train-00000-of-00001.parquet": parquetOf(rows, 3) });
    expect(await describeData(folder)).toMatchObject({ format: "parquet", images: 7, missingImages: 0 });
    const [database] = await openDatabases(dataOf(folder), 1);
    const all = SUBSETS.flatMap((subset) => database?.[subset] ?? []);
    for (const [i, { bytes, mos }] of rows.entries()) {
      const sample = all.find(({ image }) => image.endsWith(`::p${i}.png`));
      expect(sample?.mos).toBe(mos);
      expect(await decodeImage(sample?.file ?? "")).toEqual(await decodeImage({ name: "", bytes }));
    }
  });

  it("names a row without an image, without a score, without bytes, and two of one name", async () => {
    const [first, second] = await rowsOf(2);
    if (first === undefined || second === undefined) throw new Error("no rows");
    const described = async (rows: Parameters<typeof parquetOf>[0]) => {
      const folder = createFolderAtomically({ "d.parquet": parquetOf(rows) });
      return describeData(path.join(folder, "d.parquet"));
    };
    await expect(described([first, { bytes: null, path: null, mos: 2 }])).rejects.toThrow(/d.parquet:2: item 2 has no image that/); // prettier-ignore
    await expect(described([first, { ...second, mos: null }])).rejects.toThrow(/d.parquet:2: item 2 .*has no mos with a score/); // prettier-ignore
    await expect(described([first, { ...second, path: "p0.png" }])).rejects.toThrow(/rows 0 and 1 are both p0.png/);
    const folder = createFolderAtomically({ "d.parquet": parquetOf([first, { ...second, bytes: null }]) });
    await expect(decodeImage(path.join(folder, "d.parquet::p1.png"))).rejects.toThrow("row 1 (p1.png) has no bytes");
  });
});
