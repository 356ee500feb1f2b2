import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { withAbsoluteRoot } from "../../src/api/train/jobs.js";
import { DataConfig } from "../../src/data/config.js";
import { KNOWN_DATABASES, knownDatabase } from "../../src/data/databases/registry.js";
import { resolveLayout, openDatabases } from "../../src/data/openDatabases.js";
import { DISTORTION_TYPES } from "../../src/model/prompts/labels.js";
import { createFolderAtomically, tsv } from "./files.js";

const LIST = tsv(["a.png", 1, "blur", "human", "invalid", "invalid"]);
const NAMES = KNOWN_DATABASES.filter(({ published }) => published !== undefined).map(({ name }) => name);

describe("DataConfig", () => {
  it("fills in its defaults and keeps lists relative when the root becomes absolute", () => {
    const config = DataConfig.parse({ databases: [{ name: "mine", train: "t.csv", imagesPerStep: 2 }] });
    expect(config).toEqual({
      root: "IQA_Database",
      databases: [{ name: "mine", train: "t.csv", imagesPerStep: 2 }],
      sampling: "quota",
      temperature: 2,
      small: "error",
      maxMegapixels: 64,
      onUnreadable: "stop",
      onFindings: "stop",
      onDamage: "warn",
      onMissing: "stop",
      followLinks: true,
      stallSeconds: 300,
      cacheMB: 1024,
      pixelCacheDir: null,
      pixelCacheGB: 20,
    });
    expect(withAbsoluteRoot(config, "/home/me")).toEqual({ ...config, root: "/home/me/IQA_Database" });
  });

  it.each([
    ["one image a step", { databases: [{ name: "a", imagesPerStep: 1 }] }, ["databases", 0, "imagesPerStep"]],
    ["no database", { databases: [] }, ["databases"]],
    ["a name that is a path", { databases: [{ name: "../a", imagesPerStep: 2 }] }, ["databases", 0, "name"]],
    [
      "the same name twice",
      {
        databases: [
          { name: "a", imagesPerStep: 2 },
          { name: "a", imagesPerStep: 2 },
        ],
      },
      ["databases", 1, "name"],
    ],
    ["a quota that is missing", { databases: [{ name: "a" }] }, ["databases", 0, "imagesPerStep"]],
    ["a total with quotas", { databases: [{ name: "a", imagesPerStep: 2 }], imagesPerStep: 4 }, ["imagesPerStep"]],
    ["a temperature without a total", { databases: [{ name: "a" }], sampling: "temperature" }, ["imagesPerStep"]],
    [
      "a total below 2 of each",
      { databases: [{ name: "a" }, { name: "b" }], sampling: "temperature", imagesPerStep: 3 },
      ["imagesPerStep"],
    ],
    [
      "a quota that the temperature would pass over",
      { databases: [{ name: "a", imagesPerStep: 2 }], sampling: "temperature", imagesPerStep: 4 },
      ["databases", 0, "imagesPerStep"],
    ],
    [
      "a temperature below 1",
      { databases: [{ name: "a" }], sampling: "temperature", imagesPerStep: 4, temperature: 0.5 },
      ["temperature"],
    ],
    ["another word for small", { databases: [{ name: "a", imagesPerStep: 2 }], small: "skip" }, ["small"]],
  ])("refuses %s", (_, config, place) => {
    expect(DataConfig.safeParse(config).error?.issues.map((issue) => issue.path)).toEqual([place]);
  });
});

describe("layOut", () => {
  it("knows the folders and list names of the six databases", () => {
    expect(resolveLayout({ name: "koniq10k", imagesPerStep: 16 }, "/db", 7)).toEqual({
      name: "koniq10k",
      folder: "/db/koniq-10k",
      record: "/db/koniq-10k/splits2/7/koniq10k_contents.json",
      lists: {
        train: "/db/koniq-10k/splits2/7/koniq10k_train_clip.txt",
        val: "/db/koniq-10k/splits2/7/koniq10k_val_clip.txt",
        test: "/db/koniq-10k/splits2/7/koniq10k_test_clip.txt",
      },
      deviations: "/db/koniq-10k/splits2/koniq10k_all.txt",
      whole: "/db/koniq-10k/splits2/koniq10k_all_clip.txt",
      drawn: null,
    });
  });

  it("lets the folder's own name stand for a user's lists, and the config's lists come first", () => {
    const database = {
      name: "mine",
      folder: "sets/photos",
      val: "lists/v{split}.csv",
      test: "/x/t.csv",
      imagesPerStep: 2,
    };
    expect(resolveLayout(database, "/db", 3)).toMatchObject({
      folder: "/db/sets/photos",
      lists: {
        train: "/db/sets/photos/splits2/3/photos_train_clip.txt",
        val: "/db/sets/photos/lists/v3.csv",
        test: "/x/t.csv",
      },
    });
  });
});

describe("knownDatabase", () => {
  it("knows types only that the label tables know", () => {
    const types = new Set<string>(Object.values(DISTORTION_TYPES).flat());
    const paths = ["jp2k/a", "jpeg/a", "wn/a", "gblur/a", "fastfading/a"];
    expect(paths.map((image) => types.has(knownDatabase("live")?.typeOfPath?.(image) ?? ""))).not.toContain(false);
    const kadid = Array.from({ length: 25 }, (_, i) => `images/I01_${String(i + 1).padStart(2, "0")}_03.png`);
    expect(kadid.map((image) => types.has(knownDatabase("kadid10k")?.typeOfPath?.(image) ?? ""))).not.toContain(false);
    expect(knownDatabase("toString")).toBeUndefined();
  });
});

describe("openDatabases", () => {
  const lists = (name: string) =>
    Object.fromEntries(
      ["train", "val", "test"].map((subset) => [`${name}/splits2/1/${name}_${subset}_clip.txt`, LIST]),
    );

  it("opens the lists of one split, and only those asked for", async () => {
    const root = createFolderAtomically({ ...lists("photos"), "photos/splits2/photos_all.txt": "a.png\t1\t0.5\n" });
    const config = { root, databases: [{ name: "photos", imagesPerStep: 4 }] };
    const [all] = await openDatabases(config, 1);
    expect(all).toMatchObject({ name: "photos", imagesPerStep: 4, folder: path.join(root, "photos") });
    expect(all?.test).toMatchObject([{ file: path.join(root, "photos/a.png"), mosStd: 0.5, scenes: [2] }]);
    const [some] = await openDatabases(config, 1, { subsets: ["val"] });
    expect([some?.train.length, some?.val.length, some?.test.length]).toEqual([0, 1, 0]);
  });

  it("divides a step by the sizes of the training lists with sampling: temperature", async () => {
    const many = tsv(...Array.from({ length: 9 }, (_, i) => [`${i}.png`, i, "blur", "human", "invalid", "invalid"]));
    const files = { ...lists("photos"), ...lists("more"), "more/splits2/1/more_train_clip.txt": many };
    const root = createFolderAtomically(files);
    const data = { root, databases: [{ name: "photos" }, { name: "more" }], sampling: "temperature" } as const;
    const opened = await openDatabases(DataConfig.parse({ ...data, imagesPerStep: 8 }), 1);
    expect(opened.map(({ imagesPerStep }) => imagesPerStep)).toEqual([2, 6]); // 1 to √9
    const cold = await openDatabases(DataConfig.parse({ ...data, imagesPerStep: 20, temperature: 1 }), 1);
    expect(cold.map(({ imagesPerStep }) => imagesPerStep)).toEqual([2, 18]); // 1 to 9
    const tests = await openDatabases(DataConfig.parse({ ...data, imagesPerStep: 8 }), 1, { subsets: ["test"] });
    expect(tests.map(({ test, imagesPerStep }) => [test.length, imagesPerStep])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  it("says for all missing databases at once what makes or lays out each", async () => {
    const root = createFolderAtomically();
    const databases = ["live", "photos"].map((name) => ({ name, imagesPerStep: 4 }));
    const error: unknown = await openDatabases({ root, databases }, 1).catch((caught: unknown) => caught);
    const [live, photos] = (error as Error).message.split("\n"); // rejected, as the next line checks
    expect(error).toMatchObject({ name: "DataError" });
    expect(live).toMatch(
      /^data\.databases: live: there is no folder .*databaserelease2; get LIVE, release 2 \(779 images\) from https:.*IQA_Database\/README\.md/,
    );
    expect(photos).toContain(`make the database with "liqe data synthesize --photos DIR --out ${root}/photos"`);
  });

  it("names the lists that are missing or faulty", async () => {
    const files = { ...lists("photos"), "photos/splits2/1/photos_val_clip.txt": "a.png\t1\n" };
    const root = createFolderAtomically(files);
    const config = { root, databases: [{ name: "photos", test: "no.csv", imagesPerStep: 4 }] };
    await expect(openDatabases(config, 1)).rejects.toThrow(
      /^data\.databases: photos: split 1 cannot be used\n.*val_clip\.txt: 1 problem\n.*:1: expected 6 columns[^\n]*\n.*no\.csv: there is no such list/,
    );
  });

  it("says what makes the lists of a known database that has none", async () => {
    const root = createFolderAtomically({ "tid2013/readme": "" });
    await expect(openDatabases({ root, databases: [{ name: "tid2013", imagesPerStep: 4 }] }, 1)).rejects.toThrow(
      /there is no such list; check the path\n {2}"liqe data prepare tid2013" makes lists from the makers' own files/,
    );
  });

  const PUBLISHED = path.resolve("../shared/annotations/liqe");
  it.skipIf(!existsSync(PUBLISHED))(
    "opens the first and the last published split of the six databases (../shared)",
    async () => {
      const databases = NAMES.map((name) => ({ name, imagesPerStep: 4 }));
      for (const split of [1, 10]) {
        for (const { name, train, val, test } of await openDatabases({ root: PUBLISHED, databases }, split)) {
          const samples = [...train, ...val, ...test];
          expect([name, samples.length]).toEqual([name, knownDatabase(name)?.images]);
          expect(
            samples.every(
              ({ mosStd, distortion, scenes }) => mosStd !== null && distortion !== null && scenes.length > 0,
            ),
          ).toBe(true);
        }
      }
    },
  );
});
