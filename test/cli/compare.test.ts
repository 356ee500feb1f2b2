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
