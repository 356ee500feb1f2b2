import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { compare } from "../../src/api/compare.js";
import { exportModel } from "../../src/api/exportModel.js";
import { loadConfig } from "../../src/api/config.js";
import { load } from "../../src/api/load.js";
import { openSeen } from "../../src/api/openModel.js";
import { predict, type Prediction } from "../../src/api/predict.js";
import { withAbsolutePaths } from "../../src/api/train/jobs.js";
import { CheckpointError, ConfigError } from "../../src/base/errors.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import type { WorkEvent } from "../../src/api/work.js";
import { temporaryFolder } from "../support/runs.js";

const FOLDER = join(PACKAGE_ROOT, "models", "liqe-small");
const PHOTO = join(PACKAGE_ROOT, "examples", "photos", "coffee.jpg");
const OTHER = join(PACKAGE_ROOT, "examples", "photos", "rocket.jpg");
const text = (name: string) => readFileSync(join(FOLDER, name), "utf8");
const results = JSON.parse(text("results.json")) as {
  readonly databases: readonly { readonly images: number; readonly srcc: Record<"value" | "low" | "high", number> }[];
};

async function notesAndScore(checkpoint?: string) {
  const notes: string[] = [];
  const onProgress = (event: WorkEvent) => {
    if (event.kind === "note") notes.push(event.line);
  };
  const predictions: Prediction[] = [];
  for await (const one of predict(PHOTO, { checkpoint, crops: 1, onProgress })) predictions.push(one);
  return { notes: notes.filter((line) => line.includes("liqe-small")), score: predictions[0] };
}

describe("the model in the box", () => {
  it("scores where no checkpoint is named, and one line says what was measured of it", async () => {
    const { notes, score } = await notesAndScore();
    const { srcc, images } = results.databases[0] ?? { srcc: null, images: NaN };
    const value = (srcc?.value ?? NaN).toFixed(2).slice(1);
    expect(notes).toEqual([
      expect.stringContaining(`liqe-small scores, the small model in the box, with SRCC ${value} (`),
    ]);
    expect(notes[0]).toContain(`on ${images} test images of clive`);
    const named = await notesAndScore("liqe-small");
    expect(named.notes).toEqual([]);
    expect(named.score).toEqual(score);
    expect((await notesAndScore(FOLDER)).score).toEqual(score);
  });
  it("compares and loads without a name", async () => {
    const { probability, a } = await compare(PHOTO, OTHER, { crops: 1 });
    expect(probability).toBeGreaterThan(0);
    expect(probability).toBeLessThan(1);
    const model = await load();
    expect(await model.score(PHOTO, { crops: 1 })).toEqual(a);
    model.dispose();
  });
  it("refuses prompts with other words than its own", async () => {
    const prompts = join(temporaryFolder(), "prompts.yaml");
    writeFileSync(prompts, 'template: "a snapshot in {quality} condition"\n');
    const failed = load("liqe-small", { prompts });
    await expect(failed).rejects.toThrow(CheckpointError);
    await expect(failed).rejects.toThrow("keeps the words of its own prompts alone");
  });
  it.each(["safetensors", "openai", "hub"])("is not exported as %s, whose readers encode prompts", async (format) => {
    const failed = exportModel("liqe-small", { format, out: temporaryFolder(), force: true });
    await expect(failed).rejects.toThrow(ConfigError);
    await expect(failed).rejects.toThrow("keeps the words of its own prompts alone; export onnx or tfjs");
  });
  it("is where a training may begin, and a teacher: its name becomes its folder", () => {
    const set = ["model.weights=liqe-small", "train.teacher=liqe-small"];
    const { config } = loadConfig("distill", set);
    const { model, train } = withAbsolutePaths(config);
    expect([model.weights, train.teacher]).toEqual([FOLDER, FOLDER]);
  });
  it("has the record of what it has seen: the lists of split 1, and no test image", async () => {
    const seen = await openSeen("liqe-small");
    expect(seen?.training).toHaveLength(813);
    expect(seen?.validation).toHaveLength(116);
    expect(new Set(seen?.training.map(({ sha256 }) => sha256)).size).toBe(813);
    // The sample's pictures are of the same split, encoded anew: their names tell them
    expect([...(seen?.training ?? []), ...(seen?.validation ?? [])].filter(({ path }) => !path.startsWith("clive/Images/"))).toEqual([]); // prettier-ignore
    const stemOf = (image: string) => basename(image).replace(/\.\w+$/, "");
    const stems = new Set([...(seen?.training ?? []), ...(seen?.validation ?? [])].map(({ path }) => stemOf(path)));
    const sampled = (subset: string) => {
      const list = join(PACKAGE_ROOT, "examples", "clive-sample", "splits2", "1", `clive_${subset}_clip.txt`);
      const lines = readFileSync(list, "utf8").trim().split("\n");
      return lines.map((line) => stemOf(line.split("\t")[0] ?? ""));
    };
    expect([...sampled("train"), ...sampled("val")].filter((stem) => !stems.has(stem))).toEqual([]);
    expect(sampled("test")).toHaveLength(120);
    expect(sampled("test").filter((stem) => stems.has(stem))).toEqual([]);
  });
  it("has at most 8 MB, no path of a machine, and a card with the figures measured", () => {
    const sizes = readdirSync(FOLDER).map((name) => statSync(join(FOLDER, name)).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(8e6);
    for (const name of ["state.json", "results.json", "manifest.json"]) expect(text(name)).not.toMatch(/"\/\w/);
    const { srcc } = results.databases[0] ?? { srcc: null };
    const [value, low, high] = [srcc?.value, srcc?.low, srcc?.high].map((one) => (one ?? NaN).toFixed(3).slice(1));
    expect(text("README.md")).toContain(`${value ?? ""} (${low ?? ""} to ${high ?? ""})`);
    expect(text("NOTICE")).toBe(readFileSync(join(PACKAGE_ROOT, "examples", "clive-sample", "NOTICE"), "utf8"));
  });
});
