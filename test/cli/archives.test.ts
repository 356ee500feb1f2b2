import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeDurable } from "../../src/base/files.js";
import type { CrossMatrix } from "../../src/evaluate/results/crossMatrix.js";
import type { PairResults } from "../../src/api/evaluate/judgePairs.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const root = await toyDatabase();
const folder = temporaryFolder();
const [first, second] = [await weights("first", 5), await weights("second", 6)];
const shards = join(folder, "shards");

async function weights(name: string, seed: number): Promise<string> {
  const file = join(folder, `${name}.safetensors`);
  await writeDurable(file, (handle) => writeSafetensors(handle, initialParameters(TOY_ARCHITECTURE, seed)));
  return file;
}

function configOf(name: string, database: string, more: readonly string[] = []): string {
  const file = join(folder, `${name}.yaml`);
  const lines = [
    `run: ${name}`,
    `model: { weights: ${first} }`,
    `data: { root: ${root}, databases: [${database}] }`,
    "evaluate: { crops: 1, validationCrops: 1 }",
    ...more,
  ];
  writeFileSync(file, lines.join("\n"));
  return file;
}

const training = "train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 1, learningRate: 1.0e-3, weightDecay: 0.05 }";
const files = configOf("toys", "{ name: toys, imagesPerStep: 4 }", [training]);
const sharded = configOf("sharded", `{ name: sharded, source: ${shards}, imagesPerStep: 4 }`, [training]);

describe.runIf(IS_BUILT)("a database in tar shards", () => {
  it("is written by data convert, and described, checked, trained on, evaluated and scored like its files", () => {
    const made = liqe(["data", "convert", join(root, "toys"), "--to", "webdataset", "--out", shards]);
    expect(made.output).toContain("webdataset, 24 images, 1 split");
    const told = JSON.parse(liqe(["data", "describe", shards, "--json"]).output) as { readonly splits: unknown };
    expect(told.splits).toEqual([{ train: 12, val: 6, test: 6 }]);
    expect(liqe(["data", "check", "--config", sharded]).exitCode).toBe(0);
    const out = join(folder, "run");
    expect(liqe(["train", "--config", sharded, "--out", out]).exitCode).toBe(0);
    const lines = (run: string) =>
      readFileSync(join(run, "split-1", "predictions.csv"), "utf8")
        .trim()
        .split("\n");
    expect(lines(out)).toHaveLength(7);
    expect(lines(out)[1]).toMatch(/^sharded,\S+\.tar::test\d\.png,/);
    const qualities = (place: string) => {
      const { exitCode, output } = liqe(["predict", place, "--checkpoint", out, "--csv"]);
      expect(exitCode).toBe(0);
      const rows = output.trim().split("\n").slice(1).map((line) => line.split(",")); // prettier-ignore
      return new Map(rows.map(([image = "", quality]) => [/\w+\.png$/.exec(image)?.[0], Number(quality)]));
    };
    const [inShards, inFiles] = [qualities(join(shards, "shards-000000.tar")), qualities(join(root, "toys"))];
    expect(inShards.size).toBe(24);
    for (const [image, quality] of inFiles) expect(Math.abs(quality - (inShards.get(image) ?? NaN))).toBeLessThan(1e-4);
  });

  it("gives the same column as its files in a matrix of checkpoints by configs, on a page and in JSON", () => {
    expect(liqe(["train", "--config", files, "--out", join(folder, "own")]).exitCode).toBe(0);
    const models = ["--checkpoint", first, "--checkpoint", second, "--checkpoint", join(folder, "own")];
    const out = join(folder, "cross");
    const args = ["evaluate", ...models, "--config", files, "--config", sharded, "--crops", "1", "--out", out];
    const printed = liqe(args);
    expect(printed.exitCode).toBe(0);
    expect(printed.output).toMatch(/trained on +toys +sharded +others' mean/);
    const matrix = JSON.parse(readFileSync(join(out, "matrix.json"), "utf8")) as CrossMatrix; // just written
    expect(matrix.tests.map(({ database }) => database)).toEqual(["toys", "sharded"]);
    expect(matrix.rows.map(({ trainedOn }) => trainedOn)).toEqual([null, null, ["toys"]]);
    for (const { cells } of matrix.rows) {
      expect(cells.map(({ images }) => images)).toEqual([6, 6]);
      expect(cells[0]?.srcc.value).toBe(cells[1]?.srcc.value);
    }
    const [, , own] = matrix.rows;
    expect(own?.cells.map(({ isTrainedOn }) => isTrainedOn)).toEqual([true, false]);
    expect(own?.unseenMean.srcc).toBe(own?.cells[1]?.srcc.value);
    const page = readFileSync(join(out, "matrix.html"), "utf8");
    expect(page.match(/class="h\d /g)?.length).toBe(3 * 2 * 3);
    expect(JSON.parse(liqe([...args.slice(0, -2), "--json"]).output)).toEqual(matrix);
  });

  it("is not mixed up with one config, and refuses to go with what it cannot", () => {
    const both = ["--config", files, "--config", sharded];
    const { exitCode, messages } = liqe(["evaluate", "--predictions", "x.csv", ...both]);
    expect([exitCode, messages.includes("several --config go with one or several --checkpoint alone")]).toEqual([2, true]); // prettier-ignore
  });
});

describe.runIf(IS_BUILT)("liqe evaluate --pairs", () => {
  it("judges a checkpoint by the choices that its own scores make", () => {
    const images = join(root, "toys");
    const names = [0, 1, 2, 3].map((i) => `test${i}.png`);
    const said = liqe(["predict", ...names.map((name) => join(images, name)), "--checkpoint", first, "--json"]).output;
    const scores = said.trim().split("\n").map((line) => (JSON.parse(line) as { readonly quality: number }).quality); // prettier-ignore
    const rows = names.flatMap((a, i) => names.slice(i + 1).map((b, j) => `${a},${b},${(scores[i] ?? 0) > (scores[i + 1 + j] ?? 0) ? 0.8 : 0.2}`)); // prettier-ignore
    const list = join(folder, "pairs.csv");
    writeFileSync(list, ["a,b,p", ...rows].join("\n"));
    const { output, exitCode } = liqe(["evaluate", "--checkpoint", first, "--pairs", list, "--images", images, "--json"]); // prettier-ignore
    expect(exitCode).toBe(0);
    const found = JSON.parse(output) as PairResults;
    expect([found.pairs, found.images, found.accuracy]).toEqual([6, 4, 1]);
    expect(found.twoAlternative).toBeCloseTo(0.8, 12);
  });
});
