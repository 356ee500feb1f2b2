import { describe, expect, it } from "vitest";
import { codeOf, processesOf, reportOf, withoutOptions } from "../../src/cli/processes.js";

describe("processesOf", () => {
  const nothing = { processes: undefined, gpus: undefined, threads: undefined };

  it("starts no other process unless it is asked to", async () => {
    expect(await processesOf(nothing)).toBeNull();
    expect(await processesOf({ ...nothing, processes: 2 })).toEqual([{}, {}]);
  });

  it.each(["0", "some", "-1", "1.5"])("refuses %s GPUs", async (gpus) => {
    await expect(processesOf({ ...nothing, gpus })).rejects.toThrow(
      `--gpus: must be a number of GPUs, or all, got "${gpus}"`,
    );
  });
});

describe("withoutOptions", () => {
  it("leaves out options in both spellings, each with its value", () => {
    const words = ["train", "--processes", "2", "--set", "run=2", "--gpus=all", "--config", "processes"];
    expect(withoutOptions(words, ["--processes", "--gpus"])).toEqual([
      "train",
      "--set",
      "run=2",
      "--config",
      "processes",
    ]);
  });
});

const ended = (code: number | null, signal: NodeJS.Signals | null = null) => ({ code, signal });

describe("codeOf", () => {
  it.each([
    ["all are done", [ended(0), ended(0)], 0],
    ["one has a reason of its own", [ended(75), ended(3), ended(75)], 3],
    ["all were stopped by a signal", [ended(143), ended(75)], 143],
    ["one was killed", [ended(75), ended(null, "SIGKILL")], 75],
    ["one was killed when the others were done", [ended(0), ended(null, "SIGSEGV")], 75],
  ] as const)("where %s", (_, ranks, code) => {
    expect(codeOf(ranks)).toBe(code);
  });
});

describe("reportOf", () => {
  const rank = (number: number, ending: ReturnType<typeof ended>, messages = "") => ({
    ...{ rank: number, pid: 10 + number, messages },
    ...ending,
  });

  it("has the words of a rank that ended otherwise than the first, and names one that a signal ended", () => {
    const ranks = [rank(0, ended(75)), rank(1, ended(3), "a.png: is no image\n"), rank(2, ended(null, "SIGKILL"))];
    expect(reportOf(ranks)).toEqual(["rank 1: a.png: is no image", "rank 2: process 12 was ended by SIGKILL"]);
  });

  it("says nothing again that the first rank says, or where nothing is wrong", () => {
    expect(reportOf([rank(0, ended(2)), rank(1, ended(2), "rank 0: no such config")])).toEqual([]);
    expect(reportOf([rank(0, ended(0)), rank(1, ended(0))])).toEqual([]);
    expect(reportOf([rank(0, ended(6)), rank(1, ended(75), "rank 1: rank 0 is lost")])).toEqual([]);
  });
});
