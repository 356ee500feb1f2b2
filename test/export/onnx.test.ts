import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, it, vi } from "vitest";
import { EngineError, ExportMismatchError } from "../../src/base/errors.js";
import { seededRandom } from "../../src/base/random.js";
import type { ExportFormat, ExportSource } from "../../src/export/exportFormat.js";
import type { ExportDtype } from "../../src/inference/manifest.js";
import { exportModel } from "../../src/export/exportModel.js";
import { goldenImage } from "../../src/export/golden/goldenImages.js";
import { addWindows, METADATA_KEY } from "../../src/export/onnx/buildModels.js";
import { GraphBuilder, valueInfo } from "../../src/export/onnx/graphBuilder.js";
import { onnxFormat } from "../../src/export/onnx/onnxFormat.js";
import { addReduction } from "../../src/export/onnx/reduction.js";
import { decodeOnnx, encodeOnnx, type OnnxGraph } from "../../src/export/onnx/schema.js";
import { evaluationCrops, evaluationWindows } from "../../src/model/preprocess/crops.js";
import { PUBLISHED_LABELS } from "../../src/model/prompts/labels.js";
import { resized, sizeImage } from "../../src/model/preprocess/resize.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import published from "../fixtures/golden/onnxOperators.json" with { type: "json" };
import { TOY_STEM, toySource } from "../support/exports.js";
import { temporaryFolder, TOY_ARCHITECTURE } from "../support/runs.js";

type Toy = ReturnType<typeof toySource>;

/** Exports and gives what the gate found. */
async function exported({ source, golden }: Toy, dtype: ExportDtype, faulty: Partial<ExportFormat> = {}) {
  const out = temporaryFolder();
  const formats = [{ format: { ...onnxFormat, ...faulty }, dtype }];
  const [written] = await exportModel(source, golden, { out, formats, force: false });
  if (written === undefined) throw new Error("test: nothing was written");
  return written;
}

const GRIDS = {
  "quality, scene and distortion": promptGrid(),
  "quality and distortion": promptGrid("a photo with {distortion} artifacts, which is of {quality} quality"),
  "quality and scene": promptGrid("a photo of a {scene}, which is of {quality} quality"),
  "quality alone, of three levels": promptGrid("a photo with {quality} quality", {
    ...PUBLISHED_LABELS,
    qualities: ["bad", "fair", "good"],
  }),
};

describe("onnxFormat", () => {
  it.each(Object.entries(GRIDS))("scores the same in ONNX Runtime, crops and whole images: %s", async (_, grid) => {
    const { parity } = await exported(toySource(TOY_ARCHITECTURE, grid), "f32");
    expect(parity.largestDifference.quality).toBeLessThan(1e-4);
    expect(parity.largestDifference.probability).toBeLessThan(1e-4);
  });

  it.each(["f32", "f16", "int8"] as const)("has the stem of several levels, %s", async (dtype) => {
    const { parity } = await exported(toySource(TOY_STEM), dtype);
    const { quality } = parity.largestDifference;
    expect(quality).toBeLessThan({ f32: 1e-4, f16: 1e-2, int8: 0.1 }[dtype]);
    if (dtype !== "f32") expect(quality).toBeGreaterThan(1e-6); // it was rounded
  });

  it("is refused where a weight of the image tower is another one than the golden scores are of", async () => {
    const toy = toySource();
    const write: ExportFormat["write"] = (folder, source, dtype) => onnxFormat.write(folder, negated(source), dtype);
    await expect(exported(toy, "f32", { write })).rejects.toThrow(ExportMismatchError);
  });

  it("is refused where the graph of whole images alone is wrong", async () => {
    const toy = toySource();
    const open: ExportFormat["open"] = async (...args) => {
      const readBack = await onnxFormat.open(...args);
      const { others = [] } = readBack;
      expect(others.length).toBe(1);
      return { ...readBack, others: others.map((score) => () => score(goldenImage(7))) };
    };
    await expect(exported(toy, "f32", { open })).rejects.toThrow(ExportMismatchError);
  });

  it("gives each crop its own score, in a batch of any size", async () => {
    const toy = toySource();
    const { folder } = await exported(toy, "f32");
    const session = await ort.InferenceSession.create(join(folder, "model.onnx"));
    const image = toy.golden.images[2];
    const pixels = evaluationCrops(goldenImage(3), 15);
    const plane = 224 * 224;
    const crop = (i: number) =>
      Float32Array.from({ length: 3 * plane }, (_, at) => {
        const byte = i * 3 * plane + (at % plane) * 3 + Math.floor(at / plane);
        return (pixels[byte] ?? NaN) / 255;
      });
    const both = Float32Array.from([...crop(3), ...crop(0)]);
    const { crop_quality, crop_joint } = await session.run({
      crops: new ort.Tensor("float32", both, [2, 3, 224, 224]),
    });
    expect(crop_joint?.dims).toEqual([2, 5, 9, 11]);
    const wanted = [image?.crops[3]?.quality ?? NaN, image?.crops[0]?.quality ?? NaN];
    expect(crop_quality?.data as Float32Array).toBeAllClose(wanted, { rtol: 0, atol: 1e-4 });
    await session.release();
  });

  it("says in its metadata what its outputs mean, and keeps OpenAI's names and layouts of the weights", async () => {
    const toy = toySource();
    const { folder } = await exported(toy, "f32");
    const model = decodeOnnx(readFileSync(join(folder, "model.onnx")));
    const metadata = model.metadataProps.find(({ key }) => key === METADATA_KEY);
    expect(JSON.parse(metadata?.value ?? "null")).toMatchObject({
      prompts: { template: toy.source.grid.template, axes: toy.source.grid.axes },
      model: { architecture: toy.source.architecture },
    });
    for (const [name, { shape, values }] of toy.source.weights) {
      if (!name.startsWith("visual.")) continue;
      const initializer = model.graph.initializer.find((tensor) => tensor.name === name);
      expect(initializer?.dims).toEqual(shape);
      expect(Buffer.from(initializer?.rawData ?? []).equals(Buffer.from(values.buffer))).toBe(true);
    }
  });

  it("asks for ONNX Runtime by name where it cannot be loaded", async () => {
    vi.resetModules();
    vi.doMock("onnxruntime-node", () => {
      throw new Error("Cannot find package 'onnxruntime-node'");
    });
    try {
      const { onnxFormat: reloaded } = await import("../../src/export/onnx/onnxFormat.js");
      const error: unknown = await reloaded.check(toySource().source).catch((thrown: unknown) => thrown);
      expect(error).toHaveProperty("name", EngineError.name); // another copy of the class, after resetModules
      expect(error).toHaveProperty("message", expect.stringContaining("npm install onnxruntime-node"));
    } finally {
      vi.doUnmock("onnxruntime-node");
      vi.resetModules();
    }
  });
});

/** The same with one projection turned round. */
function negated(source: ExportSource): ExportSource {
  const weights = new Map(source.weights);
  const proj = weights.get("visual.proj");
  if (proj !== undefined) weights.set("visual.proj", { ...proj, values: proj.values.map((value) => -value) });
  return { ...source, weights };
}

/** A graph of nothing but what `add` makes of an image. */
function imageGraph(
  add: (graph: GraphBuilder, image: string) => string,
  output: Parameters<typeof valueInfo>[1],
): Promise<ort.InferenceSession> {
  const graph = new GraphBuilder({ dtype: "f32", exact: new Set() });
  graph.named("out", "Identity", [add(graph, "image")]);
  const bytes = encodeOnnx({
    ...{ irVersion: 8, producerName: "test", producerVersion: "", metadataProps: [] },
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      ...{ name: "part", docString: "", node: graph.nodes, initializer: graph.initializers },
      input: [valueInfo("image", { type: "UINT8", axes: ["rows", "cols", 3] })],
      output: [valueInfo("out", output)],
    },
  });
  return ort.InferenceSession.create(bytes, { logSeverityLevel: 4 });
}

/** All operations of a graph, those in the bodies of its loops included. */
function operationsOf({ node }: OnnxGraph): OnnxGraph["node"][number][] {
  const bodies = node.flatMap(({ attribute }) => attribute.flatMap(({ g }) => (g === undefined ? [] : [g])));
  return [...node, ...bodies.flatMap(operationsOf)];
}

describe("the operator set of an exported graph", () => {
  it.each([
    ["a patch", TOY_ARCHITECTURE, "f32"],
    ["a stem of levels", TOY_STEM, "int8"],
  ] as const)("is the lowest that has all of its operations, and ONNX Runtime takes it: %s", async (_, kind, dtype) => {
    const { folder } = await exported(toySource(kind), dtype);
    const known = new Map(Object.entries(published.operators));
    for (const file of ["model.onnx", "model-image.onnx"]) {
      const model = decodeOnnx(readFileSync(join(folder, file)));
      expect(model.opsetImport).toEqual([{ domain: "", version: published.set }]);
      expect(model.irVersion, "the file form of that set's time").toBe(8);
      const operations = operationsOf(model.graph);
      const firsts = operations.map(({ opType, attribute, input }) => {
        const operator = known.get(opType);
        if (operator === undefined) throw new Error(`test: set ${published.set} has no ${opType}`);
        const [least = NaN, most = NaN] = operator.inputs;
        for (const { name } of attribute) expect(operator.attributes, opType).toContain(name);
        expect(input.length, opType).toBeGreaterThanOrEqual(least);
        expect(input.length, opType).toBeLessThanOrEqual(most);
        return operator.first;
      });
      expect(Math.max(...firsts)).toBe(published.set);
      expect(operations.some(({ opType }) => opType === "Loop")).toBe(file === "model-image.onnx");
    }
  });
});

describe("addReduction", () => {
  /** Blocks, ramps and noise: edges to smooth, ties to round. */
  function pictured(rows: number, cols: number): Uint8Array {
    const random = seededRandom(rows * 10_000 + cols, "picture");
    return Uint8Array.from({ length: rows * cols * 3 }, (_, i) => {
      const [row, col] = [Math.floor(i / 3 / cols), Math.floor(i / 3) % cols];
      if (row < rows / 3) return ((row >> 3) + (col >> 3)) % 2 === 0 ? 255 : i % 3;
      return row < (2 * rows) / 3 ? Math.floor((255 * col) / cols) : random.integer(256);
    });
  }

  it.each([
    [767, 768],
    [768, 768],
    [769, 769],
    [800, 2000], // 25 / 24: sums that lie on the half
    [2000, 800],
    [1536, 1536],
    [1728, 1300],
    [769, 4000],
  ])("gives %i x %i pixels as predict sizes them, level by level", async (rows, cols) => {
    const session = await imageGraph(addReduction, { type: "INT32", axes: ["rows", "cols", 3] });
    const pixels = pictured(rows, cols);
    const { out } = await session.run({ image: new ort.Tensor("uint8", pixels, [rows, cols, 3]) });
    const wanted = resized(sizeImage({ rows, cols, pixels }, { small: "error" }, "made"));
    expect(out?.dims).toEqual([wanted.rows, wanted.cols, 3]);
    const levels = Uint8Array.from(out?.data as Int32Array); // as the graph declares it
    expect(Buffer.from(levels).equals(Buffer.from(wanted.pixels))).toBe(true);
    await session.release();
  });
});

describe("addWindows", () => {
  const windowsGraph = (side = 224) =>
    imageGraph((graph, image) => addWindows(graph, image, side), { type: "FLOAT", axes: ["crops", 3, side, side] });

  /** Pixels that say where they are: row and column modulo 251, and both over that. */
  function coordinates(rows: number, cols: number): Uint8Array {
    return Uint8Array.from({ length: rows * cols * 3 }, (_, i) => {
      const [row, col] = [Math.floor(i / 3 / cols), Math.floor(i / 3) % cols];
      return [row % 251, col % 251, Math.floor(row / 251) * 16 + Math.floor(col / 251)][i % 3] ?? NaN;
    });
  }

  it.each([
    [224, 224, 224],
    [224, 255, 224],
    [256, 300, 224],
    [360, 352, 224],
    [768, 1023, 224],
    [768, 1024, 224],
    [1500, 230, 224],
    [400, 352, 336],
    [448, 1024, 448],
  ])("cuts the windows that evaluationWindows chooses from %i x %i pixels, of %i", async (rows, cols, side) => {
    const session = await windowsGraph(side);
    const image = new ort.Tensor("uint8", coordinates(rows, cols), [rows, cols, 3]);
    const { out: crops } = await session.run({ image });
    const windows = evaluationWindows({ rows, cols }, 15, side);
    expect(crops?.dims).toEqual([windows.length, 3, side, side]);
    const values = crops?.data as Float32Array; // as the graph declares it
    const plane = side * side;
    const at = (crop: number, channel: number, place: number) =>
      Math.round(255 * (values[(crop * 3 + channel) * plane + place] ?? NaN));
    windows.forEach(({ top, left }, crop) => {
      for (const [place, row, col] of [
        [0, top, left] as const,
        [plane - 1, top + side - 1, left + side - 1] as const,
      ]) {
        const found = [at(crop, 0, place), at(crop, 1, place), at(crop, 2, place)];
        expect(found).toEqual([row % 251, col % 251, Math.floor(row / 251) * 16 + Math.floor(col / 251)]);
      }
    });
    await session.release();
  });

  it("fails on an image that is too small, also where its pixels would suffice", async () => {
    const session = await windowsGraph();
    const image = new ort.Tensor("uint8", coordinates(600, 223), [600, 223, 3]);
    await expect(session.run({ image })).rejects.toThrow("out of data bounds");
    await session.release();
  });
});
