import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { main } from "../../src/cli/main.js";
import type { GoldenScores } from "../../src/export/golden/goldenScores.js";
import { parseExportManifest } from "../../src/export/exportManifest.js";
import type * as SafetensorsFormat from "../../src/export/safetensorsFormat.js";
import { trainSplit } from "../../src/train/run.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan, toyWeights } from "../support/runs.js";

/** A fault to inject: what is done to the bytes of model.safetensors after they were written. */
const fault = vi.hoisted(() => ({ strike: null as ((file: string) => Promise<void>) | null }));

vi.mock("../../src/export/safetensorsFormat.js", async (original) => {
  const { safetensorsFormat } = await original<typeof SafetensorsFormat>();
  const write: typeof safetensorsFormat.write = async (folder, ...rest) => {
    await safetensorsFormat.write(folder, ...rest);
    await fault.strike?.(join(folder, "model.safetensors"));
  };
  return { safetensorsFormat: { ...safetensorsFormat, write } };
});

let output: string;
let messages: string;

beforeEach(() => {
  output = "";
  messages = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    messages += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  fault.strike = null;
  process.exitCode = undefined;
});

describe("liqe export", () => {
  let weights: string;
  beforeAll(async () => {
    weights = await toyWeights();
  });

  /** Runs the command; gives its exit code. */
  async function run(out: string, ...more: readonly string[]): Promise<unknown> {
    await main(["export", "--checkpoint", weights, "--out", out, ...more]);
    return process.exitCode ?? 0;
  }

  it("says of each folder what read it back and how far its scores were off", async () => {
    const out = join(temporaryFolder(), "export");
    expect(await run(out, "--format", "safetensors,openai", "--dtype", "f16")).toBe(0);
    const lines = output.trimEnd().split("\n");
    expect(lines.length).toBe(2);
    expect(lines[1]).toMatch(/openai: f16, read back by liqe-train .*: quality within \S+ \(tolerance 0\.01\)$/);
    expect(readdirSync(out).sort()).toEqual(["openai", "safetensors"]);
    const golden = JSON.parse(readFileSync(join(out, "openai", "golden.json"), "utf8")) as GoldenScores; // just written
    expect(golden.photographs.map(({ file }) => file)).toEqual(["chelsea.jpg", "coffee.jpg", "rocket.jpg"]);
    expect(golden.photographs.map(({ crops }) => crops.length)).toEqual([15, 15, 15]);
  });

  it("exits 7 where the bytes that were written are not those that were meant, and leaves nothing", async () => {
    fault.strike = async (file) => {
      const handle = await open(file, "r+");
      const { size } = await handle.stat();
      await handle.write(Buffer.from(Float32Array.of(40, -40, 40, -40).buffer), 0, 16, size - 16);
      await handle.close();
    };
    const out = join(temporaryFolder(), "export");
    expect(await run(out, "--format", "safetensors")).toBe(7);
    expect(messages).toMatch(
      /safetensors: liqe-train .* does not give the golden scores: of image \d a quality is off by/,
    );
    expect(output).toBe("");
    expect(existsSync(out)).toBe(false);
  });

  it("exits 130 after SIGINT, and leaves nothing", async () => {
    fault.strike = () => {
      process.emit("SIGINT", "SIGINT");
      return Promise.resolve();
    };
    const out = join(temporaryFolder(), "export");
    expect(await run(out, "--format", "safetensors,openai")).toBe(130);
    expect(existsSync(out)).toBe(false);
    expect(messages).toContain("nothing is kept");
  });

  it("exits 2 for a folder that is there, before anything is computed, and touches nothing in it", async () => {
    const out = temporaryFolder();
    mkdirSync(join(out, "safetensors"));
    writeFileSync(join(out, "safetensors", "mine"), "");
    expect(await run(out, "--format", "safetensors")).toBe(2);
    expect(messages).toContain("--force");
    expect(readdirSync(join(out, "safetensors"))).toEqual(["mine"]);
  });

  it.each([
    ["--format", "onxx", 'did you mean "onnx"?'],
    ["--format", "openai,openai", "named twice"],
    ["--format", "openai", "--dtype", "int8", "openai has no int8; weights of openai are f32 or f16"],
  ])("exits 2 for %s %s", async (...args) => {
    const expected = args.pop();
    const out = join(temporaryFolder(), "export");
    expect(await run(out, ...args)).toBe(2);
    expect(messages).toContain(expected);
    expect(existsSync(out)).toBe(false);
  });
});

describe("liqe export of a run", () => {
  it("writes down what it was trained on, without the folders of this machine", async () => {
    const [root, folder] = [await toyDatabase(), join(temporaryFolder(), "split-1")];
    const plan = await toyPlan(root, folder, { epochs: 1 });
    const record = JSON.parse(JSON.stringify(plan.record)) as Record<string, unknown>; // of plain values
    const validate = () => Promise.resolve({ srcc: 0.5, average: 0.5 });
    await trainSplit({ ...plan, record }, { validate, signal: stopWhen(() => false) });
    const out = join(temporaryFolder(), "export");
    await main(["export", "--checkpoint", folder, "--format", "safetensors", "--out", out]);
    expect(messages).not.toContain("problem");
    expect(process.exitCode ?? 0).toBe(0);
    const text = readFileSync(join(out, "safetensors", "manifest.json"), "utf8");
    const { training, prompts } = parseExportManifest("manifest.json", JSON.parse(text));
    expect(prompts.axes.map(({ axis }) => axis)).toEqual(["quality", "distortion"]);
    expect(training).toMatchObject({ seed: 7, split: 1, steps: 3, packageVersion: "0.0.0" });
    const sha256: unknown = expect.stringMatching(/^[0-9a-f]{64}$/);
    const list = (subset: string) => ({ file: `splits2/1/toys_${subset}_clip.txt`, sha256 });
    const lists = { train: list("train"), val: list("val"), test: list("test") };
    expect(training?.["databases"]).toEqual([{ name: "toys", lists }]);
    expect(text).not.toContain(root);
    expect(readFileSync(join(out, "safetensors", "LICENSE-NOTES"), "utf8")).toContain("trained on: toys");
  });
});
