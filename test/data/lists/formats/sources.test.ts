import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { describeData } from "../../../../src/api/describeData.js";
import { PACKAGE_ROOT } from "../../../../src/base/packageInfo.js";
import { DataError } from "../../../../src/base/errors.js";
import { checkDatabases } from "../../../../src/data/audit/check.js";
import { DataConfig } from "../../../../src/data/config.js";
import { readList } from "../../../../src/data/lists/readList.js";
import { openDatabases, recordRandomSplits } from "../../../../src/data/openDatabases.js";
import { type Sample, SUBSETS } from "../../../../src/data/sample.js";
import { PUBLISHED_LABELS } from "../../../../src/model/prompts/labels.js";
import { createFolderAtomically } from "../../files.js";

/** File that scripts/reference/parquet_lists.py made. */
const fixture = (name: string) => readFileSync(path.join(PACKAGE_ROOT, "test", "fixtures", "lists", name));

/** The list that every fixture is made from: ten images with a score of 1 to 5 and its deviation. */
const ROWS = Array.from({ length: 10 }, (_, i) => {
  return { name: `p${i}.jpg`, ref: `r${i % 5}.jpg`, mos: 1.25 + 0.375 * i, std: 0.4 + 0.01 * i, type: "blur" };
});
type Row = (typeof ROWS)[number];

const OWN = `image,mos,mos_std\n${ROWS.map(({ name, mos, std }) => `images/${name},${mos},${std}\n`).join("")}`;
const IMAGES = Object.fromEntries(ROWS.map(({ name }) => [`images/${name}`, "x"]));

const lines = (of: (row: Row, i: number) => string, header = "") =>
  `${header === "" ? "" : `${header}\n`}${ROWS.map(of).join("\n")}\n`;
const json = (of: (row: Row, i: number) => unknown, rows: readonly Row[] = ROWS) =>
  JSON.stringify(
    rows.map((row) => of(row, ROWS.indexOf(row))),
    null,
    2,
  );

/** `{1: {"train": [0..5], "val": [6, 7], "test": [8, 9]}, 2: {"train": [4..9], "val": [2, 3], "test": [0, 1]}}` by Python 3. */
const PICKLES = {
  2: "gAJ9cQAoSwF9cQEoWAUAAAB0cmFpbnECXXEDKEsASwFLAksDSwRLBWVYAwAAAHZhbHEEXXEFKEsGSwdlWAQAAAB0ZXN0cQZdcQcoSwhLCWV1SwJ9cQgoaAJdcQkoSwRLBUsGSwdLCEsJZWgEXXEKKEsCSwNlaAZdcQsoSwBLAWV1dS4=",
  4: "gASVbAAAAAAAAAB9lChLAX2UKIwFdHJhaW6UXZQoSwBLAUsCSwNLBEsFZYwDdmFslF2UKEsGSwdljAR0ZXN0lF2UKEsISwlldUsCfZQoaAJdlChLBEsFSwZLB0sISwllaARdlChLAksDZWgGXZQoSwBLAWV1dS4=",
  5: "gAWVbAAAAAAAAAB9lChLAX2UKIwFdHJhaW6UXZQoSwBLAUsCSwNLBEsFZYwDdmFslF2UKEsGSwdljAR0ZXN0lF2UKEsISwlldUsCfZQoaAJdlChLBEsFSwZLB0sISwllaARdlChLAksDZWgGXZQoSwBLAWV1dS4=",
} as const;
/** `print("hello")` as an object's way to come back, in protocols 2 and 4; and a split with row 400. */
const HOSTILE = ["gAJjX19idWlsdGluX18KcHJpbnQKcQBYBQAAAGhlbGxvcQGFcQJScQMu", "gASVIgAAAAAAAACMCGJ1aWx0aW5zlIwFcHJpbnSUk5SMBWhlbGxvlIWUUpQu"]; // prettier-ignore
const FAR_ROW = "gASVNAAAAAAAAAB9lEsBfZQojAV0cmFpbpRdlChLAEsBTZABZYwDdmFslF2UjAR0ZXN0lF2UKEsISwlldXMu";

const TWO_SPLITS = [
  { train: [0, 1, 2, 3, 4, 5], val: [6, 7], test: [8, 9] },
  { train: [4, 5, 6, 7, 8, 9], val: [2, 3], test: [0, 1] },
];
const [FIRST] = TWO_SPLITS;

/** NumPy array of version 1, int64. */
function npy(rows: readonly (readonly number[])[]): Buffer {
  const columns = rows[0]?.length ?? 0;
  const header = `{'descr': '<i8', 'fortran_order': False, 'shape': (${rows.length}, ${columns}), }`.padEnd(117) + "\n";
  const start = Buffer.from("\x93NUMPY\x01\x00", "latin1");
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  const data = Buffer.alloc(8 * rows.length * columns);
  rows.flat().forEach((value, i) => data.writeBigInt64LE(BigInt(value), 8 * i));
  return Buffer.concat([start, length, Buffer.from(header, "latin1"), data]);
}

const padded = (rows: readonly number[]) => [...rows, ...Array<number>(8 - rows.length).fill(-1)];
const arrays = Object.fromEntries(
  SUBSETS.map((subset) => [`splits/${subset}.npy`, npy(TWO_SPLITS.map((split) => padded(split[subset])))]),
);

const subsetAt = (i: number) => SUBSETS.find((subset) => FIRST?.[subset].includes(i) === true) ?? "";
const part = (subset: (typeof SUBSETS)[number]) => ROWS.filter((_, i) => FIRST?.[subset].includes(i) === true);
const highest = Math.max(...ROWS.map(({ mos }) => mos));
const turned = (row: Row) => Number((highest - row.mos).toFixed(10));

interface Case {
  readonly title: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** The file that is named; the folder by default. */
  readonly file?: string;
  readonly format: string;
  readonly database?: string;
  readonly column: string;
  readonly deviation?: string | null;
  readonly splits?: readonly Readonly<Record<(typeof SUBSETS)[number], readonly number[]>>[];
  readonly mos?: (row: Row) => number;
  readonly mosStd?: (row: Row) => number;
  readonly direction?: "lower";
  readonly groups?: number;
  readonly ignored?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    title: "IQA-PyTorch's KonIQ-10k with a column of splits in numbers",
    files: {
      "meta_info_KonIQ10kDataset.csv": lines(({ name, mos, std }, i) => `${name},${mos},${std},${SUBSETS.indexOf(subsetAt(i) as "val")},0,0,1,0,0,1`, "img_name,mos,std,split,c1,c2,c3,c4,c5,c_total"), // prettier-ignore
    },
    ...{ file: "meta_info_KonIQ10kDataset.csv", format: "iqa-pytorch", database: "koniq10k", column: "mos" },
    ...{ deviation: "std", splits: TWO_SPLITS.slice(0, 1), ignored: ["c1", "c2", "c3", "c4", "c5", "c_total"] },
  },
  {
    title: "IQA-PyTorch's splits in words under official_split",
    files: { "meta.csv": lines(({ name, mos, std }, i) => `${name},${mos},${std},${subsetAt(i)}`, "img_name,mos,std,official_split") }, // prettier-ignore
    ...{ format: "iqa-pytorch", column: "mos", deviation: "std", splits: TWO_SPLITS.slice(0, 1) },
  },
  {
    title: "IQA-PyTorch's numbered columns of splits in both spellings",
    files: { "meta.csv": lines(({ name, mos, std }, i) => `${name},${mos},${std},${TWO_SPLITS.map((split) => SUBSETS.findIndex((subset) => split[subset].includes(i))).join(",")}`, "img_name,mos,std,ratio802_seed123_split_01,ratio802_seed123_split02") }, // prettier-ignore
    ...{ format: "iqa-pytorch", column: "mos", deviation: "std", splits: TWO_SPLITS },
  },
  ...([2, 4, 5] as const).map((protocol): Case => {
    return {
      title: `IQA-PyTorch's splits in a pickle of protocol ${protocol}`,
      files: {
        "meta_info_SPAQ.csv": lines(({ name, mos }) => `${name},${mos},1,2`, "Image name,MOS,Brightness,Colorfulness"),
        "spaq_seed123.pkl": Buffer.from(PICKLES[protocol], "base64"),
      },
      ...{ format: "iqa-pytorch", database: "spaq", column: "MOS", deviation: null, splits: TWO_SPLITS },
    };
  }),
  {
    title: "IQA-PyTorch's references, with the MOS by position",
    files: {
      "meta.csv": lines(({ name, ref, mos, std }) => `${ref},${name},${mos},${std}`, "ref_name,dist_name,mos,std"),
    },
    ...{ format: "iqa-pytorch", column: "mos", deviation: "std", groups: 5 },
  },
  {
    title: "IQA-PyTorch's CSIQ, whose dmos is turned once",
    files: { "meta_info_CSIQDataset.csv": lines(({ name, ref, mos }) => `${ref},${name},${mos / 10}`, "ref_name,dist_name,dmos") }, // prettier-ignore
    ...{ format: "iqa-pytorch", database: "csiq", column: "dmos", deviation: null, direction: "lower", groups: 5 },
    mos: ({ mos }) => Number((1 - mos / 10).toFixed(10)),
  },
  {
    title: "IQA-PyTorch's LIVE, whose mos is DMOS",
    files: {
      "meta_info_LIVEDataset.csv": lines(({ name, ref, mos }) => `${ref},${name},${mos}`, "ref_name,dist_name,mos"),
    },
    ...{ format: "iqa-pytorch", database: "live", column: "mos", deviation: null, direction: "lower", groups: 5 },
    mos: turned,
  },
  {
    title: "IQA-PyTorch's KADID-10k, whose dmos is higher-better and whose std is the variance",
    files: { "meta_info_KADID10kDataset.csv": lines(({ name, ref, mos, std }) => `${ref},${name},${mos},${std}`, "ref_name,dist_name,dmos,std") }, // prettier-ignore
    ...{ format: "iqa-pytorch", database: "kadid10k", column: "dmos", deviation: "std", groups: 5 },
    mosStd: ({ std }) => Math.sqrt(std),
  },
  {
    title: "IQA-PyTorch's rule of places where neither name is known",
    files: { "meta.csv": lines(({ name, mos, std }) => `${name},${mos},${std}`, "photo,opinion,std") },
    ...{ format: "iqa-pytorch", column: "opinion", deviation: "std" },
  },
  {
    title: "rows without a header, separated by commas",
    files: { "scores.txt": lines(({ name, mos }) => `${name},${mos}`) },
    ...{ format: "iqa-pytorch", column: "column 2", deviation: null },
  },
  {
    title: "semicolons, blanks around cells and a byte order mark",
    files: { "scores.csv": `\uFEFF${lines(({ name, mos, std }) => `${name} ; ${mos} ; ${std}`, "image;MOS;SD")}` },
    ...{ format: "iqa-pytorch", column: "MOS", deviation: "SD" },
  },
  {
    title: "DeQA-Score's mos.json with split.json",
    files: {
      "metas/mos.json": JSON.stringify(Object.fromEntries(ROWS.map(({ name, mos, std }) => [name, { mos: String(mos), std: String(std) }]))), // prettier-ignore
      "metas/split.json": JSON.stringify({ train: part("train").map(({ name }) => name), test: part("test").map(({ name }) => name) }), // prettier-ignore
    },
    ...{
      format: "deqa-score",
      column: "mos",
      deviation: "std",
      splits: [{ ...(FIRST ?? { train: [], test: [] }), val: [] }],
    },
  },
  {
    title: "DeQA-Score's training and test lists",
    files: {
      "train_koniq_7k.json": json(({ name, mos, std }) => ({ id: `${name}->${mos}`, image: `KONIQ/images/${name}`, gt_score: mos, gt_score_norm: 3, level_probs: [0, 0, 1, 0, 0], std, std_norm: 0.2, conversations: [{ from: "human", value: "?" }] }), part("train")), // prettier-ignore
      "val_koniq_1k.json": json(({ name, mos, std }) => ({ id: name, image: `KONIQ/images/${name}`, gt_score: mos, gt_score_norm: 3, std, std_norm: 0.2 }), part("val")), // prettier-ignore
      "test_koniq_2k.json": json(({ name, mos, std }) => ({ id: name, image: `KONIQ/images/${name}`, gt_score: mos, gt_score_norm: 3, std, std_norm: 0.2 }), part("test")), // prettier-ignore
    },
    ...{
      format: "deqa-score",
      database: "koniq10k",
      column: "gt_score",
      deviation: "std",
      splits: TWO_SPLITS.slice(0, 1),
    },
  },
  {
    title: "DeQA-Score's folder: lists beside mos.json and split.json",
    files: {
      "metas/mos.json": JSON.stringify(Object.fromEntries(ROWS.map(({ name, mos, std }) => [name, { mos: String(mos), std: String(std) }]))), // prettier-ignore
      "metas/split.json": JSON.stringify(Object.fromEntries(SUBSETS.map((subset) => [subset, part(subset).map(({ name }) => name)]))), // prettier-ignore
      ...Object.fromEntries(SUBSETS.map((subset) => [`metas/${subset}_koniq.json`, json(({ name, mos, std }) => ({ id: name, image: `KONIQ/images/${name}`, gt_score: mos, gt_score_norm: 3, std, std_norm: 0.2 }), part(subset))])), // prettier-ignore
    },
    ...{
      format: "deqa-score",
      database: "koniq10k",
      column: "gt_score",
      deviation: "std",
      splits: TWO_SPLITS.slice(0, 1),
    },
  },
  {
    title: "DeQA-Score's list of one line, its numbers as strings",
    files: { "train_spaq_9k.json": JSON.stringify(ROWS.map(({ name, mos, std }) => ({ image: `SPAQ/images/${name}`, gt_score: `${mos}`, gt_score_norm: 3, std: `${std}` }))) }, // prettier-ignore
    ...{ file: "train_spaq_9k.json", format: "deqa-score", database: "spaq", column: "gt_score", deviation: "std" },
  },
  {
    title: "Q-Align's training list, with the score in the id alone",
    files: { "train.json": json(({ name, mos }) => ({ id: `${name}->${mos}`, image: name, conversations: [{ from: "human", value: "?" }] })) }, // prettier-ignore
    ...{ file: "train.json", format: "q-align", column: "id", deviation: null },
  },
  {
    title: "Q-Align's test list with gt_score",
    files: { "test.json": json(({ name, mos }) => ({ id: name, image: name, gt_score: mos, conversations: [] })) },
    ...{ file: "test.json", format: "q-align", column: "gt_score", deviation: null },
  },
  {
    title: "Q-Align's splits of a database in numbered files",
    files: Object.fromEntries(
      TWO_SPLITS.flatMap(
        (split, n) =>
        SUBSETS.map((subset) => [`ft/${subset}_split_${n + 1}.json`, json(({ name, mos }) => ({ image: name, gt_score: mos, id: name, conversations: [] }), ROWS.filter((_, i) => split[subset].includes(i)))]), // prettier-ignore
      ),
    ),
    ...{ format: "q-align", column: "gt_score", deviation: null, splits: TWO_SPLITS },
  },
  ...[
    ["numbers with a blank behind them", (mos: number) => `${mos} `],
    ["numbers as strings", (mos: number) => String(mos)],
    ["plain numbers", (mos: number) => mos],
  ].map(([title, write]): Case => {
    const score = write as (mos: number) => string | number;
    return {
      title: `Q-Bench's list of ${String(title)}`,
      files: { "koniq.json": json(({ name, mos }) => ({ img_path: name, gt_score: score(mos) })) },
      ...{ format: "q-bench", database: "koniq10k", column: "gt_score", deviation: null },
    };
  }),
  {
    title: "Compare2Score's test list",
    files: { "bid_test.json": json(({ name, mos, std }) => ({ image: name, gt_score: mos, std })) },
    ...{ file: "bid_test.json", format: "compare2score", database: "bid", column: "gt_score", deviation: "std" },
  },
  {
    title: "Compare2Score's list without line breaks, deeper paths",
    files: { "koniq10k_test.json": JSON.stringify(ROWS.map(({ name, mos, std }) => ({ image: `512x384/images/${name}`, gt_score: mos, std }))) }, // prettier-ignore
    ...{
      file: "koniq10k_test.json",
      format: "compare2score",
      database: "koniq10k",
      column: "gt_score",
      deviation: "std",
    },
  },
  {
    title: "Compare2Score's numbered folders",
    files: Object.fromEntries(
      TWO_SPLITS.flatMap(
        (split, n) =>
        SUBSETS.map((subset) => [`${n + 1}/koniq10k_${subset}.json`, json(({ name, mos, std }) => ({ image: name, gt_score: mos, std }), ROWS.filter((_, i) => split[subset].includes(i)))]), // prettier-ignore
      ),
    ),
    ...{ format: "compare2score", database: "koniq10k", column: "gt_score", deviation: "std", splits: TWO_SPLITS },
  },
  {
    title: "IQA-Dataset's list of photographs",
    files: {
      "SPAQ.txt": lines(({ name, mos }) => `SPAQ/TestImage/${name},Authentic,${mos}`, "dis_img_path,dis_type,score"),
    },
    ...{ format: "iqa-dataset", database: "spaq", column: "score", deviation: null },
  },
  {
    title: "IQA-Dataset's list with references and types",
    files: { "KADID-10k.txt": lines(({ name, ref, mos }) => `kadid10k/images/${name},blur,kadid10k/images/${ref},${mos}`, "dis_img_path,dis_type,ref_img_path,score") }, // prettier-ignore
    ...{ format: "iqa-dataset", database: "kadid10k", column: "score", deviation: null, groups: 5 },
  },
  {
    title: "IQA-Dataset's LIVE, whose score is DMOS",
    files: { "LIVE.txt": lines(({ name, ref, mos }) => `LIVE/wn/${name},wn,LIVE/refimgs/${ref},${mos}`, "dis_img_path,dis_type,ref_img_path,score") }, // prettier-ignore
    ...{ format: "iqa-dataset", database: "live", column: "score", deviation: null, direction: "lower", groups: 5 },
    mos: turned,
  },
  {
    title: "VisualQuality-R1's sets of references, images, scores and deviations",
    files: Object.fromEntries(
      SUBSETS.map((subset) => [`KADID_${subset}_set.txt`, part(subset).map(({ name, ref, mos, std }) => `${ref} ${name} ${mos} ${std}\n`).join("")]), // prettier-ignore
    ),
    ...{ format: "visualquality-r1", database: "kadid10k", column: "column 3", deviation: "column 4", groups: 5 },
    splits: TWO_SPLITS.slice(0, 1),
  },
  {
    title: "VisualQuality-R1's images with score and deviation",
    files: { "SPAQ_test_all.txt": lines(({ name, mos, std }) => `${name} ${mos} ${std}`) },
    ...{
      file: "SPAQ_test_all.txt",
      format: "visualquality-r1",
      database: "spaq",
      column: "column 2",
      deviation: "column 3",
    },
  },
  {
    title: "VisualQuality-R1's references, images and scores, blanks of any width",
    files: { "Deblur_test_all.txt": lines(({ name, ref, mos }) => `${ref}   ${name}\t ${mos}`.replace("\t", " ")) },
    ...{ file: "Deblur_test_all.txt", format: "visualquality-r1", column: "column 3", deviation: null, groups: 5 },
  },
  {
    title: "VisualQuality-R1's conversations in JSON lines",
    files: { "RL.jsonl": lines(({ name, mos }, i) => JSON.stringify({ id: i, dataset_name: "x", image: [name], conversations: [{ from: "human", value: "?" }, { from: "gpt", value: mos }] })) }, // prettier-ignore
    ...{ format: "visualquality-r1", column: "conversations", deviation: null },
  },
  {
    title: "ARNIQA's arrays of rows, padded with -1, beside a list",
    files: { "scores.csv": lines(({ name, mos }) => `${name},${mos}`, "image_name,MOS"), ...arrays },
    ...{ format: "iqa-pytorch", column: "MOS", deviation: null, splits: TWO_SPLITS },
  },
  {
    title: "an image folder's metadata.csv",
    files: { "images/metadata.csv": lines(({ name, mos, std }) => `${name},${mos},${std}`, "file_name,mos,mos_std") },
    ...{ format: "image-folder", column: "mos", deviation: "mos_std" },
  },
  {
    title: "an image folder's metadata.jsonl above the images",
    files: { "metadata.jsonl": lines(({ name, mos, std }) => JSON.stringify({ file_name: `images/${name}`, mos, mos_std: std })) }, // prettier-ignore
    ...{ format: "image-folder", column: "mos", deviation: "mos_std" },
  },
  ...["metadata", "metadata-gzip"].map((name): Case => {
    return {
      title: `an image folder's metadata.parquet (${name})`,
      files: { "metadata.parquet": fixture(`${name}.parquet`) },
      ...{ format: "image-folder", column: "mos", deviation: "mos_std", ignored: ["views"] },
    };
  }),
  {
    title: "our own list",
    files: { "list.csv": OWN },
    ...{ format: "list", column: "mos", deviation: "mos_std" },
  },
];

const BLUR = Object.keys(PUBLISHED_LABELS.distortions).indexOf("blur");

const byName = (samples: readonly Sample[]) =>
  Object.fromEntries(samples.map(({ file, mos, mosStd }) => [path.relative(path.dirname(file), file), [mos, mosStd]]));

function openCase({ files, file = "" }: Pick<Case, "files" | "file">, entry: Record<string, unknown> = {}) {
  const folder = createFolderAtomically({ ...IMAGES, ...files });
  const source = path.join(folder, file);
  const data = DataConfig.parse({ databases: [{ name: "mine", source, imagesPerStep: 2, ...entry }] });
  return { folder, source, data };
}

describe("a source", () => {
  it.each(CASES)("is described: $title", async (one) => {
    const { source } = openCase(one);
    const told = await describeData(source);
    const shown = one.splits?.map(({ train, val, test }) => ({
      train: train.length,
      val: val.length,
      test: test.length,
    }));
    const { column, direction } = told.scores;
    expect(told).toMatchObject({ format: one.format, database: one.database ?? null, images: 10, missingImages: 0 });
    expect({ column, direction }).toEqual({ column: one.column, direction: one.direction ?? "higher" });
    expect(told.deviations?.column ?? null).toBe(one.deviation ?? null);
    expect(told.splits).toEqual(shown ?? []);
    expect(told.ambiguities).toEqual([]);
    if (one.groups !== undefined) expect(told.groups).toBe(one.groups);
    if (one.ignored !== undefined) expect(told.ignoredColumns).toEqual(one.ignored);
  });

  it.each(CASES)("gives the images, scores and splits of the list that it was made from: $title", async (one) => {
    const { folder, data } = openCase({ ...one, files: { ...one.files } });
    const own = createFolderAtomically({ "own.csv": OWN });
    const context = { database: "mine", folder, tables: PUBLISHED_LABELS, published: new Map<string, never>() };
    const listed = await readList(path.join(own, "own.csv"), context);
    const expected = Object.fromEntries(
      Object.entries(byName(listed)).map(([name]) => {
        const row = ROWS.find((found) => found.name === name);
        if (row === undefined) throw new Error(`no row ${name}`);
        const mosStd = one.deviation == null ? null : (one.mosStd?.(row) ?? row.std);
        return [name, [one.mos?.(row) ?? row.mos, mosStd]];
      }),
    );
    const numbers = one.splits === undefined ? [1] : one.splits.map((_, i) => i + 1);
    for (const split of numbers) {
      const [database] = await openDatabases(data, split);
      const parts = SUBSETS.map((subset) => database?.[subset] ?? []);
      for (const { file } of parts.flat()) expect(file.startsWith(path.join(folder, "images"))).toBe(true);
      const own_ = one.splits?.[split - 1];
      const found = byName(parts.flat());
      expect(parts.flat()).toHaveLength(Object.keys(found).length); // no image twice
      for (const sample of parts.flat()) {
        const row = ROWS.find(({ name }) => name === path.basename(sample.file));
        if (one.groups !== undefined) expect(sample.content).toBe(row?.ref.replace(".jpg", ""));
        expect([sample.distortion, sample.scenes]).toEqual([one.title.includes("and types") ? BLUR : null, []]);
      }
      for (const [name, scores] of Object.entries(found)) expect(scores, name).toEqual(expected[name]);
      if (own_ === undefined) expect(Object.keys(found).sort()).toEqual(ROWS.map(({ name }) => name));
      else {
        const names = SUBSETS.map((subset) => own_[subset].map((i) => ROWS[i]?.name));
        expect(parts.map((samples) => Object.keys(byName(samples)))).toEqual(names);
      }
    }
    const report = await checkDatabases(data, { tables: PUBLISHED_LABELS, depth: "lists", images: { small: "error", maxMegapixels: 64, stallSeconds: 60, onDamage: "warn" }, followLinks: true, report: () => {} }); // prettier-ignore
    expect(report.findings.filter(({ kind }) => kind === "format" || kind === "list-missing")).toEqual([]);
    expect(report.counts["mine"]).toMatchObject({ splits: numbers.length });
  });
});

describe("a list in another form", () => {
  it("is taken in place of a list of our own, with the images below the folder", async () => {
    const folder = createFolderAtomically({ ...IMAGES, "koniq.json": json(({ name, mos }) => ({ img_path: name, gt_score: `${mos} ` })) }); // prettier-ignore
    const context = { database: "mine", folder, tables: PUBLISHED_LABELS, published: new Map<string, never>() };
    const samples = await readList(path.join(folder, "koniq.json"), context);
    expect(samples.map(({ image, mos }) => [image, mos])).toEqual(ROWS.map(({ name, mos }) => [`images/${name}`, mos]));
  });
});

describe("a list beside those of the subsets", () => {
  const listOf = (rows: typeof ROWS) =>
    JSON.stringify(rows.map(({ name, mos }) => ({ img_path: name, gt_score: mos })));
  const files = { "all.json": listOf(ROWS), "koniq_train.json": listOf(part("train")), "koniq_test.json": listOf(part("test")) }; // prettier-ignore

  it("is left out where it says the same of their images, and is named", async () => {
    const { source } = openCase({ files });
    const { ambiguities, notes, images } = await describeData(source);
    expect(ambiguities).toEqual([]);
    expect(images).toBe(part("train").length + part("test").length);
    expect(notes.join("\n")).toMatch(
      /all\.json: has the same scores as the lists of the subsets, which are read; 2 images of it in none of them left out/,
    );
  });
  it("is a reading of its own where it says something else of one", async () => {
    const [first, ...others] = ROWS;
    const changed = [{ ...first, mos: 4.75 }, ...others] as typeof ROWS;
    const { source } = openCase({ files: { ...files, "all.json": listOf(changed) } });
    expect((await describeData(source)).ambiguities.map(({ what }) => what)).toEqual(["several lists that do not belong together"]); // prettier-ignore
  });
});

describe("a list of pairs", () => {
  it("is described, with the command that trains on it", async () => {
    const { source } = openCase({ files: { "pairs.csv": "a,b,p\na.png,b.png,0.25\nb.png,c.png,1\n", "a.png": "x", "b.png": "x" } }); // prettier-ignore
    const told = await describeData(path.join(source, "pairs.csv"));
    expect(told).toMatchObject({ format: "pairs", images: 3, missingImages: 1, splits: [], ambiguities: [] });
    expect(told.scores).toEqual({ column: "p", min: 0.25, max: 1, direction: "higher" });
    const [, json = ""] = /data\.databases=(\[.*\])'/.exec(told.command) ?? [];
    const data = DataConfig.parse({ databases: JSON.parse(json) as unknown });
    const [database] = await openDatabases(data, 1, { subsets: ["train"] });
    expect(database?.pairs?.train.map(({ p }) => p)).toEqual([0.25, 1]);
  });
});

describe("two readings", () => {
  const both = { "meta.csv": lines(({ name, mos }) => `${name},${mos},${5 - mos}`, "img_name,mos,dmos") };

  it("are both shown, with the flag for each, and train on neither", async () => {
    const { source, data } = openCase({ files: both });
    const { ambiguities } = await describeData(source);
    expect(ambiguities).toEqual([
      {
        what: "several columns may be the mos",
        readings: ["mos: 1.25, 1.625, ...", "dmos: 3.75, 3.375, ..."],
        flag: "--columns mos=mos or mos=dmos",
      },
    ]);
    await expect(openDatabases(data, 1)).rejects.toThrow(/more than one way[^]*--columns mos=mos or mos=dmos/);
  });

  it("are decided by the column that is named, whose direction its name tells", async () => {
    const { source, data } = openCase({ files: both }, { columns: { mos: "dmos" } });
    expect((await describeData(source, { columns: { mos: "dmos" } })).scores.direction).toBe("lower");
    const [database] = await openDatabases(data, 1);
    const scores = byName(SUBSETS.flatMap((subset) => database?.[subset] ?? []));
    expect(scores["p0.jpg"]).toEqual([0, null]);
    expect(scores["p9.jpg"]).toEqual([3.375, null]);
  });

  it.each([
    ["list.csv", "image,score,lower_better\na.png,3,True\nb.png,1,True\n", "lower"],
    [
      "list.json",
      '[{"image":"a.png","score":3,"lower_better":true},{"image":"b.png","score":1,"lower_better":true}]',
      "lower",
    ],
    [
      "list.jsonl",
      '{"image":"a.png","score":3,"lowerBetter":false}\n{"image":"b.png","score":1,"lowerBetter":false}\n',
      "higher",
    ],
  ] as const)("of the direction are told by lower_better: %s", async (name, text, direction) => {
    const file = path.join(createFolderAtomically({ [name]: text }), name);
    const { scores, ambiguities, ignoredColumns } = await describeData(file);
    expect([scores.direction, ambiguities, ignoredColumns]).toEqual([direction, [], []]);
  });

  it.each([
    ["list.csv", "image,score,lower_better\na.png,3,True\nb.png,1,False\n"],
    ["list.json", '[{"image":"a.png","score":3,"lower_better":true},{"image":"b.png","score":1,"lower_better":false}]'],
  ])("of the direction are both shown where lower_better says both: %s", async (name, text) => {
    const file = path.join(createFolderAtomically({ [name]: text }), name);
    expect((await describeData(file)).ambiguities.map(({ flag }) => flag)).toEqual(["--direction higher or lower"]);
    expect((await describeData(file, { direction: "lower" })).ambiguities).toEqual([]);
  });

  it("of one object in JSON are decided by the column that is named", async () => {
    const file = path.join(createFolderAtomically({ "one.json": '{"image":"a.png","my":2}' }), "one.json");
    expect((await describeData(file, { columns: { mos: "my" } })).images).toBe(1);
  });

  it("of splits are decided by the name of a column", async () => {
    const files = { "meta.csv": lines(({ name, mos }, i) => `${name},${mos},${subsetAt(i)},${subsetAt(9 - i)}`, "img_name,mos,official_split,own_split") }; // prettier-ignore
    const { source, data } = openCase({ files }, { split: "own_split" });
    expect((await describeData(source)).ambiguities.map(({ flag }) => flag)).toEqual(['--split "official_split" or "own_split"']); // prettier-ignore
    const [database] = await openDatabases(data, 1);
    expect(Object.keys(byName(database?.test ?? []))).toEqual(["p0.jpg", "p1.jpg"]);
  });
});

describe("a list whose user says more", () => {
  const commas = lines(({ name, mos, std }) => `${name};${String(mos).replace(".", ",")};${String(std).replace(".", ",")}`, "image;MOS;SD"); // prettier-ignore

  it("has decimal commas read where that is asked for, and refused with the hint where not", async () => {
    const { source, data } = openCase({ files: { "scores.csv": commas } });
    await expect(openDatabases(data, 1)).rejects.toThrow(/got "1,25"; commas are read with --decimal comma/);
    expect(await describeData(source, { decimal: "comma" })).toMatchObject({ scores: { min: 1.25, max: 4.625 } });
    const asked = openCase({ files: { "scores.csv": commas } }, { decimal: "comma" });
    const [database] = await openDatabases(asked.data, 1);
    const scores = byName(SUBSETS.flatMap((subset) => database?.[subset] ?? []));
    expect(scores).toEqual(Object.fromEntries(ROWS.map(({ name, mos, std }) => [name, [mos, std]])));
  });

  it("is read in the form that is named, and refused where it is built in another way", async () => {
    const { source } = openCase({ files: { "KADID.csv": lines(({ name, ref, mos }) => `${ref},${name},${mos}`, "ref_name,dist_name,score") } }); // prettier-ignore
    expect(await describeData(source, { format: "iqa-dataset" })).toMatchObject({ format: "iqa-dataset", images: 10 });
    await expect(describeData(source, { format: "q-bench" })).rejects.toThrow(
      "KADID.csv: is no list of the form q-bench: it is built as iqa-pytorch is",
    );
  });
});

describe("bad input", () => {
  const meta = lines(({ name, mos }) => `${name},${mos}`, "img_name,mos");
  const whole = json(({ name, mos }) => ({ img_path: name, gt_score: mos }));
  const mixed = (i: number) => (i < 10 ? 1 + 0.25 * i : 12 + 8 * (i - 10));
  const twenty = Array.from({ length: 20 }, (_, i) => `images/q${i}.jpg,${mixed(i)}`).join("\n");

  it.each<readonly [string, Readonly<Record<string, string | Uint8Array>>, string]>([
    ["a pickle that calls a function, protocol 2", { "m.csv": meta, "s.pkl": Buffer.from(HOSTILE[0] ?? "", "base64") }, "s.pkl: refused, its pickle has opcode 0x63"], // prettier-ignore
    ["a pickle that calls a function, protocol 4", { "m.csv": meta, "s.pkl": Buffer.from(HOSTILE[1] ?? "", "base64") }, "s.pkl: refused, its pickle has opcode 0x93"], // prettier-ignore
    ["a pickle that ends early", { "m.csv": meta, "s.pkl": Buffer.from(PICKLES[4], "base64").subarray(0, 40) }, "s.pkl: refused, its pickle ends early"], // prettier-ignore
    ["a split of rows that are not there", { "m.csv": meta, "s.pkl": Buffer.from(FAR_ROW, "base64") }, "s.pkl: train names row 400"], // prettier-ignore
    ["JSON that is cut off", { "koniq.json": whole.slice(0, -60) }, "koniq.json:37: is no whole JSON"],
    ["an object with a key twice", { "mos.json": '{\n"a.jpg": {"mos": 1, "std": 1},\n"a.jpg": {"mos": 2, "std": 1}\n}' }, 'mos.json:3: has the key "a.jpg" twice'], // prettier-ignore
    ["JSON lines that are cut off", { "metadata.jsonl": '{"file_name":"images/p1.jpg","mos":1}\n{"file_name":"images/p2.jpg","mos"' }, "metadata.jsonl:2: is no whole JSON"], // prettier-ignore
    ["a row that is cut off", { "meta.csv": meta.slice(0, -8) }, "meta.csv:11: expected 2 columns"],
    ["blanks with a row of another shape", { "x_all.txt": "a.jpg 1.2 0.3\nb.jpg 1.4\n" }, "x_all.txt:2: expected an image, a number, a number"], // prettier-ignore
    ["an array that is cut off", { "m.csv": meta, ...arrays, "splits/val.npy": npy([[1, 2, 3, 4]]).subarray(0, 140) }, "val.npy: has the shape (1, 4) and 12 bytes"], // prettier-ignore
    ["an array of billions of splits without rows", { "m.csv": meta, "splits/train.npy": Buffer.from(npy([[]]).toString("latin1").replace("(1, 0), }          ", "(4000000000, 0), }"), "latin1") }, "train.npy: has 4000000000 splits, more than 10000"], // prettier-ignore
    ["two scales in one file", { "meta.csv": `img_name,mos\n${twenty}\n` }, "meta.csv: its scores are on two scales, 1 to 3.25 from"], // prettier-ignore
    ["a split of no subset's name", { "meta.csv": "img_name,mos,split\np1.jpg,1,train\np2.jpg,2,holdout\n" }, 'meta.csv:3: the split "holdout"'], // prettier-ignore
    ["Parquet with pictures inside, nulls among them", { "d.parquet": fixture("nested.parquet") }, "d.parquet:2: item 2 has no image that names one image"], // prettier-ignore
    ["Parquet that is cut off", { "d.parquet": fixture("metadata.parquet").subarray(0, 900) }, "d.parquet: cannot be read as Parquet"], // prettier-ignore
    ["a folder without a list", {}, "holds no list of images with scores"],
  ])("names the place: %s", async (_, files, message) => {
    const { source, data } = openCase({ files });
    const failed = await describeData(source).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DataError);
    expect(String(failed)).toContain(message);
    await expect(openDatabases(data, 1)).rejects.toThrow(DataError);
  });

  it("reads splits by number in JSON lines too, and names what is no split", async () => {
    const line = (i: number, split: unknown) => JSON.stringify({ image: `${i}.png`, mos: i, split });
    const lines = (split: (i: number) => unknown) => Array.from({ length: 10 }, (_, i) => line(i, split(i))).join("\n");
    const told = await describeData(
      openCase({ files: { "a.jsonl": lines((i) => (i < 7 ? 0 : 2)) }, file: "a.jsonl" }).source,
    );
    expect(told.splits).toEqual([{ train: 7, val: 0, test: 3 }]);
    const { data } = openCase({ files: { "a.jsonl": lines((i) => (i < 7 ? "train" : "holdout")) }, file: "a.jsonl" });
    await expect(openDatabases(data, 1)).rejects.toThrow(
      'has the split "holdout", none of train, val, test, 0, 1 and 2',
    );
  });

  it("judges variances by their roots, and deviations of another scale by a factor", async () => {
    const table = (column: string, value: number) =>
      ["image,mos,".concat(column), ...Array.from({ length: 10 }, (_, i) => `${i}.png,${i * 10},${value}`)].join("\n");
    const command = async (text: string) =>
      (await describeData(openCase({ files: { "a.csv": text }, file: "a.csv" }).source)).command;
    expect(await command(table("var", 400))).not.toContain("mosStdFactor");
    expect(await command(table("std", 0.5))).toContain('"mosStdFactor":25');
  });

  it("draws the splits of two lists in one folder apart, and finds them again", async () => {
    const folder = createFolderAtomically({ ...IMAGES, "a.csv": OWN, "b.csv": OWN });
    const databases = ["a", "b"].map((name, i) => ({
      ...{ name, source: path.join(folder, `${name}.csv`), imagesPerStep: 2 },
      ...{ split: "60/20/20", splitSeed: i },
    }));
    const data = DataConfig.parse({ databases });
    const opened = await openDatabases(data, 1);
    await recordRandomSplits(data, opened, 1);
    const again = await openDatabases(data, 1);
    expect(again.map(({ test }) => test)).toEqual(opened.map(({ test }) => test));
  });
});
