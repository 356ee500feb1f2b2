import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exportModel } from "../../src/export/exportModel.js";
import { GOLDEN_SEEDS, goldenImage } from "../../src/export/golden/goldenImages.js";
import { safetensorsFormat } from "../../src/export/safetensorsFormat.js";
import drawn from "../fixtures/golden/python.json" with { type: "json" };
import { toySource } from "../support/exports.js";
import { temporaryFolder } from "../support/runs.js";

const sha256 = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("the Python code for the golden images in an export's README.md", () => {
  it("is the code that was run, and drew what goldenImage draws (scripts/reference/golden_images.py)", async () => {
    const { source, golden } = toySource();
    const formats = [{ format: safetensorsFormat, dtype: "f32" as const }];
    const [exported] = await exportModel(source, golden, { out: temporaryFolder(), formats, force: true });
    const readme = readFileSync(join(exported?.folder ?? "", "README.md"), "utf8");
    const [, code = ""] = /## The golden images[^]*?```python\n([^]*?)```/.exec(readme) ?? [];
    expect(sha256(code), "the code has changed: run scripts/reference/golden_images.py again").toBe(drawn.codeSha256);
    const images = GOLDEN_SEEDS.map((seed) => {
      const { rows, cols, pixels } = goldenImage(seed);
      return { seed, rows, cols, pixelsSha256: sha256(pixels) };
    });
    expect(drawn.images).toEqual(images);
  });
});
