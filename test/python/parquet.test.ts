import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { IS_BUILT, liqe } from "../cli/liqe.js";
import { pythonJson, withoutPython } from "../support/python.js";
import { temporaryFolder, toyWeights } from "../support/runs.js";

const SKIP = withoutPython("pyarrow");

describe.skipIf(!IS_BUILT)("liqe predict --out FILE.parquet", () => {
  it.skipIf(SKIP !== "")(
    `writes files that pyarrow reads as one data set, with the numbers of --json${SKIP}`,
    async () => {
      const [weights, cwd] = [await toyWeights(), temporaryFolder()];
      mkdirSync(join(cwd, "photos"));
      const create = { width: 256, height: 240, channels: 3 as const, background: { r: 90, g: 40, b: 200 } };
      await sharp({ create })
        .png()
        .toFile(join(cwd, "photos", "bild ü.png"));
      writeFileSync(join(cwd, "photos", "broken.jpg"), "no picture");
      const predict = (...args: readonly string[]) => liqe(["predict", ...args, "--checkpoint", weights], { cwd });
      expect(predict("photos", "--out", "scores/both.parquet").exitCode).toBe(3);
      expect(predict("photos/broken.jpg", "--out", "scores/failed.parquet").exitCode).toBe(3); // every column but two is null
      const code = `
import json, pyarrow.dataset as ds
table = ds.dataset("scores", format="parquet").to_table()
print(json.dumps({"types": {f.name: str(f.type) for f in table.schema}, "rows": table.to_pylist()}))`;
      const { types, rows } = pythonJson(code, cwd) as { types: unknown; rows: Record<string, unknown>[] }; // by the code
      expect(types).toEqual({
        ...{ image: "string", quality: "double", scene: "string", distortion: "string", uncertainty: "double" },
        ...{ probabilities: "string", enlarged: "bool", heatmap: "string", error: "string" },
      });
      expect(rows.map(({ image, error }) => [image, error === null])).toEqual([
        ["photos/bild ü.png", true],
        ["photos/broken.jpg", false],
        ["photos/broken.jpg", false],
      ]);
      const [line] = predict("photos/bild ü.png", "--json").output.split("\n");
      const expected = JSON.parse(line ?? "") as Record<string, unknown>; // our own
      expect(rows[0]?.["quality"]).toBe(expected["quality"]);
      expect(JSON.parse(String(rows[0]?.["probabilities"]))).toEqual(expected["probabilities"]);
    },
  );
});
