import fc from "fast-check";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LiqeError } from "../../src/base/errors.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { decodeImage } from "../../src/data/images/loadImage.js";
import { mutated } from "../fuzz/mutations.js";
import { pythonJson, withoutPython } from "../support/python.js";
import { temporaryFolder } from "../support/runs.js";

const SKIP = withoutPython("PIL", "numpy");

const FIXTURES = join(PACKAGE_ROOT, "test", "fixtures", "images");

/** Files of each kind that are changed and decoded by both. */
const CASES = Number(process.env["LIQE_FUZZ_CASES"] ?? 300);
const SEED = Number(process.env["LIQE_FUZZ_SEED"] ?? 1);

/**
 * Raw pixels of every file here as `<file>.rgb`, by PIL, and what it refuses. A JPEG of which the end alone is wrong is
 * refused by PIL after its last pixel, and read here: its pixels count. Left out is what PIL does with 8-bit BMPs of one
 * or two colors, whose bytes it takes for bits.
 */
const DECODE = `
import glob, json
import numpy as np
from PIL import Image, ImageFile
def pixels(name):
    with Image.open(name) as image:
        if image.format == "BMP" and image.mode == "1" and open(name, "rb").read(29)[28] != 1:
            return None
        if image.mode.startswith("I;16"): # docs/formats.md: the high byte
            image = Image.fromarray((np.asarray(image) >> 8).astype("u1"))
        return np.asarray(image.convert("RGB"))
def is_jpeg(name):
    return open(name, "rb").read(2) == b"\\xff\\xd8"
refused, left_out = {}, []
for name in sorted(glob.glob("*.case")):
    for is_lenient in (False, True) if is_jpeg(name) else (False,):
        ImageFile.LOAD_TRUNCATED_IMAGES = is_lenient
        try:
            read = pixels(name)
        except Exception as error:
            refused.setdefault(name, str(error))
            continue
        if read is None:
            left_out.append(name)
        else:
            open(name + ".rgb", "wb").write(np.asarray(read.shape[:2], "<u4").tobytes() + read.tobytes())
        break
print(json.dumps({"refused": refused, "left_out": left_out}))`;

/** Largest difference of two pictures' values; Infinity where their sizes differ. */
function difference(own: Awaited<ReturnType<typeof decodeImage>>, theirs: Buffer): number {
  if (theirs.readUInt32LE(0) !== own.rows || theirs.readUInt32LE(4) !== own.cols) return Infinity;
  return own.pixels.reduce((most, value, i) => Math.max(most, Math.abs(value - (theirs[8 + i] ?? Infinity))), 0);
}

describe("changed pictures", () => {
  it.skipIf(SKIP !== "").each([
    ["JPEG", /\.jpg$/, 2],
    ["PNG", /\.png$/, 0],
    ["BMP", /\.bmp$/, 0],
    ["TIFF", /\.tif$/, 0],
    ["WebP", /\.webp$/, 0],
  ] as const)(
    `are refused, or have PIL's pixels: %s${SKIP}`,
    async (_, ends, tolerance) => {
      const names = readdirSync(FIXTURES).filter((name) => ends.test(name));
      const files = names.map((name) => Uint8Array.from(readFileSync(join(FIXTURES, name))));
      const folder = temporaryFolder();
      const cases = fc.sample(mutated(files), { numRuns: CASES, seed: SEED });
      cases.forEach((bytes, i) => {
        writeFileSync(join(folder, `${i}.case`), bytes);
      });
      const theirs = pythonJson(DECODE, folder) as { refused: Record<string, string>; left_out: string[] }; // by the code
      const wrong: string[] = [];
      let alike = 0;
      for (const i of cases.keys()) {
        const name = `${i}.case`;
        const own = await decodeImage(join(folder, name)).catch((error: unknown) => {
          if (!(error instanceof LiqeError)) throw error;
          return null;
        });
        if (own === null || theirs.left_out.includes(name)) continue;
        const pixels = join(folder, `${name}.rgb`);
        const most = existsSync(pixels) ? difference(own, readFileSync(pixels)) : NaN;
        if (most <= tolerance) alike++;
        else wrong.push(`${name}: differs by ${most}; PIL: ${theirs.refused[name] ?? "read"}`);
      }
      expect([wrong, alike > CASES / 20]).toEqual([[], true]);
    },
    600_000,
  );
});
