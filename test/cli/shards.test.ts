import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { journalFile } from "../../src/api/predictions/journal.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

/** Quality in other batches: CLIP's scale of 100 turns 1e-7 in features into 1e-5 in logits. */
const OTHER_BATCHES = 1e-4;
const IMAGES = 300;

const weights = await toyWeights();
const root = temporaryFolder();
mkdirSync(join(root, "many"));
for (let i = 0; i < IMAGES; i++) {
  const photo = join(PACKAGE_ROOT, "examples", "photos", i % 2 === 0 ? "chelsea.jpg" : "rocket.jpg");
  symlinkSync(photo, join(root, "many", `${String(i).padStart(3, "0")}.jpg`));
}
mkdirSync(join(root, "few"));
for (let i = 0; i < 5; i++) symlinkSync(join(root, "many", `00${i}.jpg`), join(root, "few", `${i}.jpg`));
writeFileSync(join(root, "few", "broken.jpg"), "no picture");

const shard = (folder: string, part: string, out: string) =>
  ["predict", folder, "--checkpoint", weights, "--crops", "4", "--shard", part, "--out", out]; // prettier-ignore

describe.skipIf(!IS_BUILT)("liqe predict --shard", () => {
  it("writes CSV files that each have the header, and together the lines of one call", () => {
    const whole = liqe(["predict", "few", "--checkpoint", weights, "--crops", "4", "--csv"], { cwd: root });
    const [head = "", ...lines] = whole.output.trimEnd().split("\n");
    const parts = [0, 1, 2].map((i) => {
      const { exitCode, output } = liqe(shard("few", `${i}/3`, `csv/${i}.csv`), { cwd: root });
      expect(output).toBe("");
      const text = readFileSync(join(root, "csv", `${i}.csv`), "utf8")
        .trimEnd()
        .split("\n");
      expect(exitCode).toBe(text.some((line) => line.includes("broken")) ? 3 : 0);
      return text;
    });
    expect(parts.map(([first]) => first)).toEqual([head, head, head]);
    const together = parts.flatMap(([, ...rest]) => rest).map((line) => line.split(","));
    const cells = lines.map((line) => line.split(","));
    expect(together.map(([image]) => image)).toEqual(cells.map(([image]) => image));
    const qualities = (rows: readonly (readonly string[])[]) => rows.map(([, quality = ""]) => (quality === "" ? -1 : Number(quality))); // prettier-ignore
    expect(qualities(together)).toBeAllClose(qualities(cells), { rtol: 0, atol: OTHER_BATCHES });
  });

  it("writes Parquet files of one data set", async () => {
    const files = [0, 1].map((i) => join(root, "set", `part-${i}.parquet`));
    for (const [i, file] of files.entries()) liqe(shard("few", `${i}/2`, file), { cwd: root });
    const buffers = await Promise.all(files.map((file) => asyncBufferFromFile(file)));
    const schemas = await Promise.all(buffers.map(async (file) => (await parquetMetadataAsync(file)).schema.slice(1)));
    expect(schemas[0]).toEqual(schemas[1]);
    const rows = (await Promise.all(buffers.map((file) => parquetReadObjects({ file })))).flat();
    const whole = liqe(["predict", "few", "--checkpoint", weights, "--crops", "4", "--json"], { cwd: root });
    const lines = whole.output.trimEnd().split("\n").map((line) => JSON.parse(line) as { image: string; quality?: number }); // prettier-ignore
    expect(rows.map(({ image }) => image as string)).toEqual(lines.map(({ image }) => image));
    for (const [i, { quality }] of lines.entries()) {
      if (quality === undefined) expect(rows[i]?.["quality"]).toBe(null);
      else expect(Math.abs((rows[i]?.["quality"] as number) - quality)).toBeLessThan(OTHER_BATCHES);
    }
  });

  it("goes on after SIGKILL with what is left, and says at a third call that it is finished", async () => {
    const out = join(root, "scores.jsonl");
    const args = shard("many", "0/1", out);
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "liqe.js"), ...args], {
      cwd: root,
      stdio: "ignore",
    });
    const ended = once(child, "close");
    const scored = () => readFileSync(journalFile(out), { encoding: "utf8", flag: "a+" }).split("\n").length - 2;
    await expect.poll(scored, { timeout: 120_000, interval: 20 }).toBeGreaterThan(20);
    child.kill("SIGKILL");
    await ended;
    const before = scored();
    expect(before).toBeLessThan(IMAGES);
    const again = liqe(args, { cwd: root });
    expect([again.exitCode, again.output]).toEqual([0, ""]);
    expect(again.messages).toContain(`${before} of ${IMAGES} images scored before; going on`);
    const scores = readFileSync(out, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as { image: string; quality: number }); // prettier-ignore
    const images = scores.map(({ image }) => image);
    const two = liqe(["predict", "many/000.jpg", "many/001.jpg", "--checkpoint", weights, "--crops", "4", "--json"], { cwd: root }); // prettier-ignore
    const [even = NaN, odd = NaN] = two.output.trimEnd().split("\n").map((line) => (JSON.parse(line) as { quality: number }).quality); // prettier-ignore
    const expected = scores.map((_, i) => (i % 2 === 0 ? even : odd)); // of two photographs alone
    expect(scores.map(({ quality }) => quality)).toBeAllClose(expected, { rtol: 0, atol: OTHER_BATCHES });
    expect(images).toEqual(Array.from({ length: IMAGES }, (_, i) => `many/${String(i).padStart(3, "0")}.jpg`));
    expect(liqe(args, { cwd: root })).toMatchObject({ exitCode: 0, messages: `${out}: is finished already\n` });
  });
});
