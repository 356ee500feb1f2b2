import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checkDatabases } from "../../../src/data/audit/check.js";
import { dmosToMos } from "../../../src/data/databases/knownDatabase.js";
import { KNOWN_DATABASES, knownDatabase } from "../../../src/data/databases/registry.js";
import { prepareDatabase, type PrepareOptions } from "../../../src/data/prepare/prepareDatabase.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically } from "../files.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/distributions/${name}`, import.meta.url));
const OPTIONS = { seed: 1, splits: 2, isOfficial: false, version: "0.0.0" };

/** A distribution with these texts, these files of the fixtures, and empty files for images. */
function distribution(
  name: string,
  {
    texts = {},
    copies = {},
    images,
  }: { texts?: Record<string, string>; copies?: Record<string, string>; images: string[] },
): { root: string; folder: string } {
  const root = createFolderAtomically();
  const folder = path.join(root, knownDatabase(name)?.folder ?? name);
  const write = (file: string) => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    return path.join(folder, file);
  };
  for (const [file, text] of Object.entries(texts)) writeFileSync(write(file), text);
  for (const [file, from] of Object.entries(copies)) cpSync(fixture(from), write(file));
  for (const image of images) writeFileSync(write(image), "");
  return { root, folder };
}

/** The rows of a list: image, MOS, distortion and scenes. */
const rowsOf = (folder: string, file: string) =>
  readFileSync(path.join(folder, "splits2", file), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));

async function prepare(name: string, root: string, changes: Partial<PrepareOptions> = {}) {
  return prepareDatabase({ ...OPTIONS, name, root, ...changes });
}

/** Findings of the lists that are more than notes, apart from the number of images, which is smaller here. */
async function complaints(name: string, root: string): Promise<string[]> {
  const config = { root, databases: [{ name, imagesPerStep: 2 }] };
  const { findings } = await checkDatabases(config, { tables: PUBLISHED_LABELS, depth: "lists" });
  return findings
    .filter(({ kind, severity }) => severity !== "note" && kind !== "count" && kind !== "skew")
    .map(({ message }) => message);
}

const KADID = Array.from({ length: 5 }, (_, content) =>
  [1, 2, 3].map((level) => ({ image: `I0${content + 1}_08_0${level}.png`, reference: `I0${content + 1}.png`, level })),
).flat();
const kadidScores = (rows = KADID) =>
  `dist_img,ref_img,dmos,var\n${rows.map((row) => `${row.image},${row.reference},${5 - row.level},0.25`).join("\n")}\n`;
const kadid = (text = kadidScores()) =>
  distribution("kadid10k", { texts: { "dmos.csv": text }, images: KADID.map(({ image }) => `images/${image}`) });

describe("prepareDatabase", () => {
  it.each(KNOWN_DATABASES)(
    "is tried here on a distribution of $name's form, by a reader of its own",
    ({ name, readSource }) => {
      const own = readFileSync(fileURLToPath(import.meta.url), "utf8");
      expect(own.includes(`prepare("${name}"`)).toBe(true);
      expect(KNOWN_DATABASES.filter((other) => other.readSource === readSource)).toHaveLength(1);
    },
  );

  it("reads KADID's dmos.csv as it is, higher being better there, and splits by reference", async () => {
    const { root, folder } = kadid();
    const made = await prepare("kadid10k", root);
    expect(made).toMatchObject({ status: "made", images: 15, contents: 5, splits: 2 });
    expect(made.wrongCount).toBe("15 images, KADID-10k has 10125");
    expect(rowsOf(folder, "kadid10k_all_clip.txt")[0]).toEqual([
      "images/I01_08_01.png",
      "4",
      "desaturation",
      "invalid",
      "invalid",
      "invalid",
    ]);
    expect(rowsOf(folder, "kadid10k_all.txt")[1]).toEqual(["images/I01_08_02.png", "3.000000", "0.500000"]);
    expect(await complaints("kadid10k", root)).toEqual([]); // no content in two lists, no wrong polarity
    const sizes = ["train", "val", "test"].map((subset) => rowsOf(folder, `2/kadid10k_${subset}_clip.txt`).length);
    expect(sizes).toEqual([9, 3, 3]);
    const record = JSON.parse(readFileSync(path.join(folder, "splits2/preparation.json"), "utf8")) as object; // its form
    expect(record).toMatchObject({
      settings: {
        database: "kadid10k",
        seed: 1,
        splits: 2,
        files: { "dmos.csv": expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      },
      scores: expect.stringContaining("higher is better there, whatever its name") as string,
    });
  });

  it("makes the same lists from the same seed and others from another, and touches none that lie there", async () => {
    const [first, second, third] = [kadid(), kadid(), kadid()];
    await prepare("kadid10k", first.root);
    await prepare("kadid10k", second.root);
    await prepare("kadid10k", third.root, { seed: 3 });
    const train = (folder: string) => readFileSync(path.join(folder, "splits2/1/kadid10k_train_clip.txt"), "utf8");
    expect(train(second.folder)).toBe(train(first.folder));
    expect(train(third.folder)).not.toBe(train(first.folder));
    expect((await prepare("kadid10k", first.root)).status).toBe("complete");
    await expect(prepare("kadid10k", first.root, { seed: 3 })).rejects.toThrow(/lists of other settings or files/);
    writeFileSync(path.join(first.folder, "dmos.csv"), kadidScores().replace(",4,", ",4.5,"));
    await expect(prepare("kadid10k", first.root)).rejects.toMatchObject({ name: "ConfigError" });
    const published = kadid();
    mkdirSync(path.join(published.folder, "splits2"));
    await expect(prepare("kadid10k", published.root)).rejects.toThrow(/holds lists from elsewhere/);
  });

  it("turns CSIQ's DMOS once: 1 - dmos, by the sheet that holds all images", async () => {
    const words = {
      awgn: "AWGN",
      blur: "BLUR",
      contrast: "contrast",
      fnoise: "fnoise",
      jpeg: "JPEG",
      jpeg2000: "jpeg2000",
    };
    const images = Object.entries(words).flatMap(([type, word]) =>
      ["1600", "boston", "cactus"].flatMap((image) =>
        [1, 2].map((level) => `dst_imgs/${type}/${image}.${word}.${level}.png`),
      ),
    );
    const { root, folder } = distribution("csiq", { copies: { "csiq.DMOS.xlsx": "csiq.DMOS.xlsx" }, images });
    const { distribution: made } = await prepare("csiq", root);
    expect(made.scores).toContain("turned, since lower is better there");
    expect(made.images).toHaveLength(36);
    expect(
      rowsOf(folder, "csiq_all_clip.txt")
        .slice(0, 3)
        .map((row) => row.slice(0, 3)),
    ).toEqual([
      ["dst_imgs/awgn/1600.AWGN.1.png", "0.875", "white noise"],
      ["dst_imgs/awgn/1600.AWGN.2.png", "0.75", "white noise"],
      ["dst_imgs/blur/1600.BLUR.1.png", "0.875", "gaussian blur"],
    ]);
    expect(rowsOf(folder, "csiq_all.txt")[0]?.[2]).toBe("0.062500");
    expect(await complaints("csiq", root)).toEqual([]);
  });

  it("turns LIVE's DMOS once, leaves its undistorted copies out, and labels fast fading by its folder", async () => {
    const counts = { jp2k: 227, jpeg: 233, wn: 174, gblur: 174, fastfading: 174 };
    const images = Object.entries(counts).flatMap(([type, n]) =>
      Array.from({ length: n }, (_, i) => `${type}/img${i + 1}.bmp`),
    );
    const copies = { "dmos_realigned.mat": "dmos_realigned.mat", "refnames_all.mat": "refnames_all.mat" };
    const { root, folder } = distribution("live", { copies, images });
    const made = await prepare("live", root);
    expect([made.images, made.contents]).toEqual([785, 29]); // every fifth of 982 is an undistorted copy
    const rows = rowsOf(folder, "live_all_clip.txt");
    const { dmos } = JSON.parse(readFileSync(fixture("values.json"), "utf8")) as { dmos: number[] }; // its script
    expect(rows[0]).toEqual([
      "jp2k/img2.bmp",
      String(111 - (dmos[1] ?? NaN)),
      "jpeg2000 compression",
      ...new Array<string>(3).fill("invalid"),
    ]);
    expect(rows.find(([image]) => image?.startsWith("fastfading/"))?.[2]).toBe("fastfading");
    expect(Math.min(...rows.map(([, mos]) => Number(mos)))).toBe(0); // the worst
    expect(await complaints("live", root)).toEqual([]);
  });

  it("reads CLIVE's three MATLAB files without the images that taught people the task", async () => {
    const files = ["AllImages_release.mat", "AllMOS_release.mat", "AllStdDev_release.mat"];
    const images = ["3.bmp", "10.JPG", "11.bmp", "12.bmp"].map((image) => `Images/${image}`);
    const copies = Object.fromEntries(files.map((file) => [`Data/${file}`, file]));
    const { root, folder } = distribution("clive", { copies, images });
    await prepare("clive", root);
    expect(rowsOf(folder, "clive_all.txt")).toEqual([
      ["Images/3.bmp", "52.500000", "17.000000"],
      ["Images/10.JPG", "60.000000", "18.000000"],
      ["Images/11.bmp", "67.500000", "19.000000"],
      ["Images/12.bmp", "75.000000", "20.000000"],
    ]);
  });

  it("reads BID's grades", async () => {
    const images = ["0001", "0004", "0456", "0007"].map((number) => `ImageDatabase/DatabaseImage${number}.JPG`);
    const { root, folder } = distribution("bid", { copies: { "DatabaseGrades.xlsx": "DatabaseGrades.xlsx" }, images });
    await prepare("bid", root);
    expect(rowsOf(folder, "bid_all_clip.txt")[2]).toEqual([
      "ImageDatabase/DatabaseImage0456.JPG",
      "3.5625",
      ...new Array<string>(4).fill("invalid"),
    ]);
  });

  describe("of KonIQ-10k", () => {
    const names = Array.from({ length: 6 }, (_, i) => `${i}.jpg`);
    const scores = `image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore\n${names.map((name, i) => `${name},1,2,3,4,5,15,${1 + i / 4},0.5,50`).join("\n")}\n`;
    const sets = ["training", "training", "validation", "test", "training", "test"];
    const texts = {
      "koniq10k_scores_and_distributions.csv": scores,
      "koniq10k_distributions_sets.csv": `image_name,MOS,SD,set\n${names.map((name, i) => `${name},80,2,${sets[i] ?? ""}`).join("\n")}\n`,
    };
    const images = names.map((name) => `1024x768/${name}`);

    it("names every row that it leaves out, and refuses an image with two rows", async () => {
      const file = "koniq10k_scores_and_distributions.csv";
      const without = { ...texts, [file]: `${scores}6.jpg,1,2,3,4,5,15,,0.5,50\n,,,,,,,,,\n` };
      const { root } = distribution("koniq10k", { texts: without, images });
      const { distribution: read } = await prepare("koniq10k", root);
      expect(read.images).toHaveLength(6);
      expect(read.leftOut).toEqual([expect.stringMatching(/distributions\.csv:8 \(6\.jpg, .*"MOS" is empty$/)]);
      const twice = { ...texts, [file]: `${scores}3.jpg,1,2,3,4,5,15,2,0.5,50\n` };
      const doubled = distribution("koniq10k", { texts: twice, images });
      await expect(prepare("koniq10k", doubled.root)).rejects.toThrow(/1 image with several rows.*\n.*3\.jpg: 2 rows/);
    });

    it("takes MOS from 1 to 5, and with --official the makers' split alone", async () => {
      const { root, folder } = distribution("koniq10k", { texts, images });
      const made = await prepare("koniq10k", root, { isOfficial: true });
      expect(made.splits).toBe(1);
      const paths = (subset: string) => rowsOf(folder, `1/koniq10k_${subset}_clip.txt`).map(([image]) => image);
      expect([paths("train"), paths("val"), paths("test")]).toEqual([
        ["1024x768/0.jpg", "1024x768/1.jpg", "1024x768/4.jpg"],
        ["1024x768/2.jpg"],
        ["1024x768/3.jpg", "1024x768/5.jpg"],
      ]);
      expect(rowsOf(folder, "koniq10k_all.txt")[2]).toEqual(["1024x768/2.jpg", "1.500000", "0.500000"]);
      expect(existsSync(path.join(folder, "splits2/2"))).toBe(false);
    });

    it("says where the makers' split is, and refuses one that leaves an image out", async () => {
      const scoresOnly = { "koniq10k_scores_and_distributions.csv": scores };
      const { root } = distribution("koniq10k", { texts: scoresOnly, images });
      await expect(prepare("koniq10k", root, { isOfficial: true })).rejects.toThrow(
        "koniq10k_distributions_sets.csv, which is not there",
      );
      const gap = { ...texts, "koniq10k_distributions_sets.csv": "image_name,set\n0.jpg,training\n" };
      const partial = distribution("koniq10k", { texts: gap, images });
      await expect(prepare("koniq10k", partial.root, { isOfficial: true })).rejects.toThrow(
        "in no part of the makers' split",
      );
      expect(existsSync(path.join(partial.folder, "splits2"))).toBe(false);
    });
  });

  it("reads TID2013's scores, whatever the case of its names, each type as the nearest of LIQE's", async () => {
    const images = ["i01_01_1.bmp", "i01_12_2.bmp", "I02_08_1.bmp", "i03_24_5.bmp", "i02_08_2.bmp"];
    const listed = ["I01_01_1.bmp", "I01_12_2.bmp", "i02_08_1.bmp", "i03_24_5.bmp", "I02_08_2.bmp"];
    const texts = {
      "mos_with_names.txt": `${listed.map((name, i) => `${(i + 1.51429).toFixed(5)} ${name}`).join("\r\n")}\r\n`,
      "mos_std.txt": "0.1\n0.2\n0.3\n0.4\n0.5\n",
    };
    const { root, folder } = distribution("tid2013", {
      texts,
      images: images.map((name) => `distorted_images/${name}`),
    });
    const made = await prepare("tid2013", root);
    expect(made.contents).toBe(3);
    expect(rowsOf(folder, "tid2013_all_clip.txt").map((row) => row.slice(0, 3))).toEqual([
      ["distorted_images/i01_01_1.bmp", "1.51429", "white noise"],
      ["distorted_images/i01_12_2.bmp", "2.51429", "jpeg compression"],
      ["distorted_images/I02_08_1.bmp", "3.51429", "gaussian blur"],
      ["distorted_images/i03_24_5.bmp", "4.51429", "other"],
      ["distorted_images/i02_08_2.bmp", "5.51429", "gaussian blur"],
    ]);
    expect(await complaints("tid2013", root)).toEqual([]);
    const types = Array.from({ length: 24 }, (_, i) => {
      return knownDatabase("tid2013")?.typeOfPath?.(`i01_${String(i + 1).padStart(2, "0")}_1.bmp`) ?? "";
    });
    const known = Object.values(PUBLISHED_LABELS.distortions).flat();
    expect(types.filter((type) => !known.includes(type))).toEqual([]);
  });

  it("reads SPAQ's scores and its scenes, three at most", async () => {
    const copies = {
      "Annotations/MOS and Image attribute scores.xlsx": "spaq-scores.xlsx",
      "Annotations/Scene category labels.xlsx": "spaq-scenes.xlsx",
    };
    const images = [1, 2, 3, 4].map((i) => `TestImage/0000${i}.jpg`);
    const { root, folder } = distribution("spaq", { copies, images });
    await prepare("spaq", root);
    expect(rowsOf(folder, "spaq_all_clip.txt")).toEqual([
      ["TestImage/00001.jpg", "20.5", "invalid", "animal", "invalid", "invalid"],
      ["TestImage/00002.jpg", "41", "invalid", "indoor", "still_life", "invalid"],
      ["TestImage/00003.jpg", "61.5", "invalid", "cityscape", "human", "night"],
      ["TestImage/00004.jpg", "82", "invalid", "invalid", "invalid", "invalid"],
    ]);
    expect(existsSync(path.join(folder, "splits2/spaq_all.txt"))).toBe(false); // no deviations are published
  });

  it("reads AGIQA-3K's quality and keeps a prompt's images together", async () => {
    const rows = Array.from({ length: 9 }, (_, i) => `model_${i}.jpg,"a cat, ${i % 3}",x,y,z,${i / 2},0.5,1,0.5`);
    const texts = {
      "data.csv": `name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align\n${rows.join("\n")}\n`,
    };
    const { root, folder } = distribution("agiqa3k", { texts, images: rows.map((_, i) => `AGIQA-3K/model_${i}.jpg`) });
    expect(await prepare("agiqa3k", root)).toMatchObject({ images: 9, contents: 3 });
    const train = rowsOf(folder, "1/agiqa3k_train_clip.txt").map(
      ([image]) => Number(/\d(?=\.jpg)/.exec(image ?? "")?.[0]) % 3,
    );
    expect([train.length, new Set(train).size]).toEqual([3, 1]);
  });

  it("reads PIPAL's label files", async () => {
    const texts = Object.fromEntries(
      [1, 2, 3].map((i) => [`Train_Label/A000${i}.txt`, `A000${i}_00_00.bmp,145${i}.25\nA000${i}_03_07.bmp,1390\n`]),
    );
    const images = [1, 2, 3].flatMap((i) => [`Distortion_1/A000${i}_00_00.bmp`, `Distortion_2/A000${i}_03_07.bmp`]);
    const { root, folder } = distribution("pipal", { texts, images });
    expect(await prepare("pipal", root)).toMatchObject({ images: 6, contents: 3 });
    expect(rowsOf(folder, "pipal_all_clip.txt")[2]?.slice(0, 3)).toEqual([
      "Distortion_1/A0002_00_00.bmp",
      "1452.25",
      "invalid",
    ]);
  });

  it("writes nothing where images are missing or a file is of another form, and says which", async () => {
    const { root, folder } = distribution("kadid10k", {
      texts: { "dmos.csv": kadidScores() },
      images: ["images/I01_08_01.png"],
    });
    await expect(prepare("kadid10k", root)).rejects.toThrow(
      /14 images not found in images, distorted_images.*\n {2}I01_08_02\.png/,
    );
    expect(existsSync(path.join(folder, "splits2"))).toBe(false);
    const wrong = kadid("image,score\na.png,3\n");
    await expect(prepare("kadid10k", wrong.root)).rejects.toThrow(
      /no row has the columns dist_img, ref_img, dmos, var/,
    );
    const notNumber = kadid(kadidScores().replace(",4,", ",four,"));
    await expect(prepare("kadid10k", notNumber.root)).rejects.toThrow(
      /dmos\.csv:2: dmos: must be a number, got "four"/,
    );
    await expect(prepare("kadid10k", createFolderAtomically())).rejects.toThrow(
      /there is no folder .*kadid10k; get KADID-10k from http/,
    );
    await expect(prepare("kadid", root)).rejects.toThrow(/no known database "kadid"; known are live, csiq/);
    await expect(prepare("bid", root, { folder: "kadid10k" })).rejects.toThrow(
      /DatabaseGrades\.xlsx: cannot be read as an Excel workbook/,
    );
    await expect(prepare("kadid10k", kadid().root, { isOfficial: true })).rejects.toThrow("no split of its makers");
  });
});

describe("turnDmos", () => {
  it("makes the best of 0, and keeps differences", () => {
    expect([dmosToMos(0, 1), dmosToMos(0.25, 1), dmosToMos(111, 111)]).toEqual([1, 0.75, 0]);
  });
});
