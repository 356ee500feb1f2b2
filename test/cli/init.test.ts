import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

describe.skipIf(!IS_BUILT)("liqe init", () => {
  it("writes a config once, and keeps what is there unless it is forced", () => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "mine"));
    const rows = Array.from({ length: 12 }, (_, i) => `${i}.jpg,${i}\n`);
    writeFileSync(join(cwd, "mine", "scores.csv"), `image,mos\n${rows.join("")}`);
    for (let i = 0; i < 12; i++) writeFileSync(join(cwd, "mine", `${i}.jpg`), "");
    const first = liqe(["init", "mine/scores.csv"], { cwd });
    expect([first.exitCode, first.messages]).toEqual([0, ""]);
    expect(first.output).toContain("mine.yaml written");
    expect(readFileSync(join(cwd, "mine.yaml"), "utf8")).toContain("  root: .\n");
    writeFileSync(join(cwd, "mine.yaml"), "mine: 1\n");
    const second = liqe(["init", "mine"], { cwd });
    expect([second.exitCode, second.output]).toEqual([2, ""]);
    expect(second.messages).toMatch(/^mine\.yaml: is there already; /);
    expect(readFileSync(join(cwd, "mine.yaml"), "utf8")).toBe("mine: 1\n");
    expect(liqe(["init", "mine", "--force"], { cwd }).exitCode).toBe(0);
    expect(liqe(["config", "show", "mine.yaml"], { cwd }).output).toContain('data.root: "."');
  });

  it("ends with 3 and one message where nothing is recognized", () => {
    const cwd = temporaryFolder();
    const { exitCode, output, messages } = liqe(["init", ".", "--out", "x.yaml"], { cwd });
    expect([exitCode, output, messages.trimEnd().split("\n").length]).toEqual([3, "", 1]);
    expect(existsSync(join(cwd, "x.yaml"))).toBe(false);
  });
});
