import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { IS_BUILT, liqe } from "../cli/liqe.js";
import { temporaryFolder } from "../support/runs.js";

/** Fewer steps and crops than the example's own: to see that it runs. */
const QUICK = [
  "train.epochs=1",
  "train.stepsPerEpoch=2",
  "train.warmupSteps=1",
  "evaluate.crops=1",
  "evaluate.validationCrops=1",
];

const EXAMPLE = join("examples", "own-data");
const readme = readFileSync(join(PACKAGE_ROOT, EXAMPLE, "README.md"), "utf8");
const commands = [...readme.matchAll(/^ {4}npx liqe (.*)$/gm)].map((match) => (match[1] ?? "").split(" "));

describe.skipIf(!IS_BUILT)("examples/own-data", () => {
  const cwd = temporaryFolder();
  const mine = join(cwd, EXAMPLE, "mine");

  /** Runs the page's command that begins so. */
  function run(word: string, more: readonly string[] = []) {
    const command = commands.find(([first]) => first === word);
    if (command === undefined) throw new Error(`the page has no liqe ${word}`);
    const outcome = liqe([...command, ...more], { cwd });
    expect([outcome.exitCode, outcome.exitCode === 0 ? "" : outcome.messages]).toEqual([0, ""]);
    return outcome;
  }

  beforeAll(() => {
    mkdirSync(join(cwd, EXAMPLE), { recursive: true });
    cpSync(join(PACKAGE_ROOT, EXAMPLE, "own-data.yaml"), join(cwd, EXAMPLE, "own-data.yaml"));
    const made = spawnSync(process.execPath, [join(PACKAGE_ROOT, EXAMPLE, "make.mjs"), join(cwd, EXAMPLE)]);
    expect(made.status).toBe(0);
  });

  it("is checked, trained and scored by the page's commands, parted by photograph", () => {
    expect(run("data").output).toContain("0 errors, 0 warnings");
    expect(
      run(
        "train",
        QUICK.flatMap((change) => ["--set", change]),
      ).output,
    ).toMatch(/^database .*\n-+\nmine +16 /);
    const record = readFileSync(join(mine, "splits2", "1", "mine_contents.json"), "utf8");
    const parts = JSON.parse(record) as Record<"train" | "val" | "test", string[]>; // our own file
    expect([parts.train.length, parts.val.length, parts.test.length]).toEqual([5, 1, 2]);
    expect(new Set([...parts.train, ...parts.val, ...parts.test]).size).toBe(8);
    const predictions = readFileSync(join(cwd, "checkpoints", "own-data", "split-1", "predictions.csv"), "utf8");
    const tested = predictions.trim().split("\n").slice(1);
    const photographOf = (row: string) => /pictures\/(.*)_[^_]+\.jpg/.exec(row)?.[1] ?? row;
    expect(tested).toHaveLength(16);
    expect([...new Set(tested.map(photographOf))].sort()).toEqual(parts.test.toSorted());
    expect(run("predict").output).toMatch(
      /^\S+coffee_blur-2\.jpg is a photo with .* artifacts, of perceptual quality \d/,
    );
  });
});
