import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

describe.skipIf(!IS_BUILT)("liqe export --format tfjs, compiled", () => {
  it("writes a folder that liqe weights inspect reads back, for people and for programs", async () => {
    const out = temporaryFolder();
    const given = ["--checkpoint", await toyWeights(), "--format", "tfjs", "--dtype", "f16", "--out", out];
    const exported = liqe(["export", ...given]);
    expect(exported.messages).toContain("writing tfjs and reading it back");
    expect(exported.exitCode).toBe(0);
    const folder = join(out, "tfjs");
    expect(exported.output).toMatch(
      /tfjs: f16, read back by TensorFlow\.js 4\.22\.0 \(\w+\): quality within \S+ \(tol/,
    );
    const names = ["LICENSE-NOTES", "README.md", "golden.json", "group1-shard1of1.bin", "manifest.json", "model.json"];
    expect(readdirSync(folder)).toEqual(names);
    const inspected = liqe(["weights", "inspect", join(folder, "model.json")]);
    expect(inspected.output).toContain("TensorFlow.js, f16: 0.1 MB in 1 shard");
    expect(inspected.output).toContain("visual.conv1.weight float16 [16, 3, 32, 32]");
    const report = JSON.parse(liqe(["weights", "inspect", folder, "--json"]).output) as Record<string, unknown>;
    expect(report).toMatchObject({ format: "TensorFlow.js", dtype: "f16", shards: 1 });
    expect(liqe(["export", ...given]).exitCode).toBe(2); // the folder is there
  });
});
