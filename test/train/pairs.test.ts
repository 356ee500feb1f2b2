import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { judgePairs } from "../../src/api/evaluate/judgePairs.js";
import { planTraining } from "../../src/api/train/dryRun.js";
import { train } from "../../src/api/train/train.js";
import { ConfigError } from "../../src/base/errors.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { DataConfig } from "../../src/data/config.js";
import { openDatabases } from "../../src/data/openDatabases.js";
import type { LossesConfig } from "../../src/losses/config.js";
import { startLoader } from "../../src/data/loader/loader.js";
import { trainSplit } from "../../src/train/run.js";
import { validateRun } from "../../src/train/validate.js";
import { parseSeen } from "../../src/train/checkpoint/seen.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const PAIRS = [
  "a,b,p",
  "astronaut.jpg,chelsea.jpg,0.75",
  "coffee.jpg,astronaut.jpg,1",
  "chelsea.jpg,coffee.jpg,0.5",
  "astronaut.jpg,hubble.jpg,0.2",
  "hubble.jpg,coffee.jpg,0.1",
].join("\n");
const HELD_OUT = "a,b,p\nraccoon.jpg,rocket.jpg,0.7\nretina.jpg,rocket.jpg,0\nraccoon.jpg,retina.jpg,1\n";

/** The toys with scores, beside example photographs in pairs. */
const root = await toyDatabase();
mkdirSync(join(root, "photos"));
cpSync(join(PACKAGE_ROOT, "examples", "photos"), join(root, "photos"), { recursive: true });
writeFileSync(join(root, "photos", "pairs.csv"), PAIRS);
writeFileSync(join(root, "photos", "val.csv"), HELD_OUT);

const TOYS = { name: "toys", imagesPerStep: 4 };
const PHOTOS = { name: "photos", pairs: "pairs.csv", val: "val.csv", imagesPerStep: 4 };

interface Settings {
  readonly engine?: object;
  readonly quality?: LossesConfig["quality"];
  readonly [key: string]: unknown;
}

async function planOf(databases: readonly object[], { engine = {}, quality = "fidelity", ...train }: Settings = {}) {
  const data = DataConfig.parse({ root, databases });
  const plan = await toyPlan(root, temporaryFolder(), { epochs: 2, saveEverySteps: 2, ...train });
  const config = { ...plan.config, data, engine: { ...plan.config.engine, ...engine } };
  const losses = { ...config.losses, quality };
  return { ...plan, config: { ...config, losses }, databases: await openDatabases(data, 1) };
}

type Plan = Awaited<ReturnType<typeof planOf>>;

/** Ports that validate for real, to the end. */
function ports(plan: Plan) {
  const { signal } = new AbortController();
  const validate: Parameters<typeof trainSplit>[1]["validate"] = (model) => validateRun(model, plan, { signal });
  return { validate, signal: stopWhen(() => false) };
}

interface Line {
  readonly kind: string;
  readonly losses: { readonly quality: number };
  readonly validation?: {
    readonly srcc: number | null;
    readonly pairs?: number;
    readonly databases: readonly object[];
  };
}

const linesOf = ({ folder }: Plan, kind: string) =>
  readFileSync(join(folder, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line.kind === kind);

describe("training on pairs", () => {
  it("draws both images of each pair, side by side with people's share, each pair once a pass", async () => {
    const { databases, config } = await planOf([PHOTOS]);
    const images = { ...config.data, window: 224 };
    const loader = startLoader(databases, { seed: 1, cropsPerImage: 1, stepsPerEpoch: 5, scenes: 9, images });
    const drawn: string[] = [];
    for (let step = 0; step < 5; step++) {
      const { files, databases: blocks, mos } = await loader.get(0, step);
      expect([...mos]).toEqual([NaN, NaN, NaN, NaN]);
      blocks[0]?.shares?.forEach((share, pair) => {
        const [a = "", b = ""] = files.slice(2 * pair, 2 * pair + 2).map((file) => file.split("/").at(-1));
        drawn.push(`${a},${b},${share}`);
      });
    }
    loader.close();
    const lines = PAIRS.split("\n").slice(1);
    expect(drawn.slice(0, 5).toSorted()).toEqual(lines.toSorted());
    expect(drawn.slice(5).toSorted()).toEqual(lines.toSorted());
  });

  it("is validated by accuracy on held-out pairs, and keeps the checkpoint that has the highest", async () => {
    const plan = await planOf([PHOTOS]);
    const progress = await trainSplit(plan, ports(plan));
    const epochs = linesOf(plan, "epoch");
    const accuracies = epochs.map(({ validation }) => validation?.pairs ?? NaN);
    expect(epochs[0]?.validation?.databases).toMatchObject([{ name: "photos", images: 3, pairs: 3, srcc: null }]);
    expect(accuracies.every((value) => value >= 0 && value <= 0.9)).toBe(true);
    expect(progress.best).toBe(Math.max(...accuracies));
    const judged = await judgePairs(join(root, "photos", "val.csv"), {
      checkpoint: join(plan.folder, "best"),
      crops: 1,
    });
    expect(judged.twoAlternative).toBeCloseTo(progress.best ?? NaN, 12); // `best` is of that validation
    const page = readFileSync(join(plan.folder, "report.html"), "utf8");
    expect(page).toContain("mean validation accuracy on pairs");
    expect(readFileSync(join(plan.folder, "results.csv"), "utf8")).toContain("photos_pair_accuracy");
  });

  it("beside scores is validated on both, and SRCC chooses", async () => {
    const plan = await planOf([TOYS, PHOTOS]);
    const { best } = await trainSplit(plan, ports(plan));
    const epochs = linesOf(plan, "epoch");
    expect(epochs.every(({ validation }) => validation?.pairs === undefined)).toBe(true);
    expect(best).toBe(Math.max(...epochs.map(({ validation }) => validation?.srcc ?? NaN)));
    expect(epochs[0]?.validation?.databases).toMatchObject([{ name: "toys" }, { name: "photos", pairs: 3 }]);
  });

  it.each(["fidelity", "margin", "bradley-terry"] as const)("lowers the loss of its pairs: %s", async (quality) => {
    const settings = { epochs: 1, stepsPerEpoch: 25, learningRate: 3e-3, saveEverySteps: 100, cropsPerImage: 1 };
    const plan = await planOf([PHOTOS], { ...settings, quality });
    await trainSplit(plan, ports(plan));
    const losses = linesOf(plan, "step").map(({ losses: { quality: loss } }) => loss);
    const mean = (part: readonly number[]) => part.reduce((all, loss) => all + loss, 0) / part.length;
    expect(mean(losses.slice(20))).toBeLessThan(mean(losses.slice(0, 5))); // five steps of two pairs: each pair twice
  });

  it("takes the same steps compiled as without", async () => {
    const [compiled, eager] = [await planOf([TOYS, PHOTOS]), await planOf([TOYS, PHOTOS], { engine: { compile: "never" } })]; // prettier-ignore
    for (const plan of [compiled, eager]) await trainSplit(plan, ports(plan));
    const losses = (plan: Plan) => linesOf(plan, "step").map((line) => line.losses.quality);
    expect(losses(compiled)).toBeAllClose(losses(eager), { rtol: 1e-3, atol: 1e-5 });
  });

  it("records both images of each pair as seen, those of held-out pairs as validated on, with looks of the drawn", async () => {
    const plan = await planOf([PHOTOS]);
    await trainSplit(plan, ports(plan));
    const file = join(plan.folder, "last", "seen.json");
    const seen = parseSeen(file, JSON.parse(readFileSync(file, "utf8")));
    const names = (images: readonly { readonly path: string }[]) => images.map(({ path }) => path).toSorted();
    const trained = ["astronaut", "chelsea", "coffee", "hubble"].map((name) => `photos/${name}.jpg`);
    expect(names(seen.training)).toEqual(trained);
    expect(names(seen.validation)).toEqual(["raccoon", "retina", "rocket"].map((name) => `photos/${name}.jpg`));
    expect(seen.training.every(({ look }) => look !== undefined)).toBe(true);
  });

  it("by the library: planned, trained, finished without a test list, and judged on pairs that it has not seen", async () => {
    const { config } = await planOf([PHOTOS], { epochs: 1 });
    const { model, data, prompts, evaluate } = config;
    const steps = { epochs: 1, stepsPerEpoch: 3, cropsPerImage: 1, learningRate: 1e-3 };
    const source = { run: "pairs", model, data, prompts, evaluate, train: steps };
    expect(await planTraining(source)).toContain("photos: 5 pairs of 4 to train on (2 pairs a step), 3 to validate");
    const run = await train(source, { out: temporaryFolder() });
    expect([run.state, run.splits[0]?.results?.databases]).toEqual(["finished", []]);
    const judged = (list: string, options = {}) => judgePairs(join(root, "photos", list), { checkpoint: run.folder, crops: 1, ...options }); // prettier-ignore
    expect(await judged("val.csv")).toMatchObject({ pairs: 3, seen: { images: 0, policy: "refuse" } });
    await expect(judged("pairs.csv")).rejects.toThrow(/4 of 4 images were trained on: .*astronaut\.jpg/);
    await expect(judged("pairs.csv", { seen: "drop" })).rejects.toThrow("each has one that was trained on");
    expect(await judged("pairs.csv", { seen: "keep" })).toMatchObject({ pairs: 5, seen: { images: 4 } });
  });
});

describe("a config with a database of pairs", () => {
  it.each([
    ["a loss of scores", { losses: { quality: "huber" } }, "losses.quality: must be fidelity, margin or bradley-terry"],
    ["few images", { train: { images: 10 } }, "train.images: must be null with a database of pairs"],
  ])("refuses %s before anything is read", async (_, section, message) => {
    const data = { root: "nowhere", databases: [PHOTOS] };
    const config = { run: "pairs", model: { preset: "vit-tiny", weights: "none" }, data, ...section };
    const failed = train(config, { out: temporaryFolder() });
    await expect(failed).rejects.toThrow(ConfigError);
    await expect(failed).rejects.toThrow(message);
  });
});
