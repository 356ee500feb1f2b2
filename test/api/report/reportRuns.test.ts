import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { reportRuns, writeRunsPage } from "../../../src/api/report/reportRuns.js";
import { ConfigError } from "../../../src/base/errors.js";
import { temporaryFolder } from "../../support/runs.js";

const QUICKSTART = join(import.meta.dirname, "../../fixtures/quickstart/results.json");
const note = () => {};

/** Split of a run that was never computed: its config, its validations and, where it is finished, its results. */
function writeRun(
  folder: string,
  { config, srcc, isFinished }: { config: string; srcc: readonly number[]; isFinished: boolean },
) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.yaml"), config);
  const common = { loss: 1, losses: { quality: 1 }, weights: { quality: 1 }, learningRate: 1 };
  const lines = srcc.flatMap((value, epoch) => [
    { kind: "step", step: 10 * epoch, ...common },
    { kind: "epoch", epoch, step: 10 * (epoch + 1), ...common, validation: { srcc: value }, time: { seconds: 60 } },
  ]);
  writeFileSync(join(folder, "metrics.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  if (isFinished) copyFileSync(QUICKSTART, join(folder, "results.json"));
}

/** Folder with two runs: `a`, with results, and `b`, whose second split was begun. */
function twoRuns(): string {
  const root = temporaryFolder();
  const config = (run: string, rate: number) =>
    `run: ${run}\ntrain: { epochs: 3, learningRate: ${rate}, freeze: [] }\n`;
  writeRun(join(root, "a", "split-1"), { config: config("a", 1e-3), srcc: [0.5, 0.6], isFinished: true });
  writeRun(join(root, "b", "split-2"), { config: config("b", 2e-3), srcc: [0.4], isFinished: false });
  return root;
}

describe("reportRuns", () => {
  it("has each split's state, best validation and results, and the keys whose values differ", async () => {
    const root = twoRuns();
    const { runs, differences } = await reportRuns([join(root, "a"), join(root, "b", "split-2")], note);
    expect(runs.map(({ run, split, best, validation }) => ({ run, split, best, validation }))).toEqual([
      { run: "a", split: 1, best: { measure: "srcc", value: 0.6, epoch: 2, srcc: 0.6 }, validation: [{ step: 10, srcc: 0.5 }, { step: 20, srcc: 0.6 }] },
      { run: "b", split: 2, best: { measure: "srcc", value: 0.4, epoch: 1, srcc: 0.4 }, validation: [{ step: 10, srcc: 0.4 }] },
    ]); // prettier-ignore
    expect(runs[0]?.results?.databases[0]).toMatchObject({ name: "clive-sample", images: 120 });
    expect(runs[1]?.results).toBeNull();
    expect(differences).toEqual([{ key: "train.learningRate", values: [0.001, 0.002] }]);
  });

  it("takes a folder of runs for all of them, and each of them once", async () => {
    const root = twoRuns();
    const { runs } = await reportRuns([root, join(root, "a")], note);
    expect(runs.map(({ run }) => run)).toEqual(["a", "b"]);
  });

  it("refuses what is no run", async () => {
    const root = twoRuns();
    await expect(reportRuns([join(root, "a", "split-7")], note)).rejects.toThrow(ConfigError);
    await expect(reportRuns([temporaryFolder()], note)).rejects.toThrow("is no run");
  });
});

describe("writeRunsPage", () => {
  it("shows values with intervals, a curve a run, and leads to a report that is there", async () => {
    const root = twoRuns();
    writeFileSync(join(root, "a", "split-1", "report.html"), "");
    const file = join(root, "runs.html");
    await writeRunsPage(file, await reportRuns([root], note));
    const page = readFileSync(file, "utf8");
    expect(page).toContain('href="a/split-1/report.html"');
    expect(page).not.toContain("b/split-2/report.html");
    expect(page).toMatch(/<data value="0\.556\d+">0?\.556<\/data>\s*<small>0?\.397&nbsp;to 0?\.700<\/small>/);
    expect(page).toContain('aria-label="mean validation SRCC over the steps of training"');
    expect(page).toContain("train.learningRate");
    expect(page).not.toContain("undefined");
  });
});
