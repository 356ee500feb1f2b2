import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as util from "node:util";
import { describe, expect, it } from "vitest";
import { filesIn } from "../../src/base/folders.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { AT_CLOSE, BARS, measureHouse } from "../../scripts/house.mjs";

describe("the house (scripts/house.mjs)", () => {
  const { figures, lists, walkProblems } = measureHouse(PACKAGE_ROOT);
  const held = (Object.keys(BARS) as (keyof typeof BARS)[]).filter((name) => !AT_CLOSE.includes(name));

  it.each(held)("%s is at most its bar", (name) => {
    const counted = (lists as Partial<Record<string, readonly string[]>>)[name]?.join("\n") ?? "";
    expect(figures[name], counted).toBeLessThanOrEqual(BARS[name]);
  });

  it("walks through functions that are there, each called by the file before it (docs/walk.tsv)", () => {
    expect(walkProblems).toEqual([]);
  });

  const runsKnip = "styleText" in util; // which knip asks of Node, and 20.11 has not
  it.skipIf(!runsKnip)("exports nothing that nobody needs, and needs no package that it does not name (knip)", () => {
    const knip = join(PACKAGE_ROOT, "node_modules", "knip", "bin", "knip.js");
    expect(() =>
      execFileSync(process.execPath, [knip, "--no-progress"], { cwd: PACKAGE_ROOT, encoding: "utf8" }),
    ).not.toThrow();
  });
});

/** Newest one of each kind in CONTRIBUTING's table "To add something", and every file that knows of it. */
const NEWEST: Readonly<Record<string, readonly [string, readonly string[]]>> = {
  database: ["agiqa3k", ["data/databases/agiqa3k.ts", "data/databases/registry.ts"]],
  loss: ["norm-in-norm", ["losses/config.ts", "losses/multitaskLoss.ts"]],
  weighting: [
    "gradnorm",
    ["losses/config.ts", "train/weighting/gradNorm.ts", "train/weighting/state.ts", "train/weighting/taskWeights.ts"],
  ],
  metric: ["outlierRatio", ["evaluate/metrics/errors.ts", "evaluate/metrics/metrics.ts"]],
  export: ["hubFormat", ["export/formats.ts", "export/hub/hubFormat.ts"]],
  "list format": [
    "compare2score",
    [
      "data/lists/formats/jsonLists.ts",
      "data/lists/formats/names.ts",
      "data/lists/formats/readTable.ts",
      "data/lists/writing/forms.ts",
    ],
  ],
  preset: ["rn50x64", ["model/architecture/presets.ts", "model/weights/published.ts"]],
};

const sources = await filesIn(join(PACKAGE_ROOT, "src"));

describe("what is to be added", () => {
  const texts = sources.map((file) => ({ file, text: readFileSync(join(PACKAGE_ROOT, "src", file), "utf8") }));
  const contributing = readFileSync(join(PACKAGE_ROOT, "CONTRIBUTING.md"), "utf8");

  it.each(Object.entries(NEWEST))("a %s is known to the files that CONTRIBUTING names", (kind, [newest, files]) => {
    const word = new RegExp(`(?<![\\w-])${newest}(?![\\w-])`);
    expect(texts.flatMap(({ file, text }) => (word.test(text) ? [file] : [])).toSorted()).toEqual(files);
    const row = contributing.split("\n").find((line) => line.startsWith(`| ${kind} `)) ?? "";
    expect(row).toContain(`\`${newest}\``);
    const isNamed = (file: string) =>
      row.includes(file.split("/").at(-1) ?? "") || new RegExp("src/[a-z/]*<name>").test(row);
    expect(files.filter((file) => !isNamed(file))).toEqual([]);
  });
});
