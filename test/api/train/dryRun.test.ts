import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/api/config.js";
import { describePlan, type Machine, type PlannedSplit } from "../../../src/api/train/dryRun.js";
import type { Database } from "../../../src/data/sample.js";
import { presetArchitecture } from "../../../src/model/architecture/presets.js";
import { gridOf } from "../../../src/model/config.js";
import { promptTree } from "../../../src/model/text/promptTree.js";
import { tokenize } from "../../../src/model/text/tokenizer.js";
import type { Probe } from "../../../src/train/cost/probe.js";
import { stepFlops } from "../../../src/train/cost/stepFlops.js";

const parsed = parseConfig(
  `
run: kadid
model: { preset: vit-b-32, weights: /clip/ViT-B-32.pt }
data: { root: /data, databases: [{ name: kadid10k, imagesPerStep: 12 }] }
train: { microBatch: 9, memoryBudgetGB: 2 }
`,
  "kadid.yaml",
);
const config = { ...parsed, train: { ...parsed.train, microBatch: 9, recompute: "never" as const, memoryBudgetGB: 2 } };

const architecture = presetArchitecture("vit-b-32");
const tree = promptTree(gridOf(config.prompts).prompts.map((prompt) => tokenize(prompt, 77)));

/** What was measured of a step of 12 images with 3 crops, 9 crops at once. */
const PROBE: Probe = {
  network: { architecture, tree },
  flops: stepFlops({ architecture, tree }, { images: 12, crops: 36, microBatch: 9, freeze: [] }),
  parameters: { all: 151_277_313, trained: 126_000_000 },
  seconds: 40,
  dataSeconds: 0.2,
  startSeconds: 1.5,
  peakBytes: 5.25e9,
  weightBytes: 605e6,
  checkpointBytes: 1714e6,
  secondsPerImage: null,
};
const MACHINE: Machine = { peakFlopsPerSecond: 100e9, memoryBytes: 25e9, freeDiskBytes: 70e9 };

function split(number: number, train = 6075, stepsDone = 0): PlannedSplit {
  const images = (count: number) => Array.from({ length: count }) as Database["train"]; // only counted
  const database = { name: "kadid10k", imagesPerStep: 12, train: images(train), val: images(2025), test: images(2025) };
  return { folder: `/runs/kadid/split-${number}`, split: number, config, databases: [database as Database], stepsDone };
}

describe("describePlan", () => {
  it("says what is trained on what, and what it costs, in lines of one column", () => {
    expect(describePlan([split(1)], PROBE, MACHINE)).toBe(`run          /runs/kadid/split-1
network      vit-b-32, from /clip/ViT-B-32.pt
parameters   151.3 million, 126.0 million of them trained
prompts      495: 5 x quality, 9 x scene, 11 x distortion
database     kadid10k: 6,075 to train on (12 a step), 2,025 to validate, 2,025 to test
steps        80 epochs of 200, each of 12 images x 3 crops
a step       1.71 TFLOP: 1.19 TFLOP for 36 crops, 519 GFLOP for the prompts (a tree of 2,203 tokens)
             40 s measured, 0.20 s of it waiting for images
             the first step took 1.5 s more: it loads images and, once a run, compiles
             42.8 GFLOP/s, 43 % of what this machine multiplies
memory       902.5 MB estimated for activations: 9 of 36 crops at once, so images are encoded twice
             5.3 GB measured: all that this process held; the machine has 25.0 GB
time         12 d 21 h: 7 d 9 h training, 5 d 10 h in 80 validations, 1 h 37 min evaluating
disk         4.7 GB of checkpoints and logs, 1.7 GB more while one is saved; 70.0 GB are free
cheaper      27 % less time: train.cropsPerImage=1 (noisier steps)
             21 % less time: train.validateEveryEpochs=2 (the best epoch may be missed)
             17 % less time: train.freeze=[text] (prompts stay as they are)
             10 % less time: train.memoryBudgetGB=2 train.microBatch=auto (the same training)
nothing was written
`);
  });

  it("sums over splits, and gives the range of what differs between them", () => {
    const text = describePlan([split(1), split(2, 6080), split(10, 6075)], PROBE, MACHINE);
    expect(text).toContain("run          /runs/kadid: splits 1, 2, 10\n");
    expect(text).toContain("6,075 to 6,080 to train on");
    expect(text).toContain("time         38 d 16 h: 22 d 5 h training");
    expect(text).toContain("disk         14.0 GB of checkpoints and logs, 1.7 GB more");
  });

  it("says what is done already, and that the disk is too small", () => {
    const text = describePlan([split(1, 6075, 200)], PROBE, { ...MACHINE, freeDiskBytes: 6e9 });
    expect(text).toContain("crops; 200 are done\n");
    expect(text).toContain("6.0 GB are free, WHICH IS NOT ENOUGH\n");
  });
});
