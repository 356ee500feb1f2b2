import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ConfigError, ExportMismatchError } from "../../src/base/errors.js";
import { processToken, partsOf } from "../../src/base/processes.js";
import type { ExportFormat, ExportSource } from "../../src/export/exportFormat.js";
import { parseExportManifest } from "../../src/export/exportManifest.js";
import { exportModel } from "../../src/export/exportModel.js";
import type { GoldenScores } from "../../src/export/golden/goldenScores.js";
import { safetensorsFormat } from "../../src/export/safetensorsFormat.js";
import { evaluationWindows } from "../../src/model/preprocess/crops.js";
import { sizeImage } from "../../src/model/preprocess/resize.js";
import { toySource } from "../support/exports.js";
import { temporaryFolder } from "../support/runs.js";

let source: ExportSource;
let golden: GoldenScores;

beforeAll(() => {
  ({ source, golden } = toySource());
});

/** Exports as safetensors; `faulty` may stand in for a step of the format. */
function run(out: string, faulty: Partial<ExportFormat> = {}, options: { force?: boolean; signal?: AbortSignal } = {}) {
  const formats = [{ format: { ...safetensorsFormat, ...faulty }, dtype: "f32" as const }];
  return exportModel(source, golden, { out, formats, force: false, ...options });
}

/** Writes other numbers over the last four of the file's, which belong to the image tower. */
async function corrupt(folder: string): Promise<void> {
  const handle = await open(join(folder, "model.safetensors"), "r+");
  try {
    const bytes = Buffer.from(Float32Array.of(30, -30, 30, -30).buffer);
    const { size } = await handle.stat();
    await handle.write(bytes, 0, bytes.length, size - bytes.length);
  } finally {
    await handle.close();
  }
}

describe("exportModel", () => {
  it("leaves a folder whose manifest names every other file with its size", async () => {
    const out = join(temporaryFolder(), "new", "export");
    const [exported] = await run(out);
    const folder = join(out, "safetensors");
    expect(exported?.folder).toBe(folder);
    expect(exported?.parity.largestDifference.quality).toBeLessThan(1e-6);
    expect(readdirSync(out)).toEqual(["safetensors"]);
    const manifest = parseExportManifest("", JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")));
    const others = readdirSync(folder).filter((name) => name !== "manifest.json");
    expect(Object.keys(manifest.files).sort()).toEqual(others.sort());
    for (const name of others) {
      expect(manifest.files[name]?.bytes).toBe(readFileSync(join(folder, name)).length);
    }
  });

  it("says in its manifest how `predict` prepares an image", async () => {
    const out = join(temporaryFolder(), "export");
    const [exported] = await run(out);
    const text = readFileSync(join(exported?.folder ?? "", "manifest.json"), "utf8");
    const { preprocessing } = parseExportManifest("", JSON.parse(text));
    const { reduceShorterSideTo, window, stride, largeSide, largeStride, crops } = preprocessing;
    const sizeOf = (rows: number, cols: number) => {
      const image = { rows, cols, pixels: new Uint8Array(rows * cols * 3) };
      const { rows: high, cols: wide } = sizeImage(image, { small: "error" }, "made");
      return [high, wide];
    };
    const most = reduceShorterSideTo;
    expect([sizeOf(most, most + 60), sizeOf(2 * most, 3 * most)]).toEqual([[most, most + 60], [most, 1.5 * most]]); // prettier-ignore
    const lefts = (cols: number) => evaluationWindows({ rows: window, cols }, 999).map(({ left }) => left);
    expect(() => lefts(window - 1)).toThrow(RangeError);
    expect(lefts(largeSide - 1).slice(0, 3)).toEqual([0, stride, 2 * stride]);
    expect(lefts(largeSide).slice(0, 3)).toEqual([0, largeStride, 2 * largeStride]);
    expect(golden.images.map((image) => image.crops.length).reduce((a, b) => Math.max(a, b))).toBe(crops);
    const { mean, std, scale } = preprocessing;
    const white = mean.map((channel, i) => (255 * scale - channel) / (std[i] ?? NaN));
    expect(white).toBeAllClose([1.930336, 2.0748837, 2.145897], { rtol: 1e-5, atol: 0 }); // CLIP's own transform of white
  });

  it("refuses a file whose weights were changed between writing and reading back, and leaves nothing", async () => {
    const out = join(temporaryFolder(), "export");
    const write: ExportFormat["write"] = async (folder, ...rest) => {
      await safetensorsFormat.write(folder, ...rest);
      await corrupt(folder);
    };
    await expect(run(out, { write })).rejects.toThrow(ExportMismatchError);
    expect(existsSync(out)).toBe(false);
  });

  it("leaves nothing where the writing fails half way", async () => {
    const out = join(temporaryFolder(), "export");
    const write: ExportFormat["write"] = async (folder, ...rest) => {
      await safetensorsFormat.write(folder, ...rest);
      throw new Error("the disk is gone");
    };
    await expect(run(out, { write })).rejects.toThrow("the disk is gone");
    expect(existsSync(out)).toBe(false);
  });

  it("refuses an export that scores a photograph otherwise, naming it, though all drawn images agree", async () => {
    const image = { rows: 230, cols: 230, pixels: new Uint8Array(230 * 230 * 3).fill(90) };
    const [drawn] = golden.images;
    if (drawn === undefined) throw new Error("test: no golden image");
    const { seed, ...score } = drawn; // of another image than the photograph
    expect(seed).toBe(1);
    const photographs = [{ file: "cat.jpg", ...score, quality: score.quality + 1 }];
    const formats = [{ format: safetensorsFormat, dtype: "f32" as const }];
    const exporting = exportModel(
      { ...source, photographs: [{ file: "cat.jpg", image }] },
      { ...golden, photographs },
      { out: temporaryFolder(), formats, force: false },
    );
    await expect(exporting).rejects.toThrow(/of cat\.jpg a quality is off by/);
  });

  it("keeps no format where one of two does not give its scores", async () => {
    const out = temporaryFolder();
    const bad: ExportFormat = {
      ...safetensorsFormat,
      name: "openai",
      write: async (folder, ...rest) => {
        await safetensorsFormat.write(folder, ...rest);
        await corrupt(folder);
      },
    };
    const formats = [safetensorsFormat, bad].map((format) => ({ format, dtype: "f32" as const }));
    await expect(exportModel(source, golden, { out, formats, force: false })).rejects.toThrow("openai: liqe-train");
    expect(readdirSync(out)).toEqual([]);
  });

  it("touches no folder that is there, and with force replaces it whole", async () => {
    const out = temporaryFolder();
    const folder = join(out, "safetensors");
    mkdirSync(folder);
    writeFileSync(join(folder, "mine.txt"), "kept");
    await expect(run(out)).rejects.toThrow(ConfigError);
    expect(readdirSync(folder)).toEqual(["mine.txt"]);
    await run(out, {}, { force: true });
    expect(readdirSync(folder)).not.toContain("mine.txt");
    expect(readdirSync(out)).toEqual(["safetensors"]);
  });

  it("with force keeps what was there where the new one does not give its scores", async () => {
    const out = temporaryFolder();
    await run(out);
    const before = readFileSync(join(out, "safetensors", "manifest.json"), "utf8");
    const open: ExportFormat["open"] = async (...args) => {
      const readBack = await safetensorsFormat.open(...args);
      return { ...readBack, score: async (image) => ({ ...(await readBack.score(image)), quality: NaN }) };
    };
    await expect(run(out, { open }, { force: true })).rejects.toThrow("off by NaN");
    expect(readFileSync(join(out, "safetensors", "manifest.json"), "utf8")).toBe(before);
    expect(readdirSync(out)).toEqual(["safetensors"]);
  });

  it("clears away what a killed export left, and nothing of one that is at work", async () => {
    const out = temporaryFolder();
    const { host, pid } = partsOf(processToken());
    const [dead, living] = [`.partial-${host}-${pid}-1-0a0a0a0a`, `.partial-${processToken()}-0b0b0b0b`];
    for (const name of [dead, living]) mkdirSync(join(out, name, "safetensors"), { recursive: true });
    let staged = "";
    const write: ExportFormat["write"] = (folder, ...rest) => {
      staged = folder; // where a killed one would leave it
      return safetensorsFormat.write(folder, ...rest);
    };
    await run(out, { write });
    expect(staged.startsWith(join(out, `.partial-${processToken()}-`))).toBe(true);
    expect(readdirSync(out).sort()).toEqual([living, "safetensors"].sort());
  });

  it("stops between two formats when asked to, and keeps neither", async () => {
    const out = join(temporaryFolder(), "export");
    const controller = new AbortController();
    const stopping: ExportFormat = {
      ...safetensorsFormat,
      write: async (...args) => {
        await safetensorsFormat.write(...args);
        controller.abort();
      },
    };
    const formats = [stopping, { ...safetensorsFormat, name: "openai" as const }].map((format) => ({
      format,
      dtype: "f32" as const,
    }));
    const exported = await exportModel(source, golden, { out, formats, force: false, signal: controller.signal });
    expect(exported).toEqual([]);
    expect(existsSync(out)).toBe(false);
  });
});
