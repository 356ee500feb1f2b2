import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { describeReport } from "../../../src/cli/commands/dataCheck.js";
import { checkDatabases, checkList } from "../../../src/data/audit/check.js";
import { contentOf } from "../../../src/data/databases/content.js";
import { KNOWN_DATABASES } from "../../../src/data/databases/registry.js";
import { readPublishedScores } from "../../../src/data/lists/publishedScores.js";
import { readList } from "../../../src/data/lists/readList.js";
import { resolveLayout, openDatabases } from "../../../src/data/openDatabases.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { createFolderAtomically, pngOf, tsv } from "../files.js";

const LIQE = KNOWN_DATABASES.filter(({ published }) => published !== undefined);
const PUBLISHED = path.resolve("../shared/annotations/liqe");
const LISTS_ONLY = { tables: PUBLISHED_LABELS, depth: "lists" } as const;
const row = (image: string, mos: number | string, distortion = "blur") => [
  image,
  mos,
  distortion,
  "human",
  "invalid",
  "invalid",
];

/** Kind and severity of each finding, and the image; without what small lists always show: labels that none has. */
const brief = ({ findings }: Awaited<ReturnType<typeof checkDatabases>>) =>
  findings
    .filter(({ kind }) => kind !== "skew")
    .map(({ kind, severity, image }) => `${severity} ${kind} ${image ?? ""}`.trim());

describe("checkDatabases", () => {
  it("compares subsets, whatever their lists are called", async () => {
    const list = "image,mos\n1.bmp,3\n2.bmp,4\n";
    const root = createFolderAtomically({ "mine/one.csv": list });
    const named = { train: "one.csv", val: "one.csv", test: "one.csv" };
    const report = await checkDatabases(
      { root, databases: [{ name: "mine", ...named, imagesPerStep: 2 }] },
      LISTS_ONLY,
    );
    const overlaps = brief(report).filter((line) => line.includes("overlap"));
    expect(overlaps).toEqual([1, 2, 1, 2].map((i) => `error overlap ${i}.bmp`));
  });

  it("finds planted faults of lists, each image once over all splits", async () => {
    const live = (split: number, subset: string) => `databaserelease2/splits2/${split}/live_${subset}_clip.txt`;
    const faults = {
      train: tsv(row("jpeg/1.bmp", 50, "jpeg compression"), row("jpeg/2.bmp", 500, "jpeg compression")),
      val: tsv(row("fastfading/3.bmp", 20, "white noise"), row("jpeg/1.bmp", 50, "jpeg compression")),
      test: tsv(
        row("wn/4.bmp", "n/a", "white noise"),
        row("wn/5.bmp", 3, "white noise"),
        row("wn/5.bmp", 3, "white noise"),
      ),
    };
    const root = createFolderAtomically({
      [live(1, "train")]: faults.train,
      [live(1, "val")]: faults.val,
      [live(1, "test")]: faults.test,
      [live(2, "train")]: faults.train.replace("\t50\t", "\t51\t"),
      [live(2, "val")]: tsv(row("fastfading/3.bmp", 20, "white noise")),
    });
    const report = await checkDatabases({ root, databases: [{ name: "live", imagesPerStep: 4 }] }, LISTS_ONLY);
    expect(brief(report).toSorted()).toEqual([
      "error duplicate wn/5.bmp",
      "error list-missing",
      "error mos wn/4.bmp",
      "error overlap jpeg/1.bmp",
      "warning contradiction fastfading/3.bmp",
      "warning count",
      "warning disagreement jpeg/1.bmp",
      "warning range jpeg/2.bmp",
    ]);
    expect(report.counts["live"]).toMatchObject({ images: 4, splits: 2, train: 2, val: 2, test: 1 });
    expect(report.counts["live"]?.mos).toEqual({ low: 3, high: 500, mean: (50 + 500 + 20 + 3) / 4 });
    expect(report.counts["live"]?.distortions).toEqual({ "jpeg compression": 2, noise: 2 });
    expect(report.findings.find(({ kind }) => kind === "overlap")).toMatchObject({
      database: "live",
      list: path.join(root, live(1, "val")),
      line: 2,
      message: expect.stringContaining(`jpeg/1.bmp: stands in ${path.join(root, live(1, "train"))}:1 too`) as string,
    });
  });

  it("reports a missing database as a finding", async () => {
    const report = await checkDatabases(
      { root: createFolderAtomically(), databases: [{ name: "bid", imagesPerStep: 4 }] },
      LISTS_ONLY,
    );
    expect(brief(report)[0]).toBe("error list-missing");
    expect(report.findings[0]?.message).toContain("there is no folder");
  });

  it.skipIf(!existsSync(PUBLISHED))("finds in the published lists what is known of them (../shared)", async () => {
    const databases = LIQE.map(({ name }) => ({ name, imagesPerStep: 4 }));
    const report = await checkDatabases({ root: PUBLISHED, databases }, LISTS_ONLY);
    const contradictions = report.findings.filter(({ kind }) => kind === "contradiction");
    expect(contradictions).toHaveLength(145);
    expect(contradictions.every(({ image }) => image?.startsWith("fastfading/"))).toBe(true);
    expect(brief(report).filter((finding) => !finding.includes("contradiction"))).toEqual([
      "note deviation", // 22 of CSIQ
      "note deviation", // 2 of KADID
    ]);
    const untrained = report.findings.filter(({ kind, severity }) => kind === "skew" && severity === "warning");
    expect(untrained.map(({ database }) => database)).toEqual(new Array(6).fill("kadid10k")); // scene "indoor"
    const counts = Object.values(report.counts).map(({ images, splits }) => [images, splits]);
    expect(counts).toEqual([779, 866, 586, 1162, 10073, 10125].map((images) => [images, 10]));
  });
});

describe("the published lists (../shared)", () => {
  it.skipIf(!existsSync(PUBLISHED))(
    "load, all 180 of them, the four of all images, and the six with deviations",
    async () => {
      const context = { tables: PUBLISHED_LABELS, published: new Map<string, { mos: number; deviation: number }>() };
      let lists = 0;
      let whole = 0;
      for (const { name, images } of LIQE) {
        for (let split = 1; split <= 10; split++) {
          const layout = resolveLayout({ name }, PUBLISHED, split);
          const read = Object.values(layout.lists).map(async (list) => {
            return readList(list, { ...context, database: name, folder: layout.folder });
          });
          const parts = await Promise.all(read);
          lists += parts.length;
          const paths = parts.flat().map(({ image }) => image);
          expect([name, split, paths.length, new Set(paths).size]).toEqual([name, split, images, images]); // none shared
        }
        const { folder, deviations, whole: all } = resolveLayout({ name }, PUBLISHED, 1);
        expect((await readPublishedScores(deviations)).size).toBe(images);
        if (!existsSync(all)) continue; // BID's and KADID's are not published
        whole++;
        expect(await readList(all, { ...context, database: name, folder })).toHaveLength(images);
      }
      expect([lists, whole]).toEqual([180, 4]);
    },
  );

  it.skipIf(!existsSync(PUBLISHED))("keep CSIQ's 30 and KADID's 81 contents in one list each", async () => {
    for (const [name, contents] of [
      ["csiq", 30],
      ["kadid10k", 81],
    ] as const) {
      for (let split = 1; split <= 10; split++) {
        const [database] = await openDatabases({ root: PUBLISHED, databases: [{ name }] }, split);
        const parts = [database?.train, database?.val, database?.test].map(
          (samples) => new Set(samples?.map(({ image }) => contentOf({ database: name, image }))),
        );
        const sizes = parts.map(({ size }) => size);
        expect(sizes.every((size) => size > 0)).toBe(true);
        expect([name, split, sizes.reduce((a, b) => a + b)]).toEqual([name, split, contents]);
      }
    }
  });
});

describe("checkList", () => {
  it("finds missing, unreadable and small images", async () => {
    const folder = createFolderAtomically({
      "mine.csv": "image,mos\ngood.png,1\ntext.png,2\nsmall.png,3\ngone.png,4\n",
      "good.png": await pngOf(224, 224),
      "text.png": "text",
      "small.png": await pngOf(20, 20),
    });
    const report = await checkList(path.join(folder, "mine.csv"), folder, {
      tables: PUBLISHED_LABELS,
    });
    expect(brief(report)).toEqual([
      "note unlabelled",
      "error missing gone.png",
      "error unreadable text.png",
      "error small small.png",
    ]);
    const shown = describeReport(report);
    expect(shown).toMatch(/^mine: 4 images in 1 split .*MOS 1 to 4, mean 2\.5\n {2}distortions: no labels/);
    expect(shown).toContain("error: mine: missing (1)\n  ");
    expect(shown.trimEnd().split("\n").at(-1)).toBe("3 errors, 0 warnings, 1 note");
  });

  it("calls scores that are all the same an error", async () => {
    const folder = createFolderAtomically({
      "a.csv": "image,mos,distortion,scene\n1.png,2,blur,human\n2.png,2,blur,human\n",
    });
    expect(brief(await checkList(path.join(folder, "a.csv"), folder, LISTS_ONLY))).toEqual(["error range"]);
  });
});
