import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeDurable } from "../../src/base/files.js";
import type { Leaderboard } from "../../src/evaluate/results/leaderboard.js";
import type { Results } from "../../src/evaluate/results/results.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const root = await toyDatabase();
const lists = join(root, "toys", "splits2");
cpSync(join(lists, "1"), join(lists, "2"), { recursive: true });
const folder = temporaryFolder();
const first = await weights("first", 5);
const second = await weights("second", 6);
const config = join(folder, "toys.yaml");
writeFileSync(
  config,
  [
    "run: toys",
    `model: { weights: ${first} }`,
    `data: { root: ${root}, databases: [{ name: toys, imagesPerStep: 4 }] }`,
    "evaluate: { crops: 1, validationCrops: 1 }",
  ].join("\n"),
);

/** A weight file of the toy network. With a large factor its image features leave float32: inf - inf is NaN. */
async function weights(name: string, seed: number, factor = 1): Promise<string> {
  const file = join(folder, `${name}.safetensors`);
  const arrays = new Map([...initialParameters(TOY_ARCHITECTURE, seed)].map(([key, { shape, values }]) => [
    key, { shape, values: /^visual.(proj|ln_post.weight)$/.test(key) ? values.map((value) => value * factor) : values },
  ])); // prettier-ignore
  await writeDurable(file, (handle) => writeSafetensors(handle, arrays));
  return file;
}

function read(...file: string[]): unknown {
  return JSON.parse(readFileSync(join(...file), "utf8"));
}

const resultsIn = (...at: string[]) => read(...at, "results.json") as Results; // our own file

/** The results of a list of one's own, with the exit code. */
function evaluateList(lines: readonly string[], checkpoint = first, images = join(root, "toys")) {
  const list = join(temporaryFolder(), "list.csv");
  writeFileSync(list, ["image,mos", ...lines].join("\n"));
  const out = temporaryFolder();
  const { exitCode, output } = liqe(["evaluate", "--checkpoint", checkpoint, "--list", list, "--images", images, "--out", out]); // prettier-ignore
  return { exitCode, output, database: resultsIn(out).databases[0] };
}

describe.runIf(IS_BUILT)("liqe evaluate", () => {
  it("refuses to change a config where there is none", () => {
    const { exitCode, messages } = liqe(["evaluate", "--checkpoint", first, "--list", "list.csv", "--images", root, "--set", "evaluate.crops=2"]); // prettier-ignore
    expect(exitCode).toBe(2);
    expect(messages).toContain(`--set evaluate.crops=2: --checkpoint ${first} has no config that this could change`);
  });

  it("tells in the results why a damaged image has no score, and measures the others", () => {
    const images = temporaryFolder();
    cpSync(join(root, "toys"), images, { recursive: true });
    writeFileSync(join(images, "test1.png"), "not a picture");
    const { exitCode, output, database } = evaluateList(
      Array.from({ length: 6 }, (_, i) => `test${i}.png,${i}`),
      first,
      images,
    );
    expect(exitCode).toBe(3);
    expect(database).toMatchObject({ images: 5, failed: [{ image: "test1.png" }] });
    expect(database?.failed[0]?.error).toContain("not an image");
    expect(database?.srcc.value).not.toBeNull();
    expect(output).toContain("1 of 6 images have no score and are left out");
  });

  it("counts images whose score is NaN as failed, and has a reason in place of each measure", async () => {
    const broken = await weights("broken", 5, 1e25);
    const { exitCode, database } = evaluateList(["test0.png,1", "test1.png,2"], broken);
    expect(exitCode).toBe(3);
    expect(database).toMatchObject({ images: 0, srcc: { value: null, reason: "too few images" } });
    expect(database?.failed).toHaveLength(2);
    expect(database?.failed[0]?.error).toContain("the model's score is NaN");
  });

  it("has SRCC but no curve of three images, and nothing but errors of constant MOS, each with its reason", () => {
    const three = evaluateList(["test0.png,1", "test1.png,2", "test2.png,4"]);
    expect(three.exitCode).toBe(0);
    const reason = "too few images: 3 for a curve of 4 parameters";
    expect(three.database).toMatchObject({ mapping: { converged: false, reason }, plcc: { value: null, reason } });
    expect(three.database?.srcc.value).not.toBeNull();
    const constant = evaluateList(Array.from({ length: 6 }, (_, i) => `test${i}.png,50`));
    expect(constant.exitCode).toBe(0);
    for (const measure of ["srcc", "krcc", "plcc"] as const) {
      expect(constant.database?.[measure]).toEqual({ value: null, reason: "constant MOS" });
    }
  });

  it("ranks several checkpoints over splits, tests them in pairs, and writes the leaderboard three times", () => {
    const out = temporaryFolder();
    const arguments_ = ["evaluate", "--checkpoint", first, "--against", second, "--config", config, "--split", "1-2"];
    const { exitCode, output } = liqe([...arguments_, "--out", out]);
    expect(exitCode).toBe(0);
    const board = read(out, "leaderboard.json") as Leaderboard;
    const means = board.entries.map(({ mean }) => mean.srcc.value ?? NaN);
    expect(board.entries.map(({ rank }) => rank)).toEqual([1, 2]);
    expect(means).toEqual(means.toSorted((a, b) => b - a));
    const [own, other] = [first, second].map((file) => resultsIn(out, findFolder(out, file)));
    const [comparison] = board.comparisons;
    expect(comparison).toMatchObject({ checkpoint: first, against: second });
    const expected = (own?.mean.srcc.value ?? NaN) - (other?.mean.srcc.value ?? NaN);
    expect(comparison?.mean.srcc.difference).toBeCloseTo(expected, 12);
    // The splits are copies: one difference in both, of which no t-test can be made.
    const test = comparison?.overSplits?.[0]?.srcc;
    expect(test).toEqual({ difference: null, reason: "the same difference in every split" });
    expect(output).toContain("difference (95 %), p of the paired bootstrap");
    const csv = readFileSync(join(out, "leaderboard.csv"), "utf8").split("\n");
    expect(csv[0]).toBe("rank,checkpoint,database,measure,value,low,high");
    expect(csv).toContain(`1,${board.entries[0]?.checkpoint ?? ""},mean,srcc,${means[0]},${ends(board)}`);
    expect(readFileSync(join(out, "leaderboard.md"), "utf8")).toContain(
      "| rank | checkpoint | toys | mean | realigned |",
    );
  });

  it("refuses to compare checkpoints on lists of their own, and one named twice, before anything is computed", () => {
    const several = liqe(["evaluate", "--checkpoint", first, "--checkpoint", second]);
    expect(several).toMatchObject({ exitCode: 2, output: "" });
    expect(several.messages).toContain("give --config FILE, or --list FILE with --images DIR");
    const twice = liqe(["evaluate", "--checkpoint", first, "--checkpoint", first, "--config", config]);
    expect(twice).toMatchObject({ exitCode: 2, output: "" });
    expect(twice.messages).toContain("is named twice");
  });
});

function findFolder(out: string, file: string): string {
  const ending = file.split("/").slice(-2).join("-"); // what stands before it depends on where this checkout is
  const folder = readdirSync(out).find((name) => name.endsWith(ending));
  if (folder === undefined) throw new Error(`no folder of ${file}`);
  return folder;
}

function ends(board: Leaderboard): string {
  const srcc = board.entries[0]?.mean.srcc;
  return srcc?.value == null ? "," : `${srcc.low ?? ""},${srcc.high ?? ""}`;
}
