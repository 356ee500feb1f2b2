import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { SILENT } from "../../src/base/types.js";
import { DataConfig } from "../../src/data/config.js";
import { unpacked } from "../../src/data/lists/packSamples.js";
import type { Database, Sample } from "../../src/data/sample.js";
import { predictSamples } from "../../src/evaluate/scoring/predictions.js";
import type { Group } from "../../src/engine/cluster/collective.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { PUBLISHED_LABELS } from "../../src/model/prompts/labels.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import type { FeatureStore } from "../../src/train/features/featureStore.js";
import { RankShare } from "../../src/train/rankShare.js";
import type { RunPlan } from "../../src/train/plan.js";
import { validate, validateRun } from "../../src/train/validate.js";
import { LABELS, prediction } from "../evaluate/support.js";
import { TOY_ARCHITECTURE } from "../support/runs.js";

vi.mock("../../src/evaluate/scoring/predictions.js", async (original) => ({
  ...(await original<object>()),
  predictSamples: vi.fn(),
}));

let model: LiqeModel;
beforeAll(() => {
  model = new LiqeModel(initialParameters(TOY_ARCHITECTURE, 1), promptGrid());
});
afterAll(() => {
  model.dispose();
});

/** A database whose validation list has one sample, which the mocked scoring does not look at. */
const database = (name: string): Database => ({
  ...{ name, folder: "/db", imagesPerStep: 1, train: [], test: [] },
  val: [{ database: name } as Sample], // scored by nobody
});

/** Predictions of four images: SRCC .8, two scenes of four right, three distortions of four. */
const PREDICTED = [1, 2, 3, 4].map((quality, i) =>
  prediction({
    quality,
    mos: [10, 30, 20, 40][i] ?? NaN,
    sceneLabels: [i < 2 ? "animal" : "night"],
    distortionLabel: i < 3 ? "blur" : "noise",
  }),
);

async function validated(...lists: (typeof PREDICTED)[]) {
  for (const predictions of lists) vi.mocked(predictSamples).mockResolvedValueOnce({ predictions, failed: [] });
  const images = DataConfig.parse({ root: "/", databases: [{ name: "mine", imagesPerStep: 2 }] });
  const scoring = { crops: 1, microBatch: 1, order: "name", images } as const;
  const databases = lists.map((_, i) => database(`list${i}`));
  return validate(model, databases, { names: LABELS, scoring });
}

describe("validate", () => {
  it("takes scenes for scenes and distortions for distortions, and averages all three measures", async () => {
    const result = await validated(PREDICTED);
    expect(result.databases).toMatchObject([{ images: 4, sceneAccuracy: 0.5, distortionAccuracy: 0.75 }]);
    expect([result.databases[0]?.srcc, result.srcc, result.average].map(Number)).toBeAllClose(
      [0.8, 0.8, (0.8 + 0.5 + 0.75) / 3],
      { rtol: 1e-12, atol: 0 },
    );
  });

  it("takes the mean of each measure over the databases that have it", async () => {
    const unlabeled = PREDICTED.map((one) => ({ ...one, mos: one.quality, sceneLabels: [], distortionLabel: null }));
    const { srcc, average, databases } = await validated(PREDICTED, unlabeled);
    expect(databases[1]).toMatchObject({ sceneAccuracy: null, distortionAccuracy: null });
    expect([srcc, average].map(Number)).toBeAllClose([0.9, (0.9 + 0.5 + 0.75) / 3], { rtol: 1e-12, atol: 0 });
  });

  it("scores its own part of a list by kept features, where several processes validate", async () => {
    const asked: string[] = [];
    const of = ({ file }: { file: string }) => {
      asked.push(file);
      return Promise.resolve({ values: new Float32Array(TOY_ARCHITECTURE.embedding).fill(0.5), crops: 1, look: "" });
    };
    const store = { of } as unknown as FeatureStore; // all that a validation asks of it
    const group = {
      ...{ rank: 1, size: 2, alongside: (work: () => unknown) => work() },
      gatherJson: (part: unknown) => Promise.resolve([part]),
    } as unknown as Group; // the other process's part is empty
    const sample = { folder: "/", list: "", scenes: [], distortion: null, mos: 1, mosStd: null } as unknown as Sample; // what a prediction takes of it
    const val = ["a", "b", "c", "d"].map((file) => ({ ...unpacked(sample), database: "mine", image: file, file }));
    const images = DataConfig.parse({ root: "/", databases: [{ name: "mine", imagesPerStep: 2 }] });
    const { databases } = await validate(model, [{ ...database("mine"), val }], {
      names: { scenes: PUBLISHED_LABELS.scenes, distortions: Object.keys(PUBLISHED_LABELS.distortions) },
      scoring: { crops: 1, microBatch: 1, order: "name", images },
      features: store,
      share: new RankShare(group, { aborted: false }),
    });
    expect(asked).toEqual(["c", "d"]);
    expect(databases[0]?.images).toBe(2);
  });
});

describe("validateRun", () => {
  /** Line that is told of a validation of these lists. */
  async function told(databases: readonly Database[], ...lists: (typeof PREDICTED)[]) {
    for (const predictions of lists) vi.mocked(predictSamples).mockResolvedValueOnce({ predictions, failed: [] });
    const notes: string[] = [];
    const data = DataConfig.parse({ root: "/", databases: [{ name: "mine", imagesPerStep: 2 }] });
    const plan = {
      config: { evaluate: { validationCrops: 1 }, data },
      labels: PUBLISHED_LABELS,
      databases,
      reporter: { progress: () => undefined, note: (line: string) => notes.push(line) },
      share: null,
    } as unknown as RunPlan; // all that a validation reads
    await validateRun(model, plan);
    return notes;
  }

  it("tells each database's measures and the mean that chooses, or that there are no lists", async () => {
    const unlabeled = PREDICTED.map((one) => ({ ...one, mos: 1, sceneLabels: [], distortionLabel: null }));
    expect(await told([database("live"), database("flat")], PREDICTED, unlabeled)).toEqual([
      "validation: mean SRCC 0.800  (live: SRCC 0.800, scene 0.500, distortion 0.750; flat: SRCC none, scene none, " +
        "distortion none)",
    ]);
    expect(await told([{ ...database("live"), val: [] }])).toEqual(["no validation lists"]);
  });

  it("tells the accuracy on pairs of a database of pairs", async () => {
    const one = { database: "mine", image: "a.png", file: "/nowhere/a.png" } as unknown as Sample; // cannot be read
    const pairs = { train: [], val: [{ a: one, b: one, p: 0.5 }] };
    const compared = { ...database("mine"), val: [], pairs } as unknown as Database; // as far as it is read
    expect(await told([compared])).toEqual([
      "validation: mean accuracy on pairs none  (mine: accuracy none on 0 pairs)",
    ]);
  });

  it("is given up where its own signal ended it, and passes any other fault on", async () => {
    const controller = new AbortController();
    const plan = {
      config: {
        evaluate: { validationCrops: 1 },
        data: DataConfig.parse({ root: "/", databases: [{ name: "a", imagesPerStep: 2 }] }),
      },
      ...{ labels: PUBLISHED_LABELS, databases: [database("live")], reporter: SILENT, share: null },
    } as unknown as RunPlan; // likewise
    const failing = (error: unknown) => {
      vi.mocked(predictSamples).mockRejectedValueOnce(error);
      return validateRun(model, plan, { signal: controller.signal });
    };
    await expect(failing(new Error("no image"))).rejects.toThrow("no image");
    controller.abort(new Error("stop"));
    await expect(failing(new Error("no image"))).rejects.toThrow("no image");
    expect(await failing(controller.signal.reason)).toBeNull();
  });
});
