import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder } from "../support/runs.js";

const Ratio = z.strictObject({
  name: z.string().min(1),
  value: z.number().positive(),
  better: z.enum(["higher", "lower"]),
});
const History = z.strictObject({
  version: z.string(),
  machine: z.string().min(1),
  note: z.string(),
  ratios: z.array(Ratio).min(1),
});
type Ratio = z.infer<typeof Ratio>;

const folder = temporaryFolder();
const higher = (name: string, value: number): Ratio => ({ name, value, better: "higher" });
const lower = (name: string, value: number): Ratio => ({ name, value, better: "lower" });

/** What bench/compare.mjs says of two measurements, line by line, its complaint and its exit code. */
function compare(before: readonly Ratio[], after: readonly Ratio[], { machine = "a processor", note = "" } = {}) {
  const files = [before, after].map((ratios, i) => {
    const file = join(folder, `${i}.json`);
    const kept = { version: "1.0.0", machine: i === 0 ? "a processor" : machine, note: i === 0 ? "" : note, ratios };
    writeFileSync(file, JSON.stringify(kept));
    return file;
  });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(PACKAGE_ROOT, "bench", "compare.mjs"), ...files],
    {
      encoding: "utf8",
    },
  );
  return { status, lines: stdout.trimEnd().split("\n"), complaint: stderr };
}

describe("bench/compare.mjs", () => {
  it("names each ratio that got worse by more than 10 %, whichever way is worse, and ends with code 1", () => {
    const before = [higher("speed", 0.5), lower("memory", 0.5), higher("kept", 0.5)];
    const { status, lines } = compare(before, [higher("speed", 0.44), lower("memory", 0.56), higher("kept", 0.46)]);
    expect(status).toBe(1);
    expect(lines).toEqual([
      "worse: speed: 0.5 became 0.44, 12 % less; higher is better",
      "worse: memory: 0.5 became 0.56, 12 % more; lower is better",
      "3 ratios compared, 2 worse by more than 10 %",
    ]);
  });

  it("passes what got better by any amount, and what got worse by 10 %", () => {
    const before = [higher("speed", 0.5), lower("memory", 0.5), higher("tenth off", 1), lower("tenth on", 1)];
    const after = [higher("speed", 0.9), lower("memory", 0.1), higher("tenth off", 0.9), lower("tenth on", 1.1)];
    const { status, lines } = compare(before, after);
    expect([status, lines]).toEqual([0, ["4 ratios compared, 0 worse by more than 10 %"]]);
  });

  it("names ratios that one of the files lacks, and lets the others decide", () => {
    const { status, lines } = compare([higher("a", 1), lower("b", 1)], [lower("c", 9), higher("a", 1)]);
    expect([status, lines]).toEqual([0, ["gone: b", "new: c", "1 ratios compared, 0 worse by more than 10 %"]]);
  });

  it("does not pass where no ratio is in both files", () => {
    expect(compare([higher("a", 1)], [higher("b", 1)]).status).toBe(1);
  });

  it("says where the machines are not the same, and what a file notes", () => {
    const { status, lines } = compare([higher("a", 1)], [higher("a", 1)], { machine: "another", note: "It was busy." });
    expect(status).toBe(0);
    expect(lines.slice(0, 2)).toEqual([
      "other machines, so expect differences: a processor; another",
      "note: It was busy.",
    ]);
  });

  it("refuses a ratio that is better higher in one file and lower in the other, and what is no number", () => {
    expect(compare([higher("a", 1)], [lower("a", 1)]).complaint).toContain("a: better is higher in one file, lower in");
    const broken = compare([higher("a", 1)], [{ ...higher("a", 1), value: NaN }]);
    expect([broken.status, broken.complaint]).toEqual([1, expect.stringContaining('"value":null')]);
  });
});

describe("bench/history", () => {
  const names = readdirSync(join(PACKAGE_ROOT, "bench", "history"));

  it.each(names)("%s holds a version's ratios, no times, and the machine's processor", (name) => {
    const history = History.parse(JSON.parse(readFileSync(join(PACKAGE_ROOT, "bench", "history", name), "utf8")));
    expect(`${history.version}.json`).toBe(name);
    expect(history.machine).toMatch(/^\S.*, \d+ cores, Node v\d+/);
    expect(new Set(history.ratios.map((ratio) => ratio.name)).size).toBe(history.ratios.length);
  });
});
