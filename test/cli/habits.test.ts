import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findConfig } from "../../src/api/config.js";
import { listRuns } from "../../src/api/runs.js";
import { showConfig } from "../../src/api/showConfig.js";
import { packageVersion } from "../../src/base/packageInfo.js";
import { KNOWN_DATABASES } from "../../src/data/databases/registry.js";
import { temporaryFolder } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

/** A run under `checkpoints/` of which nothing but its config is there. */
function makeRun(cwd: string, run: string): void {
  mkdirSync(join(cwd, "checkpoints", run, "split-1"), { recursive: true });
  writeFileSync(join(cwd, "checkpoints", run, "split-1", "config.yaml"), `run: ${run}\n`);
}

describe.skipIf(!IS_BUILT)("liqe", () => {
  it("answers -h as --help and -v as --version", () => {
    expect(liqe(["-h"])).toEqual(liqe(["--help"]));
    expect(liqe(["predict", "-h"])).toEqual(liqe(["predict", "--help"]));
    expect(liqe(["-v"])).toMatchObject({ exitCode: 0, output: `${packageVersion()}\n` });
  });

  it("prints a completion script, and completes commands and their options", () => {
    expect(liqe(["completion"]).output).toContain("complete -o bashdefault");
    expect(liqe(["--get-yargs-completions", "liqe", ""]).output.split("\n")).toContain("predict");
    expect(liqe(["--get-yargs-completions", "liqe", "predict", "--json", "--json", "--"]).output.split("\n")).toContain(
      "--orientation",
    );
  });

  it("shows the place of an error with --verbose, and refuses it beside --quiet", () => {
    expect(liqe(["runs", "/no/where"]).messages).not.toContain("at ");
    expect(liqe(["runs", "/no/where", "--verbose"]).messages).toMatch(/ConfigError: .*\n\s+at /);
    expect(liqe(["runs", "--quiet", "--verbose"])).toMatchObject({ exitCode: 2 });
  });

  it("makes a leaderboard of files of predictions, named after one --predictions or after several", () => {
    const cwd = temporaryFolder();
    for (const [name, sign] of [["a", 1], ["b", -1]] as const) {
      const rows = Array.from({ length: 12 }, (_, i) => `${i}.jpg,${sign * i},${i}\n`);
      writeFileSync(join(cwd, `${name}.csv`), `image,quality,mos\n${rows.join("")}`);
    } // prettier-ignore
    const [one, several] = [["a.csv", "b.csv"], ["a.csv", "--predictions", "b.csv"]].map((files) =>
      liqe(["evaluate", "--json", "--predictions", ...files], { cwd }),
    ); // prettier-ignore
    expect(several).toEqual(one);
    const { entries } = JSON.parse(one?.output ?? "") as { entries: { checkpoint: string }[] }; // our own
    expect(entries.map(({ checkpoint }) => checkpoint)).toEqual(["a.csv", "b.csv"]);
  });

  it.each([
    ["evaluate", ["evaluate"], "checkpoints/a: holds no whole checkpoint"], // this run has no checkpoint yet, which is what is said of it
    ["export", ["export", "--format", "onnx", "--out", "exported"], "checkpoints/a: holds no whole checkpoint"],
  ] as const)("takes the only run under checkpoints/ where none is named: %s", (_, words, problem) => {
    const cwd = temporaryFolder();
    const none = liqe(words, { cwd });
    expect([none.exitCode, none.messages]).toEqual([2, expect.stringContaining("holds no run")]);
    makeRun(cwd, "a");
    const { exitCode, messages } = liqe(words, { cwd });
    expect([exitCode, messages]).toEqual([expect.toBeOneOf([2, 4]), expect.stringContaining("checkpoints/a: taken, as it is the only run")]); // prettier-ignore
    expect(messages).toContain(problem);
    makeRun(cwd, "b");
    const both = liqe(words, { cwd });
    expect([both.exitCode, both.messages]).toEqual([
      2,
      expect.stringContaining("2 runs: checkpoints/a, checkpoints/b"),
    ]);
  });

  it("reports on the only run under checkpoints/ where none is named, and refuses to choose among two", () => {
    const cwd = temporaryFolder();
    expect(liqe(["report"], { cwd })).toMatchObject({ exitCode: 2 });
    makeRun(cwd, "a");
    const { messages, output } = liqe(["report"], { cwd });
    expect(messages).toContain("checkpoints/a: taken, as it is the only run under checkpoints/");
    expect(output).toBe("runs.html written: 1 split\n");
    expect(readdirSync(cwd).sort()).toEqual(["checkpoints", "runs.html"]);
    makeRun(cwd, "b");
    expect(liqe(["report"], { cwd }).messages).toContain("checkpoints/a, checkpoints/b");
    const { runs } = JSON.parse(liqe(["report", "checkpoints", "--json"], { cwd }).output) as { runs: unknown[] }; // our own
    expect(runs.length).toBe(2);
  });

  it("lists databases and published weights, for people and as JSON", () => {
    const listed = JSON.parse(liqe(["data", "list", "--json"]).output) as { name: string; images: number }[]; // our own
    expect(listed.map(({ name }) => name)).toEqual(KNOWN_DATABASES.map(({ name }) => name));
    expect(liqe(["data", "list"]).output).toMatch(/^kadid10k +10125 +1 to 5 +kadid10k +(yes|no) /m);
    expect(JSON.parse(liqe(["weights", "list", "--json"]).output)).toHaveLength(9);
    expect(liqe(["weights", "list"]).output).toMatch(/^vit-b-32 +354 +(yes|no) +checkpoints\/ViT-B-32\.pt$/m);
  });

  it("shows a config's keys, changed ones too", () => {
    const { output } = liqe(["config", "show", "smoke", "--set", "train.epochs=7"]);
    expect(output).toMatch(/^train\.epochs: 7 {2}\(default: 80\)$/m);
    expect(output).toMatch(/^data\.maxMegapixels: 64 {2}\(default\)\n {4}larger images are refused/m);
  });
});

describe("findConfig", () => {
  it("takes a name with or without its ending, or a path", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "mine.yml"), "");
    expect(findConfig("smoke", folder)).toBe(findConfig("smoke.yaml", folder));
    expect(findConfig("mine", folder)).toBe(join(folder, "mine.yml"));
    expect(findConfig("./mine", folder)).toBe(join(folder, "mine.yml"));
  });
});

describe("showConfig", () => {
  it("has every key that --set takes, each with its default", () => {
    const keys = showConfig("smoke");
    expect(keys.find(({ key }) => key === "prompts.template")?.value).toBe(keys.find(({ key }) => key === "prompts.template")?.default); // prettier-ignore
    expect(keys.map(({ key }) => key)).toEqual(expect.arrayContaining(["run", "model.preset", "losses.weights.quality", "engine.threads"])); // prettier-ignore
    for (const { key, value } of keys.filter(({ value: given }) => typeof given === "number")) {
      expect(showConfig("smoke", [`${key}=${String(value)}`])).toEqual(keys);
    }
  });
});

describe("listRuns", () => {
  const folder = temporaryFolder();
  const made = join(folder, "mine", "split-2");
  mkdirSync(made, { recursive: true });
  writeFileSync(join(made, "config.yaml"), "run: mine\ntrain: { epochs: 5 }\n");
  const epoch = (n: number, srcc: unknown) =>
    JSON.stringify({ kind: "epoch", epoch: n, time: { seconds: 10 }, validation: { srcc } });
  writeFileSync(
    join(made, "metrics.jsonl"),
    `{"kind":"step"}\n${[epoch(0, 0.4), epoch(1, 0.6), epoch(2, "NaN")].join("\n")}\n`,
  );
  mkdirSync(join(folder, "no-run"));

  it("says of each split its state, epochs, best epoch and time", async () => {
    expect(await listRuns(folder)).toEqual([
      {
        ...{ run: "mine", split: 2, folder: made, state: "unfinished", epoch: 3, epochs: 5, seconds: 30 },
        best: { measure: "srcc", value: 0.6, epoch: 2, srcc: 0.6 },
      },
    ]);
    expect(await listRuns(join(folder, "mine"))).toEqual(await listRuns(folder));
  });

  it("has the accuracy of a run on pairs alone as its best, the first of equal ones", async () => {
    const one = join(temporaryFolder(), "compared");
    const split = join(one, "split-1");
    mkdirSync(split, { recursive: true });
    writeFileSync(join(split, "config.yaml"), "run: compared\n");
    const lines = [0.5, 0.7, null, 0.7].map((pairs, at) => {
      return JSON.stringify({ kind: "epoch", epoch: at, time: { seconds: 1 }, validation: { srcc: null, pairs } });
    });
    writeFileSync(join(split, "metrics.jsonl"), `${lines.join("\n")}\n`);
    expect((await listRuns(one)).map(({ best }) => best)).toEqual([
      { measure: "pairs", value: 0.7, epoch: 2, srcc: null },
    ]);
  });

  it("says of one at work that it runs, and refuses a folder that is not there", async () => {
    const copy = temporaryFolder();
    cpSync(folder, copy, { recursive: true });
    const mark = join(copy, "mine", "split-2", ".running-another.machine-17-4711");
    writeFileSync(mark, ""); // of another machine, which shows itself now
    expect((await listRuns(copy)).map(({ state }) => state)).toEqual(["running"]);
    await expect(listRuns(join(copy, "gone"))).rejects.toMatchObject({ name: "ConfigError" });
  });
});
