import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { writeDurable } from "../../src/base/files.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const root = temporaryFolder();
const weights = await toyWeights();
const others = join(root, "others.safetensors");
await writeDurable(others, (handle) => writeSafetensors(handle, initialParameters(TOY_ARCHITECTURE, 6)));
mkdirSync(join(root, "photos", "more"), { recursive: true });
for (let i = 0; i < 9; i++) {
  const create = { width: 240, height: 224, channels: 3 as const, background: { r: 25 * i, g: 250 - 20 * i, b: 90 } };
  await sharp({ create })
    .png()
    .toFile(join(root, "photos", i < 6 ? "." : "more", `${i}.png`));
}
writeFileSync(join(root, "photos", "broken.png"), "no picture");

function compare(out: string, args: readonly string[] = []) {
  const models = ["--checkpoint", weights, "--against", others];
  return liqe(["compare", "photos", ...models, "--out", out, "--levels", "2", ...args], { cwd: root });
}

interface Record {
  readonly images: number;
  readonly failed: readonly { readonly file: string }[];
  readonly defences: readonly { readonly levels: readonly { readonly images: number; readonly pair: Pair | null }[] }[];
}

interface Pair {
  readonly better: { readonly file: string; readonly qualities: readonly number[] };
  readonly worse: { readonly file: string; readonly qualities: readonly number[] };
}

describe.skipIf(!IS_BUILT)("liqe compare", () => {
  it("writes the pairs as pictures and as JSON, of the scores that predict gives, and ends with 3 for a broken file", () => {
    const { exitCode, output, messages } = compare("pairs", ["--recursive"]);
    expect(exitCode).toBe(3);
    expect(messages.match(/broken\.png: not an image/g)).toHaveLength(1); // though neither model could read it
    expect(output).toContain("A finds them alike, B separates them by");
    const record = JSON.parse(readFileSync(join(root, "pairs", "compare.json"), "utf8")) as Record; // just written
    expect([record.images, record.failed.length]).toEqual([9, 1]);
    const pairs = record.defences.flatMap(({ levels }) => levels.flatMap(({ pair }) => (pair === null ? [] : [pair])));
    expect(pairs.length).toBeGreaterThanOrEqual(2);
    const page = readFileSync(join(root, "pairs", "compare.html"), "utf8");
    expect(page.match(/<img /g)).toHaveLength(2 * pairs.length);
    const [pair] = pairs;
    const said = liqe(["predict", pair?.better.file ?? "", "--checkpoint", others, "--json"], { cwd: root }).output;
    const { quality } = JSON.parse(said) as { quality: number };
    expect(Math.abs(quality - (pair?.better.qualities[1] ?? NaN))).toBeLessThan(1e-4); // another batch
  });

  it("gives the same files when asked again", () => {
    compare("once");
    compare("twice");
    for (const name of ["compare.html", "compare.json"]) {
      const [once, twice] = ["once", "twice"].map((out) => readFileSync(join(root, out, name), "utf8"));
      expect(once).toBe(twice);
    }
  });

  it("says so where no image has a score", () => {
    const models = ["--checkpoint", weights, "--against", others];
    const { exitCode, messages } = liqe(["compare", "photos/broken.png", ...models, "--out", "none"], { cwd: root });
    expect(exitCode).toBe(3);
    expect(messages).toContain("liqe compare: no image has a score; photos/broken.png: not an image");
  });
});

describe.skipIf(!IS_BUILT)("liqe compare of two images", () => {
  const both = ["compare", join("photos", "0.png"), join("photos", "5.png"), "--checkpoint", weights];

  it("says which is better with the probability of predict's scores, and each one's levels and labels", () => {
    const { output, exitCode } = liqe([...both, "--json"], { cwd: root });
    expect(exitCode).toBe(0);
    interface One {
      readonly image: string;
      readonly quality: number;
      readonly probabilities: { readonly quality: { readonly [level: string]: number } };
    }
    const { a, b, better, probability } = JSON.parse(output) as { readonly a: One; readonly b: One; readonly better: string; readonly probability: number }; // prettier-ignore
    const said = liqe(["predict", a.image, b.image, "--checkpoint", weights, "--json"], { cwd: root }).output;
    const [first, second] = said.trim().split("\n").map((line) => (JSON.parse(line) as One).quality); // prettier-ignore
    expect(Math.abs(a.quality - (first ?? NaN))).toBeLessThan(1e-4);
    expect(Math.abs(b.quality - (second ?? NaN))).toBeLessThan(1e-4);
    expect(better).toBe(probability > 0.55 ? "A" : probability < 0.45 ? "B" : "tie");
    expect(Math.sign(probability - 0.5)).toBe(Math.sign(a.quality - b.quality));
    const text = liqe(both, { cwd: root }).output;
    expect(text).toMatch(/with a probability of 0\.\d\d\n {2}A {2}photos\/0\.png: quality \d\.\d\d \(\w+ \d+ %/);
  });

  it.each([
    [["photos/0.png"], "compares two images, and 1 are named"],
    [["photos/0.png", "photos/1.png", "photos/2.png"], "compares two images, and 3 are named"],
    [["photos", "--against", others], "--against needs --out DIR"],
  ])("ends with 2 for %j", (args, message) => {
    const { exitCode, messages } = liqe(["compare", ...args, "--checkpoint", weights], { cwd: root });
    expect(exitCode).toBe(2);
    expect(messages).toContain(message);
  });
});
