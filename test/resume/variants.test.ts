import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { AugmentConfig } from "../../src/data/augment/config.js";
import { DataConfig } from "../../src/data/config.js";
import { openDatabases } from "../../src/data/openDatabases.js";
import * as tf from "../../src/engine/tf.js";
import { LossesConfig } from "../../src/losses/config.js";
import type { RunPlan } from "../../src/train/plan.js";
import { trainSplit } from "../../src/train/run.js";
import { remainsOfSplit } from "../support/disturbed.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

/** Two epochs of three steps, saved every second step. */
const TRAIN = { epochs: 2, stepsPerEpoch: 3, saveEverySteps: 2 };
/** Steps after which a run is stopped, one in each epoch: it saves there as the undisturbed run does. */
const STOPS = [2, 4];

/** What is trained, by whichever variant. */
const WEIGHTS = /^last\/(model|adapter|prompts)\.safetensors$/;

/** The toys with scores, beside example photographs in pairs. */
const root = await toyDatabase();
const photos = join(root, "photos");
mkdirSync(photos);
cpSync(join(PACKAGE_ROOT, "examples", "photos"), photos, { recursive: true });
writeFileSync(
  join(photos, "pairs.csv"),
  "a,b,p\nastronaut.jpg,chelsea.jpg,0.75\ncoffee.jpg,astronaut.jpg,1\nchelsea.jpg,coffee.jpg,0.5\n",
);
writeFileSync(join(photos, "val.csv"), "a,b,p\nraccoon.jpg,rocket.jpg,0.7\nretina.jpg,rocket.jpg,0\n");
const TOYS = { name: "toys", imagesPerStep: 4 };
const PAIRS = { name: "photos", pairs: "pairs.csv", val: "val.csv", imagesPerStep: 4 };

interface Variant {
  readonly train?: object;
  readonly losses?: object;
  readonly augment?: object;
  readonly databases?: readonly object[];
}

const LORA = { tune: "lora", lora: { rank: 2, alpha: 4 } };
const CLASS_PROMPTS = { vectors: 3, init: "random", scope: "class" };
const VARIANTS: Readonly<Record<string, Variant>> = {
  "weighting uncertainty": { losses: { weighting: "uncertainty" } },
  "weighting gradnorm": { losses: { weighting: "gradnorm" } },
  "weighting gradient-cosine": { losses: { weighting: "gradient-cosine" } },
  "weighting single": { losses: { weighting: "single", weights: { quality: 0, scene: 0 } } },
  "a margin for ties": { losses: { pairWeight: "none", tieMargin: 0.3 } },
  lora: { train: LORA },
  "lora with averages": { train: { ...LORA, emaDecay: 0.9 } },
  "lora of the image tower": { train: { tune: "lora", lora: { rank: 2, layers: ["vision.blocks.0"] } } },
  "lora with dropout": { train: { tune: "lora", lora: { rank: 2, alpha: 4, dropout: 0.25 }, microBatch: 3 } },
  norms: { train: { tune: "norms" } },
  probe: { train: { tune: "probe" } },
  "probe with averages": { train: { tune: "probe", emaDecay: 0.9 } },
  prompts: { train: { tune: "prompts", prompts: { vectors: 2 } } },
  "prompts, each class its own": { train: { tune: "prompts", prompts: CLASS_PROMPTS } },
  "distorted versions": { augment: { contents: 1, versions: 3 } },
  "pairs alone": { databases: [PAIRS] },
  "pairs beside scores": { databases: [TOYS, PAIRS] },
};

async function planOf({ train = {}, losses = {}, augment = {}, databases = [TOYS] }: Variant): Promise<RunPlan> {
  const plan = await toyPlan(root, temporaryFolder(), { ...TRAIN, ...train });
  const data = DataConfig.parse({ root, databases });
  const parsed = { data, losses: LossesConfig.parse(losses), augment: AugmentConfig.parse(augment) };
  return { ...plan, config: { ...plan.config, ...parsed }, databases: await openDatabases(data, 1) };
}

/** Trains until `steps` steps were taken (to the end by default); false where it was stopped. */
async function train(plan: RunPlan, steps = Infinity): Promise<boolean> {
  let taken = 0;
  const validate = () => Promise.resolve({ srcc: 0.5, average: 0.5 });
  return (await trainSplit(plan, { validate, signal: stopWhen(() => ++taken >= steps) })).finished;
}

describe("a run of each variant", () => {
  it.each(Object.entries(VARIANTS))(
    "is resumed in either epoch to the undisturbed run, bit for bit, without a tensor left behind: %s",
    async (_, variant) => {
      const tensors = tf.memory().numTensors;
      const whole = await planOf(variant);
      expect(await train(whole)).toBe(true);
      const expected = remainsOfSplit(whole.folder);
      const files = [...expected.checkpoints.keys()];
      expect(files).toContain("last/optimizer.safetensors");
      expect(files.filter((file) => WEIGHTS.test(file))).toHaveLength(1);
      expect(expected.metrics).toHaveLength(8); // six steps, two epochs
      for (const steps of STOPS) {
        const plan = { ...whole, folder: temporaryFolder() };
        expect(await train(plan, steps)).toBe(false);
        expect(await train(plan)).toBe(true);
        expect(remainsOfSplit(plan.folder)).toEqual(expected);
      }
      expect(tf.memory().numTensors).toBe(tensors);
    },
  );
});
