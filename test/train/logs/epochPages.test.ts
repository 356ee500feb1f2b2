import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { stopRefreshing, writeEpochPages } from "../../../src/train/logs/epochPages.js";
import type { EpochMetrics } from "../../../src/train/logs/metricsLog.js";
import type { RunPlan } from "../../../src/train/plan.js";
import { temporaryFolder } from "../../support/runs.js";

const line = (epoch: number, validation: unknown): EpochMetrics => ({
  kind: "epoch",
  epoch,
  step: 3 * (epoch + 1),
  loss: 1.5 - epoch,
  losses: { quality: 1 - epoch / 4, scene: 0.5 },
  weights: { quality: 1, scene: 0.25 },
  learningRate: 1e-5 / (epoch + 1),
  validation,
  time: { seconds: 60 + epoch },
  memory: { residentMB: 1, tensors: 1 },
});

/** Folder of a run whose metrics.jsonl has these epochs, each after a step, with its pages. */
async function pagesOf(epochs: readonly EpochMetrics[], isTraining = true) {
  const folder = temporaryFolder();
  const step = { ...line(0, null), kind: "step", gradientNorm: 1, unreadable: 0 };
  const lines = epochs.flatMap((epoch) => [{ ...step, step: epoch.step - 1 }, epoch]);
  writeFileSync(join(folder, "metrics.jsonl"), lines.map((one) => `${JSON.stringify(one)}\n`).join(""));
  const plan = { folder, split: 4, config: { train: { epochs: 9 } } } as unknown as RunPlan; // all that is read
  await writeEpochPages(plan, { isTraining });
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  return { folder, csv: read("results.csv"), page: () => read("report.html") };
}

const scored = (name: string, srcc: number | null) => ({
  ...{ name, images: 6, failed: 0, srcc, sceneAccuracy: 0.5, distortionAccuracy: null },
});
const compared = (name: string, pairAccuracy: number | null) => ({
  ...{ name, images: 6, failed: 0, srcc: null, sceneAccuracy: null, distortionAccuracy: null, pairAccuracy, pairs: 3 },
});

describe("results.csv", () => {
  it("has a column for each task and measure of each database, the same in epochs without a validation", async () => {
    const { csv } = await pagesOf([
      line(0, null),
      line(1, { srcc: 0.75, average: 0.625, databases: [scored("live", 0.75), scored('a,"b"', null)] }),
    ]);
    expect(csv).toBe(
      "epoch,steps,loss,loss_quality,loss_scene,weight_quality,weight_scene,learning_rate,val_srcc,val_average," +
        'live_srcc,live_scene_accuracy,live_distortion_accuracy,"a,""b""_srcc","a,""b""_scene_accuracy",' +
        '"a,""b""_distortion_accuracy",seconds\n' +
        "1,3,1.5,1,0.5,1,0.25,0.00001,,,,,,,,,60\n" +
        "2,6,0.5,0.75,0.5,1,0.25,0.000005,0.75,0.625,0.75,0.5,,,0.5,,61\n",
    );
  });

  it("has the accuracy on pairs of a run on pairs, alone and as its mean", async () => {
    const { csv } = await pagesOf([
      line(0, { srcc: null, average: 0.5, pairs: 0.5, databases: [compared("mine", 0.5)] }),
      line(1, { srcc: null, average: null, pairs: null, databases: [compared("mine", null)] }),
    ]);
    expect(csv).toBe(
      "epoch,steps,loss,loss_quality,loss_scene,weight_quality,weight_scene,learning_rate,val_srcc,val_pairs," +
        "val_average,mine_pair_accuracy,seconds\n" +
        "1,3,1.5,1,0.5,1,0.25,0.00001,,0.5,0.5,0.5,60\n" +
        "2,6,0.5,0.75,0.5,1,0.25,0.000005,,,,,61\n",
    );
  });

  it("has both kinds of columns of a run on both kinds of lists, and no mean over pairs", async () => {
    const databases = [scored("live", 0.5), compared("mine", 0.25)];
    const [head = ""] = (await pagesOf([line(0, { srcc: 0.5, average: 0.5, databases })])).csv.split("\n");
    expect(head.slice(head.indexOf("val_srcc"))).toBe(
      "val_srcc,val_average,live_srcc,live_scene_accuracy,live_distortion_accuracy,mine_pair_accuracy,seconds",
    );
  });
});

describe("report.html of a run at work", () => {
  /** Text of the part of the page before its curves, without markup. */
  const said = (page: string) =>
    page
      .slice(page.indexOf("<dl>"), page.indexOf('id="training"'))
      .replace(/<[^>]*>?/g, " ")
      .replace(/\s+/g, " ");

  it("has each epoch's loss and validation, and the best of them", async () => {
    const validation = (srcc: number) => ({ srcc, average: null, databases: [] });
    const run = await pagesOf([line(0, validation(0.75)), line(1, null), line(2, validation(0.5))]);
    const page = run.page();
    expect(page).toContain("<title>Training: 3 of 9 epochs</title>");
    expect(page).toContain('<meta http-equiv="refresh" content="15" />');
    const text = said(page);
    expect(text).toContain("split 4 best so far mean validation SRCC 0.750 The lists' scores");
    expect(text).toContain("epoch loss mean validation SRCC 1 1.5000 0.750 2 0.5000 3 -0.5000 0.500");
    expect(text).not.toContain("batch-0.jpg");
  });

  it("names the measure of a run on pairs, and the first batch where there is a picture of it", async () => {
    const pairs = { srcc: null, average: null, pairs: 0.625, databases: [] };
    const { folder } = await pagesOf([line(0, pairs)]);
    writeFileSync(join(folder, "batch-0.jpg"), "");
    const plan = { folder, split: 4, config: { train: { epochs: 9 } } } as unknown as RunPlan; // all that is read
    await writeEpochPages(plan, { isTraining: false });
    const page = readFileSync(join(folder, "report.html"), "utf8");
    expect(said(page)).toContain("mean validation accuracy on pairs 0.625");
    expect(page).toContain('The first batch is in <a href="batch-0.jpg">batch-0.jpg</a>.');
    expect(page).not.toContain('http-equiv="refresh"');
  });

  it("says that there was no validation yet", async () => {
    expect(said((await pagesOf([line(0, null)])).page())).toContain("best so far no validation yet");
  });
});

describe("stopRefreshing", () => {
  it("takes the refreshing out of the page and nothing else, and does nothing where there is no page", async () => {
    const refreshing = await pagesOf([line(0, null)]);
    const before = refreshing.page();
    await stopRefreshing(refreshing.folder);
    expect(refreshing.page().split("\n")).toEqual(
      before.split("\n").filter((one) => !one.includes('http-equiv="refresh"')),
    );
    const empty = temporaryFolder();
    await stopRefreshing(empty);
    expect(existsSync(join(empty, "report.html"))).toBe(false);
  });
});
