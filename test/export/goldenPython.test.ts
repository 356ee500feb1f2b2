import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exportModel } from "../../src/export/exportModel.js";
import { GOLDEN_SEEDS, goldenImage } from "../../src/export/golden/goldenImages.js";
import { onnxFormat } from "../../src/export/onnx/onnxFormat.js";
import { safetensorsFormat } from "../../src/export/safetensorsFormat.js";
import { evaluationCrops } from "../../src/model/preprocess/crops.js";
import { resized, sizeImage } from "../../src/model/preprocess/resize.js";
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
    expect(drawn.images).toMatchObject(images);
  });
});

describe("the Python code for crops in the README.md of an ONNX export", () => {
  it("is the code that was run, and cut the crops that predict scores, of a large image too", async () => {
    const { source, golden } = toySource();
    const formats = [{ format: onnxFormat, dtype: "f32" as const }];
    const [exported] = await exportModel(source, golden, { out: temporaryFolder(), formats, force: true });
    const readme = readFileSync(join(exported?.folder ?? "", "README.md"), "utf8");
    const [code = ""] = /def crops_of[^]*?(?=\n\n)/.exec(readme) ?? [];
    expect(sha256(code), "the code has changed: run scripts/reference/golden_images.py again").toBe(
      drawn.cropsCodeSha256,
    );
    for (const { seed, cropsSha256 } of drawn.images) {
      const image = resized(sizeImage(goldenImage(seed), { small: "error" }, "drawn"));
      const crops = planes(evaluationCrops(image, 15));
      expect(sha256(new Uint8Array(crops.buffer)), `image ${seed}`).toBe(cropsSha256);
    }
  });
});

/** [n, 224, 224, 3], bytes → [n, 3, 224, 224], 0 to 1 in float32. */
function planes(pixels: Uint8Array): Float32Array<ArrayBuffer> {
  const plane = 224 * 224;
  const values = new Float32Array(pixels.length);
  pixels.forEach((level, i) => {
    const crop = Math.floor(i / (3 * plane));
    values[(crop * 3 + (i % 3)) * plane + (Math.floor(i / 3) % plane)] = level / 255;
  });
  return values;
}
