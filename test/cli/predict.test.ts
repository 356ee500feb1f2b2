import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { heatmapFile } from "../../src/api/predict.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const weights = await toyWeights();
const root = temporaryFolder();
mkdirSync(join(root, "photos"));
for (const [name, grey] of [
  ["dark.png", 40],
  ["light, very.png", 220],
] as const) {
  const create = { width: 320, height: 256, channels: 3 as const, background: { r: grey, g: grey, b: 90 } };
  await sharp({ create })
    .png()
    .toFile(join(root, "photos", name));
}
writeFileSync(join(root, "photos", "broken.jpg"), "no picture");

/** `liqe predict` in the folder of the pictures. */
function predict(args: readonly string[], input = "") {
  return liqe(["predict", ...args, "--checkpoint", weights], { cwd: root, input });
}

/** All that standard error says: the toy's weights are alone. */
const ASSUMPTION = /^[^\n]*taken for OpenAI's kind[^\n]*\n$/;

const NAMES = ["photos/broken.jpg", "photos/dark.png", "photos/light, very.png"];

interface Line {
  readonly image: string;
  readonly error?: string;
  readonly uncertainty?: number;
  readonly heatmap?: string;
  readonly crops?: readonly { readonly top: number; readonly left: number; readonly quality: number }[];
}

function linesOf(output: string): Line[] {
  const lines = output.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Line); // our own output
}

describe.skipIf(!IS_BUILT)("liqe predict", () => {
  it("sorts by quality either way and by name, failures last, and keeps the first --top", () => {
    const order = (...args: readonly string[]) => linesOf(predict(["photos", "--json", ...args]).output);
    const quality = (line: Line | undefined) => (line as { quality?: number } | undefined)?.quality ?? NaN; // of our own output
    const [worst, best, failed] = order("--sort", "quality");
    expect(quality(worst)).toBeLessThan(quality(best));
    expect(failed).toMatchObject({
      image: "photos/broken.jpg",
      error: expect.stringContaining("not an image") as string,
    });
    expect(order("--sort", "-quality").map(({ image }) => image)).toEqual(
      [best, worst, failed].map((line) => line?.image),
    );
    expect(order("--sort", "name", "--top", "1").map(({ image }) => image)).toEqual([NAMES[1], NAMES[0]]);
    expect(order("--top", "1", "--batch", "1").map(({ image }) => image)).toEqual([best?.image, NAMES[0]]);
    expect(predict(["photos", "--sort", "worst"])).toMatchObject({ exitCode: 2, output: "" });
  });

  it("writes a file by its ending, nothing on standard output, and with --quiet nothing at all", () => {
    const lines = linesOf(predict(["photos", "--json"]).output);
    for (const name of ["made/scores.jsonl", "made/scores.json", "made/scores.csv"]) {
      const { exitCode, output, messages } = predict(["photos", "--out", name]);
      expect([exitCode, output]).toEqual([3, ""]);
      expect(messages).toContain(`${name} written`);
    }
    const read = (name: string) => readFileSync(join(root, "made", name), "utf8");
    expect(linesOf(read("scores.jsonl"))).toEqual(lines);
    expect(JSON.parse(read("scores.json"))).toEqual(lines);
    expect(read("scores.csv")).toBe(predict(["photos", "--csv"]).output);
    expect(predict(["photos", "--out", "made/quiet.csv", "--quiet"]).messages).toBe("");
    expect(predict(["photos", "--out", "scores.xlsx"]).messages).toContain(
      "must end in .csv, .jsonl, .json or .parquet",
    );
    expect(predict(["photos", "--out", "scores.csv", "--json"]).exitCode).toBe(2);
  });

  it("writes Parquet with the values of --json, nulls where there are none, and columns that never change", async () => {
    expect(predict(["photos", "--out", "scores.parquet"])).toMatchObject({ exitCode: 3, output: "" });
    const [broken, dark] = linesOf(predict(["photos", "--json"]).output);
    const read = async (name: string) => parquetReadObjects({ file: await asyncBufferFromFile(join(root, name)) });
    const rows = await read("scores.parquet");
    const none = {
      quality: null,
      scene: null,
      distortion: null,
      uncertainty: null,
      probabilities: null,
      enlarged: null,
    };
    expect(rows[0]).toEqual({ ...none, heatmap: null, ...broken });
    const { probabilities, ...others } = rows[1] ?? {};
    const unset = { enlarged: false, heatmap: null, error: null };
    expect(others).toEqual({ ...unset, ...dark, assumed: undefined, probabilities: undefined });
    expect(JSON.parse(String(probabilities))).toEqual((dark as unknown as Record<string, unknown>)["probabilities"]); // of our own output
    predict(["photos/dark.png", "--out", "whole.parquet"]);
    const columns = async (name: string) => {
      const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(join(root, name)));
      return schema.slice(1); // the first one counts the columns
    };
    expect(await columns("whole.parquet")).toEqual(await columns("scores.parquet"));
  });

  it("turns images where it is asked to, and says so; refuses megapixels naming the flag that allows them", async () => {
    const create = { width: 320, height: 256, channels: 3 as const, background: "teal" };
    const file = join(root, "turned.jpg");
    await sharp({ create }).withMetadata({ orientation: 6 }).jpeg().toFile(file);
    const { output, messages } = predict([file, "--json", "--orientation", "apply"]);
    expect(JSON.parse(output)).toMatchObject({ image: file, orientation: "apply" });
    expect(messages).toContain("images are turned as EXIF says");
    expect(JSON.parse(predict([file, "--json"]).output)).not.toHaveProperty("orientation");
    const refused = predict([file, "--json", "--max-megapixels", "0.05"]);
    expect(refused.output).toContain("320 x 256 pixels are more than the 0.05 megapixels allowed");
    expect(refused.output).toContain("--max-megapixels");
    expect(predict([file, "--json", "--max-megapixels", "0.1"]).exitCode).toBe(0);
    expect(predict([file, "--max-megapixels", "none"]).exitCode).toBe(2);
  });

  it("goes on past a broken file, writes JSON alone to standard output, and ends with 3", () => {
    const { exitCode, output, messages } = predict(["photos", "--json"]);
    const lines = linesOf(output);
    expect(lines.map(({ image }) => image)).toEqual(NAMES);
    expect(lines[0]?.error).toContain("not an image");
    expect(Object.keys(lines[0] ?? {})).toEqual(["image", "error"]);
    const keys = ["image", "quality", "scene", "distortion", "probabilities", "uncertainty", "assumed"];
    expect(Object.keys(lines[1] ?? {})).toEqual(keys);
    expect(lines[1]?.uncertainty).toBeGreaterThan(0);
    expect(lines[1]?.uncertainty).toBeLessThanOrEqual(Math.log(495) + 1e-9);
    expect(exitCode).toBe(3);
    expect(messages).toMatch(ASSUMPTION);
  });

  it("writes a table whose figures are those of the JSON, names with commas quoted", () => {
    const { exitCode, output } = predict(["-", "--csv"], NAMES.join("\n"));
    const rows = parse<Record<string, string>>(output, { columns: true });
    const json = linesOf(predict(["photos", "--json"]).output) as unknown as Record<string, string | number>[]; // the keys below
    expect(rows.map(({ image }) => image)).toEqual(NAMES);
    for (const key of ["quality", "scene", "distortion", "uncertainty", "error"]) {
      expect(rows.map((row) => row[key])).toEqual(json.map((line) => String(line[key] ?? "")));
    }
    expect(exitCode).toBe(3);
  });

  it("paints the scores of an image's windows, as large as the image and a legend below", async () => {
    const { exitCode, output } = predict(["photos/dark.png", "--json", "--crops", "4", "--heatmap", "maps"]);
    const [line] = linesOf(output);
    expect([exitCode, line?.heatmap]).toEqual([0, "maps/photos/dark.png.png"]);
    expect(line?.crops?.map(({ top, left }) => [top, left])).toEqual([
      [0, 0],
      [0, 64],
      [32, 0],
      [32, 64],
    ]);
    const { format, width, height } = await sharp(join(root, "maps/photos/dark.png.png")).metadata();
    expect([format, width, height]).toEqual(["png", 320, 256 + 27]);
  });

  it("refuses a heatmap folder that cannot be made before it loads anything", () => {
    const { exitCode, messages } = predict(["photos/dark.png", "--heatmap", "photos/dark.png/maps"]);
    expect(exitCode).toBe(2);
    expect(messages).toContain("--heatmap photos/dark.png/maps: cannot be made");
  });

  it("does not take --json and --csv together", () => {
    const { exitCode, messages } = predict(["photos", "--json", "--csv"]);
    expect([exitCode, messages]).toEqual([2, "liqe predict: --json and --csv do not go together; which one?\n"]);
  });

  it("ends quietly, and early, when its reader goes away", async () => {
    const many = join(root, "many");
    mkdirSync(many);
    for (let i = 0; i < 100; i++) symlinkSync(join(root, "photos", "dark.png"), join(many, `${i}.png`));
    const program = join(PACKAGE_ROOT, "bin", "liqe.js");
    const child = spawn(process.execPath, [program, "predict", many, "--checkpoint", weights, "--heatmap", "early"], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let messages = "";
    child.stderr.on("data", (chunk: Buffer) => (messages += chunk.toString()));
    child.stdout.once("data", () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(0);
    expect(messages).toMatch(ASSUMPTION);
    expect(existsSync(join(root, "early", "many", "0.png.png"))).toBe(true);
    expect(existsSync(join(root, "early", "many", "99.png.png"))).toBe(false); // the last by name
  });

  it("brings no other package's text along on standard output", () => {
    const { output } = predict(["photos/dark.png"]);
    expect(output).toMatch(/^photos\/dark\.png is a photo of an? \S+ with [\w ]+ artifacts, .* \(1 to 5\)\n$/);
  });
});

describe("heatmapFile", () => {
  it("gives images of one name in different folders different files", () => {
    const cwd = process.cwd();
    expect(heatmapFile("maps", "a/x.png")).toBe("maps/a/x.png.png");
    expect(heatmapFile("maps", join(cwd, "a", "x.png"))).toBe("maps/a/x.png.png");
    expect(heatmapFile("maps", "/data/x.png")).toBe("maps/data/x.png.png");
    expect(heatmapFile("maps", "..x.png")).toBe("maps/..x.png.png");
  });
});
