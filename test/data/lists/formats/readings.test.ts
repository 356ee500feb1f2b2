import path from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../../../src/base/packageInfo.js";
import { openSource, type Source, type SourceChoice } from "../../../../src/data/lists/formats/openSource.js";
import { filesBelow } from "../../../../src/data/lists/formats/findLists.js";
import { readColumns } from "../../../../src/data/lists/formats/csvLists.js";
import { createFolderAtomically } from "../../files.js";

type Files = Readonly<Record<string, string | Uint8Array>>;
/** Title, files, what the user says beside, and the file that is named: the folder by default. */
type Case = readonly [title: string, files: Files, choice?: SourceChoice, file?: string];

/** All that a source tells, in lines, without the folder's path. */
function shown(source: Source, folder: string): string {
  const { format, database, columns, scores, deviations, splits, ambiguities, notes, faults } = source;
  const short = (place: string) => place.replaceAll(folder, "DIR");
  const places = (rows: readonly number[]) => rows.join(",");
  const splitLines = (splits?.splits ?? []).map(
    ({ train, val, test }) => `split of ${splits?.name}: ${places(train)}/${places(val)}/${places(test)}`,
  );
  const entries = source.entries.map((entry) => {
    const { line, image, mos, mosStd, distortion, scenes, content, list, isThere } = entry;
    const labels = `"${distortion}" [${scenes.join("; ")}] ${content}`;
    return `${path.basename(list)}:${line} ${image} ${isThere ? "there" : "missing"}: ${mos} ${mosStd} ${labels}`;
  });
  return [
    `${format} of ${database} in ${short(source.folder)}: ${source.lists.map(short).join(" ")}`,
    `columns ${JSON.stringify(columns)}`,
    `scores ${JSON.stringify(scores)}, deviations ${JSON.stringify(deviations)}`,
    ...splitLines,
    ...ambiguities.map(({ what, readings, flag }) => `ambiguity: ${what} (${readings.join("; ")}): ${flag}`),
    ...notes.map((note) => `note: ${note}`),
    ...faults.map(({ list, line, what }) => `fault: ${list}:${line}: ${what}`),
    ...entries,
  ]
    .map(short)
    .join("\n");
}

/** Second place that the JSON parser of later versions of Node names. */
const PLACE = / \(line \d+ column \d+\)/;

/** What is read of a case, or the message that refuses it. */
async function outcome([title, files, choice = {}, file = ""]: Case): Promise<string> {
  const folder = createFolderAtomically(files);
  const told = await openSource(path.join(folder, file), choice).then(
    (source) => shown(source, folder),
    (error: unknown) => (error as Error).message.replaceAll(folder, "DIR").replace(PLACE, ""), // whatever it is, its text is compared
  );
  return `==== ${title}\n${told}\n`;
}

async function expectOutcomes(cases: readonly Case[], name: string): Promise<void> {
  let text = "";
  for (const one of cases) text += await outcome(one);
  await expect(text).toMatchFileSnapshot(path.join(PACKAGE_ROOT, "test/fixtures/lists", name));
}

const lines = (...rows: readonly string[]) => rows.map((row) => `${row}\n`).join("");

/** Twelve scores, of which the last six are `factor` times the first. */
const scaled = (names: (i: number) => string, factor: number) =>
  lines("image,mos", ...Array.from({ length: 12 }, (_, i) => `${names(i)},${i < 6 ? i + 1 : factor * (i - 5)}`));

const TABLES: readonly Case[] = [
  ["blanks: reference, image, score, deviation", { "a.txt": lines("r/c.png d.png 3 0.5", "", "  r/c.png e.png +4. 1e0 "), "d.png": "" }], // prettier-ignore
  ["blanks: reference, image, score", { "a.txt": lines("c.png d.png 3", "c2.png e.png .5") }],
  ["blanks: image, score, deviation", { "a.txt": lines("d.png 3 0.5", "e.png 4 0.25") }],
  ["blanks: image and score", { "a.txt": lines("d.png 3", "e.png 4") }],
  ["blanks: score and image", { "a.txt": lines("3 d.png", "4 e.png") }],
  ["blanks: score and image, in a form that is said", { "a.txt": lines("3 d.png", "4 e.png") }, { format: "visualquality-r1" }], // prettier-ignore
  ["blanks: another row", { "a.txt": lines("d.png 3 0.5", "e.png 4") }],
  ["blanks: another row of references", { "a.txt": lines("c.png d.png 3", "", "1 c.png 2") }],
  ["blanks: no list", { "a.txt": lines("some words", "d.png 3") }],
  ["rows by place: reference, image, score, deviation", { "a.csv": lines("one,two,three,four", "c.png,d.png,3,0.5", "c.png,e.png,4,1") }], // prettier-ignore
  ["rows by place: image, score and no deviation", { "a.csv": lines("one,two,three", "d.png,3,a", "e.png,4,b") }],
  ["rows by place: image, score, a number that is not the last", { "a.csv": lines("one,two,three,four", "d.png,3,1,9") }], // prettier-ignore
  ["rows by place: two names and no score", { "a.csv": lines("one,two", "d.png,e.png") }],
  ["rows by place: no image", { "a.csv": lines("one,two", "d,3") }],
  ["rows by place: a header alone", { "a.csv": lines("one,two") }],
  ["rows without a header, padded by empty cells", { "a.csv": lines("d.png,3", "e.png,4,,", "f.png,4,x") }],
  ["tabs with a header", { "a.tsv": lines("image\tmos\tscene\tdistortion", "d.png\t3\thuman | plant\tBlur", "e.png\t4\t\t") }], // prettier-ignore
  ["published", { "splits2/1/mine_train_clip.txt": lines("d.png\t3\tblur\thuman\tinvalid\tinvalid", "e.png\t4\tnoise\tplant\tanimal\tinvalid"), "splits2/1/mine_test_clip.txt": lines("f.png\t5\tinvalid\tinvalid\tinvalid\tinvalid"), "splits2/mine_all.txt": lines("d.png\t3\t0.5", "./e.png\t4\t1"), "splits2/mine_all_clip.txt": "no list" }], // prettier-ignore
  ["published, in no numbered folder", { "s/mine_val_clip.txt": lines("d.png\t3\tblur\thuman\tinvalid\tinvalid"), "s/mine_all.txt": lines("d.png\t3\t0.5"), "mine_all.txt": lines("d.png\t3\t0.75") }, {}, "s/mine_val_clip.txt"], // prettier-ignore
  ["published, the whole alone", { "splits2/mine_all_clip.txt": lines("d.png\t3\tblur\thuman\tinvalid\tinvalid") }],
  ["published, a line of another form", { "a_all_clip.txt": lines("d.png\t3\tblur\thuman\tinvalid\tinvalid", "e.png\t4") }], // prettier-ignore
  ["our own, all columns", { "list.csv": lines("image,mos,mos_std,distortion,scene,group,split", 'd.png,3,0.5,blur,human|plant,"x/y.png",train', "e.png,4,,,,,") }], // prettier-ignore
  ["labels that no table has", { "meta.csv": lines("img_name,mos,dist_type,scene", ...["a", "b", "c", "d", "e", "Gaussian_Blur"].map((type, i) => `d${i}.png,${i},${type},${i === 0 ? "x|human" : ""}`)) }], // prettier-ignore
  ["one label that no table has", { "meta.csv": lines("img_name,mos,dist_type", "a.png,1,odd") }],
  ["five labels that no table has", { "meta.csv": lines("img_name,mos,dist_type", ..."abcde".split("").map((type) => `${type}.png,1,${type}`)) }], // prettier-ignore
  ["variances", { "meta.csv": lines("img_name,mos,mos_variance,variance", "a.png,1,4,9", "b.png,1,,n/a") }],
  ["a column of deviations without one", { "meta.csv": lines("img_name,mos,std", "a.png,1,", "b.png,2,") }],
  ["KADID-10k's variances, by its images' names", { "m.csv": lines("img_name,dmos,std", "I01_02_03.png,1,4", "x/I01_02_04.png,2,16") }], // prettier-ignore
  ["differential scores up to one", { "m.csv": lines("img_name,dmos", "a.png,0", "b.png,0.3", "c.png,n/a") }],
  ["differential scores above one", { "m.csv": lines("img_name,DMOS", "a.png,-1", "b.png,0.7") }],
  ["differential scores, said to be higher-better", { "m.csv": lines("img_name,dmos", "a.png,0", "b.png,0.3") }, { direction: "higher" }], // prettier-ignore
  ["scores, said to be lower-better", { "m.csv": lines("img_name,mos", "a.png,10", "b.png,30.1") }, { direction: "lower" }], // prettier-ignore
  ["CSIQ in IQA-Dataset's form, with and without references", { "CSIQ.txt": lines("dis_img_path,dis_type,ref_img_path,score", "a.png,blur,r.png,0.25") }], // prettier-ignore
  ["CSIQ without references", { "CSIQ.txt": lines("dis_img_path,dis_type,score", "a.png,blur,0.25") }],
  ["LIVE in the Wild's training images", { "clive.csv": lines("img_name,mos,split", "trainingImages/t1.bmp,1,train", "t8.bmp,2,train", "a.bmp,3,test", "b/T7.BMP,4,test") }], // prettier-ignore
  ["two columns of splits", { "m.csv": lines("img_name,mos,split_a,set", "a.png,1,train,testing", "b.png,2,valid,1", "c.png,3,Test set,") }], // prettier-ignore
  ["two columns of splits, one of them taken", { "m.csv": lines("img_name,mos,split_a,set", "a.png,1,train,testing", "b.png,2,valid,1", "c.png,3,Test set,") }, { split: "set" }], // prettier-ignore
  ["a split that is not there", { "m.csv": lines("img_name,mos,split_a,set", "a.png,1,train,test") }, { split: "own" }],
  ["no split that is asked for", { "m.csv": lines("img_name,mos", "a.png,1") }, { split: "own" }],
  ["shares in place of splits", { "m.csv": lines("img_name,mos,split", "a.png,1,train") }, { split: "70/10/20" }],
  ["numbered splits, out of order", { "m.csv": lines("img_name,mos,my_split_10,my_split2,other_split", "a.png,1,train,test,0", "b.png,2,val,train,0") }], // prettier-ignore
  ["two equal columns of splits", { "m.csv": lines("img_name,mos,split_x,subset", "a.png,1,train,train") }],
  ["columns that are named", { "m.csv": lines("one,two,three,split,place,kind", "a.png,1,0.5,train,x,blur") }, { columns: { image: "one", mos: "two", mos_std: "three", group: "place", distortion: "kind", scene: "place", split: "place" } }], // prettier-ignore
  [
    "a column that is not there, with a near one",
    { "m.csv": lines("image,mos", "a.png,1") },
    { columns: { mos: "moss" } },
  ],
  ["a column that is not there", { "m.csv": lines("image,mos", "a.png,1") }, { columns: { group: "photograph" } }],
  ["several columns of images", { "m.csv": lines("path,filename,score", "x.png,a.png,1", "y.png,b.png,2", "z.png,c.png,3") }], // prettier-ignore
  ["columns named as images that hold none", { "m.csv": lines("name,score", "anna,1") }],
  ["a column named as images that holds no endings", { "m.csv": lines("name,image,mos", "anna,a,1") }],
  ["lower_better that says nothing", { "m.csv": lines("image,score,lower_better", "a.png,1,true", "b.png,2,no", "c.png,3,", "d.png,4,x") }], // prettier-ignore
  ["lower_better in other words", { "m.csv": lines("image,score,Lower Better", "a.png,1,YES", "b.png,2,1") }],
  ["lower_better is false", { "m.csv": lines("image,dmos,lower-better", "a.png,1,NO", "b.png,2,0") }],
  ["decimal commas", { "m.csv": lines("image;mos;std;scene", "a.png;1,5;-0,25;human", "b.png;2;1,2,3;1,") }, { decimal: "comma" }], // prettier-ignore
  ["scores of two scales", { "m.csv": scaled((i) => `${i}.png`, 30) }],
  ["scores of one scale", { "m.csv": scaled((i) => `${i}.png`, 1.5) }],
  ["folders of two databases", { "m.csv": scaled((i) => `${i < 6 ? "koniq" : "tid2013"}/${i}.png`, 6) }],
  ["folders of two databases on one scale", { "m.csv": scaled((i) => `${i < 6 ? "koniq" : "tid2013"}/${i}.png`, 5) }],
  ["a folder of fewer images than are judged, of another database", { "m.csv": lines("image,mos", ...Array.from({ length: 10 }, (_, i) => (i < 6 ? `koniq/${i}.png,${i + 1}` : `tid2013/${i}.png,90`))) }], // prettier-ignore
  ["fewer scores than are judged, on two scales", { "m.csv": lines("image,mos", ...Array.from({ length: 9 }, (_, i) => `${i}.png,${i < 5 ? i + 1 : 90 + i}`)) }], // prettier-ignore
  ["ten scores on two scales", { "m.csv": lines("image,mos", ...Array.from({ length: 10 }, (_, i) => `${i}.png,${i < 5 ? i + 1 : 90 + i}`)) }], // prettier-ignore
  ["a folder without a list", { "readme.txt": "a.png 3\n", "LICENSE.csv": "image,mos\na.png,1\n", "a.md": "a.png 3\n", ".hidden.csv": "image,mos\na.png,1\n", "node_modules/a.csv": "image,mos\na.png,1\n", "a/b/c/d/e.csv": "image,mos\na.png,1\n" }], // prettier-ignore
  ["a list three folders below", { "a/b/c/e.csv": "image,mos\na.png,1\n", "a/b/c/a.png": "" }],
  ["nothing", {}, {}, "none.csv"],
  ["an empty file", { "a.csv": "\n" }, {}, "a.csv"],
  ["lists that do not belong together", { "one.csv": "image,mos\na.png,1\n", "two.csv": "image,mos\nb.png,1\n", "b/three.csv": "image,mos\nb.png,1\n" }], // prettier-ignore
  ["lists of two databases, one of them asked for", { "koniq.csv": "image,mos\na.png,1\n", "spaq.csv": "image,mos\nb.png,1\n" }, { name: "spaq" }], // prettier-ignore
  ["two lists of one subset", { "x_train.csv": "image,mos\na.png,1\n", "x-train.csv": "image,mos\nb.png,1\n" }],
  ["lists by their folders", { "train/my.csv": "image,mos\na.png,1\n", "valid/my.csv": "image,mos\nb.png,2\n", "2/test/my.csv": "image,mos\nc.png,3\n" }], // prettier-ignore
  ["a repeat of lists of subsets", { "all.csv": "image,mos\na.png,1\nb.png,2\nc.png,3\n", "x_train.csv": "image,mos\nq/a.png,1\n", "x_test.csv": "image,mos\nb.png,2\n" }], // prettier-ignore
  ["a repeat without further images", { "all.csv": "image,mos\na.png,1\nb.png,2\n", "x_train.csv": "image,mos\na.png,1\n", "x_test.csv": "image,mos\nb.png,2\n" }], // prettier-ignore
  ["places of images", { "m.csv": lines("image,mos", "a.png,1", "old/data/B.PNG,2", "x\\c.png,3", "two/d.png,4", "e.png,5", "../f.png,6", "z/y/g.png,7"), "sub/A.png": "", "data/b.png": "", "other/b.png": "", "x/c.png": "", "1/two/d.png": "", "2/d.png": "", "1/e.png": "", "2/e.png": "", "q/f.png": "", "1/y/g.png": "", "2/y/g.png": "" }], // prettier-ignore
  ["images in another folder", { "lists/m.csv": "image,mos\na.png,1\n", "pictures/a.png": "" }, { images: "/nowhere" }],
  ["an image folder by its folders' names", { "metadata.csv": lines("file_name,mos", "train/a.png,1", "test/b.png,2", "validation/c.png,3", "train/d.png,4"), "train/a.png": "" }], // prettier-ignore
  [
    "an image folder with a folder of no subset",
    { "metadata.csv": lines("file_name,mos", "train/a.png,1", "b.png,2") },
  ],
  ["an image folder with one subset", { "train/metadata.csv": lines("file_name,mos", "a.png,1"), "train/a.png": "" }],
  ["two image folders", { "x/train/metadata.csv": lines("file_name,mos", "a.png,1"), "x/test/metadata.csv": lines("file_name,mos", "a.png,2"), "x/train/a.png": "", "x/test/a.png": "" }], // prettier-ignore
];

const items = (...all: readonly object[]) => JSON.stringify(all);

const OTHERS: readonly Case[] = [
  [
    "Q-Bench",
    { "a.json": items({ img_path: "a.png", gt_score: " 3 ", flag: true }, { img_path: "b.png", gt_score: 4 }) },
  ],
  [
    "Q-Align's scores in names",
    { "a.json": items({ id: "a.png -> 3.5 ", image: "a.png" }, { id: "b.png", image: "b.png" }) },
  ],
  ["Q-Align's conversations", { "a.json": items({ conversations: [], image: "a.png", gt_score: 2 }) }],
  ["Compare2Score", { "a.json": items({ image: "a.png", gt_score: 3, std: 1 }, { image: ["b.png"], gt_score: 4 }) }],
  ["a standard deviation under another key of images", { "a.json": items({ img: "a.png", gt_score: 3, std: 1 }) }],
  ["DeQA-Score by each of its keys", { "a.json": items({ image: "a.png", gt_score: 3, std_norm: 1 }) }],
  ["DeQA-Score by its levels", { "a.json": items({ image: "a.png", gt_score: 3, level_probs: [] }) }],
  ["DeQA-Score by its normalized score", { "a.json": items({ image: "a.png", gt_score: 3, gt_score_norm: 1 }) }],
  ["DeQA-Score's mos.json", { "mos.json": '{\n"a.png": {"mos": "3", "std": 1},\n"b.png":\n{"mos": 4}}' }],
  ["mos.json with a member that is none", { "mos.json": '{"a.png": {"mos": "3"}, "b.png": {"score": 4}}' }],
  ["VisualQuality-R1's conversations", { "a.jsonl": '{"image":["a.png"],"conversations":[{"value":"1"},{"value":" 3 "}]}\n\n{"image":["b.png"],"conversations":[{"value":"good"}]}\n{"image":["c.png","d.png"],"conversations":[{"value":2}]}\n' }], // prettier-ignore
  ["labels in JSON", { "a.json": items({ image: "a.png", mos: 3, distortion: "blur", scene: ["human", "plant", "x"], group: "r/c.png", split: "val" }, { image: "b.png", mos: 3, scene: "human | animal", group: "g", split: 2 }) }], // prettier-ignore
  ["items that are none", { "a.json": '[\n{"image": "a.png", "mos": 3},\n7,\n{"mos": 3},\n{"image": "d.png"},\n{"image": "", "mos": 3},\n[1],\n{"image": "e.png", "mos": 1, "split": "odd"}\n]' }], // prettier-ignore
  ["an image folder in JSON", { "a.json": items({ file_name: "a.png", mos: 3, variance: 4 }) }],
  [
    "lower_better in JSON",
    {
      "a.json": items({ image: "a.png", mos: 3, lower_better: true }, { image: "b.png", mos: 4, lower_better: "yes" }),
    },
  ],
  [
    "no list in JSON",
    { "a.json": "[1, 2]", "b.json": "7", "c.json": "{}", "d.json": '{"x": 1}', "e.json": '[{"x": 1}]' },
  ],
  ["a form that the structure cannot have", { "a.json": items({ image: "a.png", gt_score: 3 }) }, { format: "iqa-dataset" }, "a.json"], // prettier-ignore
  [
    "a form that the structure can have",
    { "a.json": items({ image: "a.png", gt_score: 3 }) },
    { format: "deqa-score" },
  ],
  ["rows as labels", { "a.txt": "a.png 3\n" }, { format: "labels" }],
  ["rows as pairs of an image folder", { "a.txt": "a.png 3\n" }, { format: "image-folder" }, "a.txt"],
  ["a key twice, deeper down", { "a.json": '[\n{"image": "a.png", "mos": 3, "x": {"k": 1,\n"k": 2}}]' }],
  ["a key again in another object", { "a.json": '[{"image": "a.png", "mos": 3, "x": [{"k": 1}, {"k": 2}], "y": {"k": "a,b", "l": "k"}, "k": "\\"k\\": {"}]' }], // prettier-ignore
  [
    "a key twice in JSON lines",
    { "a.jsonl": '{"image": "a.png", "mos": 3}\n{"image": "b.png", "mos": 3, "mos": 4}\n' },
  ],
  ["JSON with a sign too many", { "a.json": '[\n{"image": "a.png"},\n{"image": "b.png",}\n]' }],
  ["JSON that ends early", { "a.json": '[\n{"image": "a.png"},\n{"image":\n\n' }],
  ["split.json", { "m.csv": "image,mos\nx/a.png,1\nb.png,2\nc.png,3\n", "my_split.json": '{"training": ["a.png", "x\\\\a.png"], "test": ["c", "b.png"]}' }], // prettier-ignore
  [
    "split.json with an image that is not there",
    { "m.csv": "image,mos\na.png,1\n", "split.json": '{"train": ["q.png"]}' },
  ],
  ["JSON files beside a list that hold no split", { "m.csv": "image,mos\na.png,1\n", "a_split.json": "[]", "b_split.json": '{"train": []}', "c_split.json": '{"train": "a.png"}', "d_split.json": '{"holdout": ["a.png"]}', "e_split.json": "null", "f.json": '{"train": ["a.png"]}' }], // prettier-ignore
  [
    "a split beside a list with a fault",
    { "m.csv": "image,mos\na.png,1\nb.png\n", "split.json": '{"train": ["q.png"]}' },
  ],
  ["splits of another database", { "koniq.csv": "image,mos\na.png,1\n", "spaq_split.json": '{"train": ["q.png"]}', "my_split.json": '{"train": ["a.png"]}' }], // prettier-ignore
];

/** A pickle of protocol 2 of numbers, strings, lists and, in the place of dicts, maps. */
function pickled(value: unknown): Buffer {
  const of = (one: unknown): Buffer => {
    if (one instanceof Map) return Buffer.concat([Buffer.from("}("), ...[...one].flat().map(of), Buffer.from("u")]);
    if (Array.isArray(one)) return Buffer.concat([Buffer.from("]("), ...one.map(of), Buffer.from("e")]);
    const word = Buffer.alloc(4);
    if (typeof one === "string") {
      word.writeUInt32LE(Buffer.byteLength(one));
      return Buffer.concat([Buffer.from("X"), word, Buffer.from(one)]);
    }
    if (typeof one !== "number") return Buffer.from("N"); // None
    word.writeInt32LE(one);
    return Buffer.concat([Buffer.from("J"), word]);
  };
  return Buffer.concat([Buffer.from([0x80, 2]), of(value), Buffer.from(".")]);
}

const dict = (...pairs: readonly (readonly [unknown, unknown])[]) => new Map(pairs);

/** A NumPy array by the words of its header and its data. */
function npy(type: string, shape: string, data: Uint8Array, { order = "False", version = 1 } = {}): Buffer {
  const header = Buffer.from(`{'descr': '${type}', 'fortran_order': ${order}, 'shape': (${shape}), }\n`);
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUInt16LE(header.length);
  return Buffer.concat([Buffer.from([0x93]), Buffer.from("NUMPY"), Buffer.from([version, 0]), length, header, data]);
}

const rows = (array: Int16Array | Int32Array | Float64Array) => new Uint8Array(array.buffer);
const BESIDE = { "m.csv": lines("image,mos", "a.png,1", "b.png,2", "c.png,3", "d.png,4") };
const beside = (title: string, files: Files): Case => [title, { ...BESIDE, ...files }];
const withPickle = (title: string, value: unknown) => beside(title, { "s.pkl": pickled(value) });
const withArray = (title: string, array: Buffer) => beside(title, { "splits/train.npy": array });

const SPLITS: readonly Case[] = [
  withPickle("a pickle of two splits", dict([1, dict(["train", [0, 1]], ["test", [3]])], ["b", dict(["valid", [2]], ["Testing", []])])), // prettier-ignore
  withPickle("a pickle of one split", dict(["train", [3]], ["val", [0]])),
  withPickle("a pickle of nothing", dict()),
  withPickle("a pickle of a list", [1]),
  withPickle("a pickle of a split that is a list", dict([1, [0]])),
  withPickle("a pickle of a split that is none", dict(["train", dict()], ["test", 5])),
  withPickle("a pickle of no subset", dict([7, dict(["holdout", [0]])])),
  withPickle("a pickle of a subset by number", dict([7, dict([0, [0]])])),
  withPickle("a pickle of an odd name", dict([null, dict([null, [0]])])),
  withPickle("a pickle of a subset without rows", dict([7, dict(["train", 3])])),
  withPickle("a pickle of negative rows", dict([7, dict(["train", [0, -1]])])),
  withPickle("a pickle of a row that is not there", dict([7, dict(["val", [4]])])),
  beside("two pickles, one of the list's own database", { "koniq.csv": lines("image,mos", "a.png,1", "b.png,2"), "m.csv": "", "koniq.pkl": pickled(dict(["train", [1]])), "any.pkl": pickled(dict(["train", [0]])), "x_split.json": '{"test": ["a.png"]}' }), // prettier-ignore
  ["LIVE in the Wild's pickle, which does not count training images", { "clive.csv": lines("image,mos", "t1.bmp,1", "t2.bmp,1", "a.bmp,2", "b.bmp,3"), "clive.pickle": pickled(dict(["train", [0]], ["test", [1]])) }], // prettier-ignore
  ["LIVE in the Wild's pickle, which counts all", { "clive.csv": lines("image,mos", "t1.bmp,1", "t2.bmp,1", "a.bmp,2", "b.bmp,3"), "clive.pickle": pickled(dict(["train", [2]], ["test", [3]])) }], // prettier-ignore
  withArray("arrays of int32", npy("<i4", "2, 2", rows(Int32Array.of(0, 1, 3, -1)))),
  withArray("arrays of int16 in version 2", npy("<i2", "2,2", rows(Int16Array.of(0, 1, 3, -1)), { version: 2 })),
  withArray("an array of floats", npy("<f8", "3,", rows(Float64Array.of(0, 2, -1)))),
  withArray("an array of fractions", npy("<f8", "2,", rows(Float64Array.of(0, 0.5)))),
  withArray("an array of other numbers below 0", npy("<i2", "2,", rows(Int16Array.of(0, -2)))),
  withArray("an array of bytes", npy("|u1", "2,", Uint8Array.of(0, 1))),
  withArray("an array by columns", npy("<i2", "1, 2", rows(Int16Array.of(0, 1)), { order: "True" })),
  withArray("an array of three axes", npy("<i2", "1, 1, 2", rows(Int16Array.of(0, 1)))),
  withArray("an array that is cut off", npy("<i2", "1, 2", rows(Int16Array.of(0)))),
  withArray("an array with more bytes", npy("<i2", "1, 2", rows(Int16Array.of(0, 1, 2)))),
  withArray("no array", Buffer.from("\x93NUMPX\x01\x00\x00\x00\x00\x00", "latin1")),
  withArray("eleven bytes", Buffer.from("\x93NUMPY\x01\x00\x00\x00\x00", "latin1")),
  beside("arrays of all subsets", { "splits/train.npy": npy("<i2", "1, 1", rows(Int16Array.of(2))), "splits/val.npy": npy("<i2", "1, 1", rows(Int16Array.of(1))), "splits/test.npy": npy("<i2", "1, 1", rows(Int16Array.of(0))) }), // prettier-ignore
  beside("arrays of other numbers of splits", { "splits/train.npy": npy("<i2", "2, 1", rows(Int16Array.of(0, 1))), "splits/test.npy": npy("<i2", "1, 1", rows(Int16Array.of(2))) }), // prettier-ignore
  beside("a folder of splits without arrays", { "splits/readme.md": "x", "splits/val.npy/x": "x" }),
];

describe("a list of any form", () => {
  it("is parted into these splits, or refused in these words: pickles and arrays", async () => {
    await expectOutcomes(SPLITS, "readings-splits.txt");
  });

  it("is read into these images, scores, labels and splits, or refused in these words: tables", async () => {
    await expectOutcomes(TABLES, "readings-tables.txt");
  });

  it("is read into these images, scores, labels and splits, or refused in these words: JSON, and splits beside lists", async () => {
    await expectOutcomes(OTHERS, "readings-json.txt");
  });
});

describe("filesBelow", () => {
  it("has the files in the order of their names, to a depth, without hidden ones and packages", async () => {
    const names = ["b/c.txt", "b/d/e.txt", "a.txt", "c.txt", ".h/x.txt", "node_modules/x.txt", ".x.txt"];
    const folder = createFolderAtomically(Object.fromEntries(names.map((name) => [name, ""])));
    const below = async (depth: number) => (await filesBelow(folder, depth)).map((file) => path.relative(folder, file));
    expect([await below(0), await below(1)]).toEqual([["a.txt", "c.txt"], ["a.txt", "b/c.txt", "c.txt"]]); // prettier-ignore
    expect(await below(2)).toEqual(["a.txt", "b/c.txt", "b/d/e.txt", "c.txt"]);
    expect(await filesBelow(path.join(folder, "gone"), 1)).toEqual([]);
  });
});

describe("columns", () => {
  const named = {
    image: ["image", "img_name", "Image Name", "img-path", "image_path", "filename", "file_path", "img", "dist_name", "dist_img", "dis_img_path", "dist_img_path", "distorted image", "img_name/patch_name"], // prettier-ignore
    mos: ["gt_score", "MOS", "score", "elo_score", "mos_quality", "quality_mos", "label", "jod", "Subjective Score"],
    mos_std: ["std", "mos_std", "SD", "std_quality", "std_dev", "std deviation", "dmos_std", "var", "variance", "jod_std"], // prettier-ignore
    distortion: ["distortion", "dis_type", "distortion_type", "dist_type", "Distortion class"],
    scene: ["scene", "scenes"],
    group: ["ref_name", "hq_name", "ref_img", "ref_image", "ref_img_path", "reference", "group", "content"],
  };
  const usual = {
    image: "image",
    mos: "mos",
    mos_std: "std",
    distortion: "distortion",
    scene: "scene",
    group: "group",
  };
  const cells = { image: "a.png", mos: "3", mos_std: "0.5", distortion: "blur", scene: "human", group: "g" };
  const aliases = Object.entries(named).flatMap(([kind, names]) => names.map((name) => [kind, name] as const));

  it.each(aliases)("of kind %s are told by the name %s", (kind, name) => {
    const names = Object.values({ ...usual, [kind]: name });
    const rows = [names, Object.values(cells)].map((row, i) => ({ line: i + 1, cells: row }));
    const { entries = [], columns } = readColumns(rows, "m.csv", {}) ?? {};
    const { image, mos, mosStd, distortion, scenes, content } = entries[0] ?? {};
    expect([image, mos, mosStd, distortion, scenes, content]).toEqual(["a.png", "3", "0.5", "blur", ["human"], "g"]);
    expect(columns?.ignored).toEqual([]);
  });
});
