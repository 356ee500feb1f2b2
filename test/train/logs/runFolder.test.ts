import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { parse } from "csv-parse/sync";
import type { Database, PairSample, Sample } from "../../../src/data/sample.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { captionOf } from "../../../src/train/logs/firstBatch.js";
import { labelsSvg } from "../../../src/train/logs/labelsSvg.js";
import type { EpochMetrics, StepMetrics } from "../../../src/train/logs/metricsLog.js";
import type { RunPlan } from "../../../src/train/plan.js";
import { trainSplit } from "../../../src/train/run.js";
import { validateRun } from "../../../src/train/validate.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../../support/runs.js";

const root = await toyDatabase();

const newPlan = (train: Record<string, unknown>) => toyPlan(root, temporaryFolder(), train);

/** Trains until `isStopped`; keeps the report as it was whenever that was asked. */
async function trained(plan: RunPlan, isStopped = () => false): Promise<string[]> {
  const reports: string[] = [];
  const file = join(plan.folder, "report.html");
  await trainSplit(plan, {
    validate: (model) => validateRun(model, plan, new AbortController()),
    signal: stopWhen(() => {
      if (existsSync(file)) reports.push(readFileSync(file, "utf8"));
      return isStopped();
    }),
  });
  return reports;
}

const read = (plan: RunPlan, name: string) => readFileSync(join(plan.folder, name), "utf8");

const epochsOf = (plan: RunPlan) =>
  read(plan, "metrics.jsonl")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as StepMetrics | EpochMetrics) // our own file
    .filter((line) => line.kind === "epoch");

const rowsOf = (plan: RunPlan) =>
  parse(read(plan, "results.csv"), { columns: true }) as unknown as Readonly<Record<string, string>>[];

describe("results.csv of a run", () => {
  it("has a line for each epoch, with the values of metrics.jsonl, through a stop and a resume", async () => {
    const plan = await newPlan({ epochs: 3, validateEveryEpochs: 2 });
    let asked = 0;
    await trained(plan, () => ++asked >= 5); // inside the second epoch
    expect(rowsOf(plan)).toHaveLength(1);
    await trained(plan);
    const rows = rowsOf(plan);
    const epochs = epochsOf(plan);
    expect(rows.map(({ epoch, steps }) => [epoch, steps])).toEqual([["1", "3"], ["2", "6"], ["3", "9"]]); // prettier-ignore
    for (const [i, row] of rows.entries()) {
      const { loss, losses, weights, learningRate, validation } = epochs[i] ?? {};
      const srcc = (validation as { srcc: number } | null)?.srcc;
      expect(row).toMatchObject({
        loss: String(loss),
        loss_quality: String(losses?.["quality"]),
        loss_distortion: String(losses?.["distortion"]),
        weight_quality: String(weights?.["quality"]),
        learning_rate: String(learningRate),
        val_srcc: srcc === undefined ? "" : String(srcc),
        toys_srcc: srcc === undefined ? "" : String(srcc),
      });
    }
    expect(rows.map(({ val_srcc: srcc }) => srcc === "")).toEqual([true, false, false]);
  });
});

describe("report.html of a run at work", () => {
  it("is written after every epoch and refreshes itself, until nothing trains any more", async () => {
    const plan = await newPlan({ epochs: 3 });
    const reports = await trained(plan);
    const titles = reports.map((text) => /<title>(.*?)<\/title>/.exec(text)?.[1]);
    expect([...new Set(titles)]).toEqual([
      "Training: 1 of 3 epochs",
      "Training: 2 of 3 epochs",
      "Training: 3 of 3 epochs",
    ]);
    const refreshes = reports.map((text) => text.includes('<meta http-equiv="refresh" content="15" />'));
    expect(refreshes.slice(0, -1)).toEqual(refreshes.slice(0, -1).map(() => true));
    const left = read(plan, "report.html");
    expect(left).toContain("Training: 3 of 3 epochs");
    expect(left).not.toContain('http-equiv="refresh"');
    expect(left).toContain("loss of each task");
  });

  it("refreshes itself no more where the run was stopped", async () => {
    const plan = await newPlan({ epochs: 3 });
    let asked = 0;
    await trained(plan, () => ++asked >= 5);
    expect(read(plan, "report.html")).toContain("Training: 1 of 3 epochs");
    expect(read(plan, "report.html")).not.toContain('http-equiv="refresh"');
  });
});

describe("batch-0.jpg of a run", () => {
  it("shows the first crop of each image of the first batch, and is the same for the same seed", async () => {
    const [plan, again, other] = [
      await newPlan({ epochs: 1 }),
      await newPlan({ epochs: 1 }),
      await newPlan({ epochs: 1 }),
    ];
    await trained(plan);
    await trained(again);
    await trained({ ...other, config: { ...other.config, seed: 8 } });
    const bytes = (one: RunPlan) => readFileSync(join(one.folder, "batch-0.jpg"));
    const { format, width, height } = await sharp(bytes(plan)).metadata();
    expect({ format, width, height }).toEqual({ format: "jpeg", width: 4 * 232 + 8, height: 224 + 16 + 3 * 18 + 8 });
    expect(bytes(again).equals(bytes(plan))).toBe(true);
    expect(readFileSync(join(plan.folder, "report.html"), "utf8")).toContain('<a href="batch-0.jpg">batch-0.jpg</a>');
    expect(bytes(other).equals(bytes(plan))).toBe(false);
    // Captions stand below the crops, on white: something dark is there
    const { data } = await sharp(bytes(plan)).extract({ left: 8, top: 234, width: 920, height: 56 }).raw().toBuffer({ resolveWithObject: true }); // prettier-ignore
    expect(data.filter((value) => value < 100).length).toBeGreaterThan(200);
  });

  it("has the labels of each image, and the model's words, below it", () => {
    const scenes = new Float32Array(2 * 9);
    scenes.set([1, 0, 0, 0, 0, 1], 9);
    const batch = {
      files: ["/a/x.png", "/a/y.png"],
      mos: Float32Array.of(3, 61.789),
      databases: [{ name: "a", images: 2, mosSpan: 60, mosLowest: 3, shares: undefined }],
      scenes,
      distortions: Int32Array.of(-1, 3),
    };
    const caption = (i: number) =>
      captionOf(batch, i, { said: { quality: 2.345, scene: "plant", distortion: "noise" }, labels: PUBLISHED_LABELS });
    expect(caption(0)).toEqual(["x.png", "MOS 3", "says 2.35, plant, noise"]);
    expect(caption(1)).toEqual(["y.png", "MOS 61.79, animal + night, blur", "says 2.35, plant, noise"]);
    const none = {
      mos: Float32Array.of(NaN, NaN),
      scenes: new Float32Array(2 * 9),
      distortions: Int32Array.of(-1, -1),
    };
    const databases = [{ name: "a", images: 2, mosSpan: undefined, mosLowest: undefined, shares: [0.75] }];
    const said = { quality: 2.345, scene: "plant", distortion: "noise" } as const;
    const ofPair = (i: number) => captionOf({ ...batch, ...none, databases }, i, { said, labels: PUBLISHED_LABELS })[1];
    expect([ofPair(0), ofPair(1)]).toEqual(["75 % prefer it", "25 % prefer it"]);
  });
});

describe("labels.svg", () => {
  const sample = (mos: number, distortion: number | null, scenes: readonly number[]) =>
    ({ mos, distortion, scenes }) as unknown as Sample; // all that is counted
  const database = {
    name: "a<b",
    train: [sample(0, 2, [0]), sample(10, 2, [0, 5]), sample(12, null, []), sample(11.9, 3, [7])],
    val: [],
    test: [sample(6, 2, [8])],
  } as unknown as Database; // all that is read

  /** Label and count of each bar, a row of three panels after the other. */
  const bars = [
    ...labelsSvg([database], PUBLISHED_LABELS).matchAll(
      /text-anchor="end">([^<]*)<\/text><rect[^>]*\/><text[^>]*>(\d+)</g,
    ),
  ].map(([, label = "", count]) => [label, Number(count)] as const);
  const counted = (from: number, to: number) => bars.slice(from, to).filter(([, count]) => count > 0);

  it("counts each list's scores in bins of the database's range, and an image for each of its labels", () => {
    expect(counted(0, 12)).toEqual([["0 to 1", 1], ["10 to 11", 1], ["11 to 12", 2]]); // prettier-ignore
    expect(counted(12, 22)).toEqual([["animal", 2], ["night", 1], ["still life", 1], ["no label", 1]]); // prettier-ignore
    expect(counted(22, 34)).toEqual([["noise", 2], ["blur", 1], ["no label", 1]]); // prettier-ignore
    expect(counted(34, 46)).toEqual([["6 to 7", 1]]);
    expect(bars).toHaveLength(34 + 12 + 9 + 11);
  });

  it("has a row for each list that has images, and no markup of a name's", () => {
    const text = labelsSvg([database], PUBLISHED_LABELS);
    expect([...text.matchAll(/font-weight="bold">([^<]*)</g)].map(([, title]) => title)).toEqual([
      "a&lt;b, train: 4 images",
      "a&lt;b, test: 1 images",
    ]);
  });

  it("is this picture of scores, labels and shares, the same for the same lists", () => {
    const pair = (p: number) => ({ p }) as unknown as PairSample; // all that is counted
    const labels = { ...PUBLISHED_LABELS, scenes: ["animal", "still_life"], distortions: { blur: [], noise: [] } };
    const own = {
      name: "own",
      train: [sample(1, 0, [0]), sample(5, 1, [0, 1]), sample(3, 1, []), sample(1.2, 0, [1])],
      val: [sample(2, null, [1])],
      test: [],
    };
    const flat = { name: "flat", train: [], val: [], test: [sample(7, 0, [0]), sample(7, 0, [0])] };
    const pairs = { train: [pair(0), pair(1), pair(0.5), pair(0.99)], val: [] };
    const compared = { name: "A&B", train: [], val: [], test: [], pairs };
    const text = labelsSvg([own, flat, compared] as unknown as Database[], labels); // all that is read
    expect(text).toBe(readFileSync(new URL("../../fixtures/train/labels.svg", import.meta.url), "utf8"));
  });

  it("is in the folder of a run", async () => {
    const plan = await newPlan({ epochs: 1 });
    await trained(plan);
    expect(read(plan, "labels.svg")).toContain("toys, train: 12 images");
  });
});
