import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const weights = await toyWeights();
const original = await toyDatabase();

/** A copy of the toy database, to be spoilt. */
function databaseCopy(): string {
  const root = temporaryFolder();
  cpSync(original, root, { recursive: true });
  return root;
}

/** Writes a config and gives its path. */
function config(
  root: string,
  changes: { model?: string; steps?: number; freeze?: string; extra?: string } = {},
): string {
  const file = join(temporaryFolder(), "toys.yaml");
  const { model = `{ weights: ${weights} }`, steps = 3, freeze = "[]", extra = "" } = changes;
  const lines = [
    "run: toys",
    `model: ${model}`,
    `data: { root: ${root}, databases: [{ name: toys, imagesPerStep: 4 }] }`,
    'prompts: { template: "a photo with {distortion} artifacts, which is of {quality} quality" }',
    `train: { epochs: 2, stepsPerEpoch: ${steps}, cropsPerImage: 1, learningRate: 1.0e-3, freeze: ${freeze} }`,
    "evaluate: { crops: 1, validationCrops: 1 }",
    extra,
  ];
  writeFileSync(file, lines.join("\n"));
  return file;
}

const listOf = (root: string, subset = "train") => join(root, "toys", "splits2", "1", `toys_${subset}_clip.txt`);

interface SavedResults {
  readonly databases: readonly { readonly srcc: { readonly value?: number } }[];
}

function resultsOf(folder: string): SavedResults {
  return JSON.parse(readFileSync(join(folder, "results.json"), "utf8")) as SavedResults; // our own file
}

function splitsOf(folder: string): SavedResults {
  return JSON.parse(readFileSync(join(folder, "splits.json"), "utf8")) as SavedResults; // our own file
}

function stepsLogged(metrics: string): number {
  return readFileSync(metrics, "utf8").split('"kind":"step"').length - 1;
}

function shaOf(run: string): string {
  const hash = createHash("sha256");
  return hash.update(readFileSync(join(run, "split-1", "last", "model.safetensors"))).digest("hex");
}

describe.skipIf(!IS_BUILT)("liqe train", () => {
  it("trains, evaluates on the test list, and leaves what the contract names", () => {
    const run = join(temporaryFolder(), "run");
    const file = config(original);
    const { exitCode, output, messages } = liqe(["train", "--config", file, "--out", run]);
    expect(messages).toContain(`training ${run}/split-1`);
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^database\s+images\s+SRCC\s+PLCC/);
    const names = ["config.yaml", "metrics.jsonl", "tensorboard", "last", "previous", "best", "best-average"];
    for (const name of [...names, "results.json", "predictions.csv", "report.html"]) {
      expect([name, existsSync(join(run, "split-1", name))]).toEqual([name, true]);
    }
    const again = liqe(["train", "--config", file, "--out", run]);
    expect([again.exitCode, again.output]).toEqual([0, ""]);
    expect(again.messages).toContain("is finished already");
    const resumed = liqe(["train", "--resume", run]);
    expect([resumed.exitCode, resumed.output]).toEqual([0, ""]);
    const other = liqe(["train", "--config", file, "--out", run, "--set", "seed=9"]);
    expect(other.exitCode).toBe(2);
    expect(other.messages).toContain("another config");
  });

  it("stops at Ctrl-C with 130, and resumes to the undisturbed run's weights, bit for bit", async () => {
    const whole = join(temporaryFolder(), "run");
    const stopped = join(temporaryFolder(), "run");
    const file = config(original, { steps: 30 });
    expect(liqe(["train", "--config", file, "--out", whole]).exitCode).toBe(0);

    const program = join(PACKAGE_ROOT, "bin", "liqe.js");
    const child = spawn(process.execPath, [program, "train", "--config", file, "--out", stopped], { stdio: "ignore" });
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    const metrics = join(stopped, "split-1", "metrics.jsonl");
    while (!existsSync(metrics) || stepsLogged(metrics) < 2) await setTimeout(10);
    child.kill("SIGINT");
    const stepsThen = stepsLogged(metrics);
    expect(await ended).toBe(130);
    expect(stepsLogged(metrics)).toBeLessThanOrEqual(stepsThen + 2); // the step that computed, and its successor
    expect(existsSync(join(stopped, "split-1", "results.json"))).toBe(false);
    const unfinished = liqe(["train", "--config", file, "--out", stopped]);
    expect(unfinished.exitCode).toBe(2);
    expect(unfinished.messages).toContain("liqe train --resume");

    expect(liqe(["train", "--resume", stopped]).exitCode).toBe(0);
    expect(shaOf(stopped)).toBe(shaOf(whole));
  });

  it("ends with 0 where validation rises no more, evaluates the best, and stays finished", () => {
    const run = join(temporaryFolder(), "run");
    // Steps too small to change the order of any two images
    const set = ["train.epochs=9", "train.patienceEpochs=1", "train.learningRate=1e-12", "train.emaDecay=0.9"];
    const command = ["train", "--config", config(original), "--out", run, ...set.flatMap((one) => ["--set", one])];
    const { exitCode, output, messages } = liqe(command);
    expect(messages).toContain("ended early, after epoch 2 of 9: mean validation SRCC has not risen in 1 validated");
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^database\s+images\s+SRCC\s+PLCC/);
    expect(existsSync(join(run, "split-1", "results.json"))).toBe(true);
    const names = ["last", "best"].map((name) => existsSync(join(run, "split-1", name, "raw.safetensors")));
    expect(names).toEqual([true, false]);
    for (const again of [command, ["train", "--resume", run]]) {
      const { exitCode, output, messages } = liqe(again);
      expect([exitCode, output]).toEqual([0, ""]);
      expect(messages).toContain("is finished already");
    }
  });

  it("trains several splits, sums them up, and does so again without training where all are finished", () => {
    const root = databaseCopy();
    const lists = join(root, "toys", "splits2");
    cpSync(join(lists, "1"), join(lists, "2"), { recursive: true });
    const run = join(temporaryFolder(), "run");
    const arguments_ = ["train", "--config", config(root), "--out", run, "--split", "1-2"];
    const { exitCode, output } = liqe(arguments_);
    expect(exitCode).toBe(0);
    const table = output.slice(output.indexOf("over 2 splits: 1, 2"));
    expect(table).toMatch(/^toys +mean .*\n +median .*\n +deviation /m);
    const summary = splitsOf(run);
    const values = [1, 2].map((split) => resultsOf(join(run, `split-${split}`)).databases[0]?.srcc.value ?? NaN);
    expect(summary.databases[0]?.srcc).toMatchObject({ values, mean: values.reduce((a, b) => a + b) / 2 });

    const again = liqe(arguments_);
    expect([again.exitCode, again.output]).toEqual([0, table]);
    expect(again.messages.match(/is finished already/g)).toHaveLength(2);

    const out = join(temporaryFolder(), "evaluated");
    const evaluated = liqe(["evaluate", "--checkpoint", run, "--split", "1-2", "--out", out]);
    expect([evaluated.exitCode, evaluated.output.endsWith(table)]).toEqual([0, true]);
    expect(splitsOf(out)).toEqual({ ...summary, checkpoint: run });
  });

  it("parts one list of one's own by content, writes that down, and evaluates the same part", () => {
    const root = databaseCopy();
    const lists = ["train", "val", "test"].flatMap((subset) =>
      readFileSync(listOf(root, subset), "utf8").trim().split("\n"),
    );
    const rows = lists.map((row) => row.split("\t").slice(0, 3).join(","));
    writeFileSync(join(root, "toys", "scores.csv"), `image,mos,distortion\n${rows.join("\n")}\n`);
    const run = join(temporaryFolder(), "run");
    const own = `[{ name: toys, list: scores.csv, split: 60/20/20, content: { pattern: '[a-z]+[0-9]+' }, imagesPerStep: 4 }]`;
    const file = config(root);
    writeFileSync(file, readFileSync(file, "utf8").replace("[{ name: toys, imagesPerStep: 4 }]", own));
    const { exitCode, messages } = liqe(["train", "--config", file, "--out", run]);
    expect([exitCode, messages.includes("training")]).toEqual([0, true]);
    const record = join(root, "toys", "splits2", "1", "toys_contents.json");
    const { test } = JSON.parse(readFileSync(record, "utf8")) as { test: string[] }; // our own file
    const tested = () =>
      readFileSync(join(run, "split-1", "predictions.csv"), "utf8")
        .trim()
        .split("\n")
        .slice(1);
    const first = tested();
    expect(first.map((row) => row.split(",")[1]?.replace(".png", "")).sort()).toEqual(test);
    expect(test).toHaveLength(5);
    expect(liqe(["evaluate", "--checkpoint", run]).exitCode).toBe(0);
    expect(tested()).toEqual(first);
  });

  it("stops with 3 at an image that is trained on and tested, before anything is written", () => {
    const root = databaseCopy();
    const [tested = ""] = readFileSync(listOf(root, "test"), "utf8").split("\n");
    appendFileSync(listOf(root), `${tested}\n`);
    const run = join(temporaryFolder(), "run");
    const { exitCode, messages } = liqe(["train", "--config", config(root), "--out", run]);
    expect(exitCode).toBe(3);
    expect(messages).toMatch(/data: 1 error in the lists; .*\n.*test0\.png: stands in .*toys_train_clip\.txt:13 too/);
    expect(existsSync(run)).toBe(false);
  });

  it.runIf(existsSync("/proc/self"))("names a place that takes no folders, before it looks at the data", () => {
    const root = databaseCopy();
    renameSync(join(root, "toys"), join(root, "away"));
    const { exitCode, messages } = liqe(["train", "--config", config(root), "--out", "/proc/liqe-run"]);
    expect(exitCode).toBe(2);
    expect(messages).toMatch(/^\/proc\/liqe-run\/split-1: cannot be the run's folder: \/proc must not be .*--out\)\n$/);
  });

  it("checks everything and writes nothing with --dry-run", () => {
    const run = join(temporaryFolder(), "run");
    const { exitCode, output } = liqe(["train", "--config", config(original), "--out", run, "--dry-run"]);
    expect(exitCode).toBe(0);
    expect(output).toContain("12 to train on (4 a step), 6 to validate, 6 to test");
    expect(output).toMatch(/^a step {7}[\d.]+ MFLOP: .*\n +[\d.]+ s measured/m);
    expect(output).toMatch(/^time .*\ndisk .*\n(?:cheaper .*\n(?: .*\n)*)?nothing was written\n$/m);
    expect(existsSync(run)).toBe(false);
  });
});

/** Bad input: what is spoilt, the exit code, and what the message says. */
const BAD_INPUT: readonly (readonly [string, (root: string) => Promise<string> | string, number, readonly string[]])[] =
  [
    ["no such config", () => "kadit.yaml", 2, ["kadit.yaml: no such config", 'did you mean "kadid.yaml"']],
    ["an unknown key", (root) => config(root, { extra: "losss: {}" }), 2, ["losss", '"losses"']],
    [
      "blocks to freeze that the network does not have",
      (root) => config(root, { freeze: "[vision.blocks.0-5]" }),
      2,
      ['train.freeze: "vision.blocks.0-5"', "vision.blocks.0-0"],
    ],
    [
      "a list line with five columns",
      (root) => {
        appendFileSync(listOf(root), "train0.png\t3\twhite noise\tanimal\tinvalid\n");
        return config(root);
      },
      3,
      ["toys_train_clip.txt:13", "5"],
    ],
    [
      "a MOS of n/a",
      (root) => {
        appendFileSync(listOf(root), "x.png\tn/a\twhite noise\tanimal\tinvalid\tinvalid\n");
        return config(root);
      },
      3,
      ["toys_train_clip.txt:13", '"n/a"'],
    ],
    [
      "an unknown distortion",
      (root) => {
        appendFileSync(listOf(root), "x.png\t3\twhite noice\tanimal\tinvalid\tinvalid\n");
        return config(root);
      },
      3,
      ["toys_train_clip.txt:13", '"white noice"', '"white noise"'],
    ],
    [
      "missing images, all counted and five named",
      (root) => {
        for (let i = 0; i < 7; i++) renameSync(join(root, "toys", `train${i}.png`), join(root, `away${i}.png`));
        return config(root);
      },
      3,
      ["7 of 24 images: missing", "train4.png", "2 more"],
    ],
    [
      "a text file named .jpg",
      (root) => {
        writeFileSync(join(root, "toys", "text.jpg"), "hello");
        appendFileSync(listOf(root), "text.jpg\t3\twhite noise\tanimal\tinvalid\tinvalid\n");
        return config(root);
      },
      3,
      ["text.jpg"],
    ],
    [
      "an image under 224 pixels",
      async (root) => {
        const create = { width: 200, height: 300, channels: 3 as const, background: "#888" };
        await sharp({ create })
          .png()
          .toFile(join(root, "toys", "small.png"));
        appendFileSync(listOf(root, "val"), "small.png\t3\twhite noise\tanimal\tinvalid\tinvalid\n");
        return config(root);
      },
      3,
      ["small.png", "224"],
    ],
    [
      "an empty training list",
      (root) => {
        writeFileSync(listOf(root), "");
        return config(root);
      },
      3,
      ["toys_train_clip.txt", "empty"],
    ],
    [
      "a training list shorter than a step",
      (root) => {
        writeFileSync(listOf(root), readFileSync(listOf(root), "utf8").split("\n").slice(0, 3).join("\n"));
        return config(root);
      },
      3,
      ["toys: its training list has 3 images, fewer than imagesPerStep: 4"],
    ],
    [
      "probabilities wanted of scores without deviations, all counted and the first named",
      (root) => config(root, { extra: "losses: { target: thurstone }" }),
      3,
      ["toys: 12 of 12 training images have no deviation of the MOS", "toys_train_clip.txt:1", "losses.target: sign"],
    ],
    [
      "weights that do not fit the preset",
      (root) => config(root, { model: `{ preset: vit-b-32, weights: ${weights} }` }),
      4,
      ["toy.safetensors", "vit-b-32"],
    ],
  ];

describe.skipIf(!IS_BUILT)("liqe train on bad input", () => {
  it.each(BAD_INPUT)("answers %s on one screen, before anything is written", async (_, spoil, code, told) => {
    const run = join(temporaryFolder(), "run");
    const { exitCode, output, messages } = liqe(["train", "--config", await spoil(databaseCopy()), "--out", run]);
    expect(exitCode).toBe(code);
    expect(output).toBe("");
    for (const words of told) expect(messages).toContain(words);
    expect(messages.split("\n").length).toBeLessThan(24);
    expect(messages).not.toMatch(/^\s+at /m); // no stack
    expect(existsSync(run)).toBe(false);
  });
});
