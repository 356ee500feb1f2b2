import { describe, expect, it } from "vitest";
import { colorAt, colorRange, heatmap, scoreMap } from "../../src/evaluate/heatmap.js";
import { expectedText } from "./support.js";

/** Two windows of 224, overlapping in columns 32 to 223, in 224 x 288 pixels of which the last 32 columns are in none. */
const CROPS = {
  rows: 224,
  cols: 288,
  window: 224,
  scores: [
    { top: 0, left: 0, quality: 1 },
    { top: 0, left: 32, quality: 4 },
  ],
};

describe("scoreMap", () => {
  it("has the mean of the windows that a pixel is in, and NaN where it is in none", () => {
    const qualities = scoreMap(CROPS);
    const at = (row: number, col: number) => qualities[row * 288 + col];
    expect([at(0, 0), at(223, 31), at(0, 32), at(223, 223), at(100, 224), at(0, 255)]).toEqual([1, 1, 2.5, 2.5, 4, 4]);
    expect([at(0, 256), at(223, 287)]).toEqual([NaN, NaN]);
  });
});

describe("heatmap", () => {
  const grey = { rows: 224, cols: 288, pixels: new Uint8Array(224 * 288 * 3).fill(100) };
  const { rows, cols, pixels } = heatmap(grey, CROPS);
  const at = (row: number, col: number) => [...pixels.subarray((row * cols + col) * 3, (row * cols + col + 1) * 3)];

  it("lays dark colours where scores are low, light ones where they are high, none outside the windows", () => {
    const blend = (share: number) => colorAt(share).map((c) => Math.round(0.4 * 100 + 0.6 * c));
    expect([at(0, 0), at(50, 100), at(223, 255)]).toEqual([blend(0), blend(0.5), blend(1)]);
    expect(at(0, 256)).toEqual([100, 100, 100]);
  });

  it("has a legend from the lowest score's colour to the highest's, with both numbers", () => {
    const legend = Array.from({ length: cols }, (_, col) => at(rows - 10, col).join());
    const first = legend.indexOf(colorAt(0).join());
    const last = legend.lastIndexOf(colorAt(1).join());
    expect(first).toBeGreaterThan(45); // behind "1.00"
    expect(last).toBeLessThan(cols - 45);
    expect(last - first).toBeGreaterThan(150);
    const ink = (from: number, to: number) => legend.slice(from, to).filter((color) => color === "255,255,255").length;
    expect(ink(0, first)).toBeGreaterThan(0);
    expect(ink(last, cols)).toBeGreaterThan(0);
  });

  it("leaves the picture it was given alone, and refuses scores of another size", () => {
    expect(grey.pixels.every((sample) => sample === 100)).toBe(true);
    expect(() => heatmap(grey, { ...CROPS, cols: 300 })).toThrow("an image of 288 x 224 for scores of 300 x 224");
  });
});

describe("the legend", () => {
  /** The legend's rows, each with its number of repetitions, a sign a pixel: "#" where it is white, "." where it is dark, "o" between the numbers. */
  function legendOf(low: number, high: number): string[] {
    const [rows, cols] = [10, 130];
    const scores = [low, high].map((quality, i) => ({ top: 0, left: 10 * i, quality }));
    const image = { rows, cols, pixels: new Uint8Array(rows * cols * 3) };
    const { pixels, rows: all } = heatmap(image, { rows, cols, window: 10, scores });
    const sign = (row: number, col: number) => {
      const [r = 0, g = 0, b = 0] = pixels.subarray((row * cols + col) * 3);
      return r + g + b === 3 * 255 ? "#" : r + g + b === 3 * 24 ? "." : "o";
    };
    const lines = Array.from({ length: all - rows }, (_, row) => Array.from({ length: cols }, (_, col) => sign(rows + row, col)).join("")); // prettier-ignore
    const shown = lines.map((line) => line.replace(/o+/, (middle) => `(${middle.length})`));
    const runs = shown.map((line, row) => ({ line, row })).filter(({ line, row }) => line !== shown[row - 1]);
    return runs.map(({ line, row }, i) => `${(runs[i + 1]?.row ?? shown.length) - row} ${line}`); // rows of it
  }

  it("is drawn dot by dot: each digit, the point and the minus, with its margins", async () => {
    const pairs = [[0.12, 3.45], [6.78, 9.5], [-1.5, 4.25]] as const; // prettier-ignore
    await expectedText(`${pairs.map(([low, high]) => legendOf(low, high).join("\n")).join("\n\n")}\n`, "legend.txt");
  });

  it("goes from the first colour to the last one, a column each", () => {
    const [rows, cols] = [10, 130];
    const scores = [1, 4].map((quality, i) => ({ top: 0, left: 10 * i, quality }));
    const { pixels } = heatmap({ rows, cols, pixels: new Uint8Array(rows * cols * 3) }, { rows, cols, window: 10, scores }); // prettier-ignore
    const line = Array.from({ length: cols }, (_, col) => pixels.slice(((rows + 8) * cols + col) * 3).subarray(0, 3).join()); // prettier-ignore
    const first = line.indexOf(colorAt(0).join());
    const last = line.lastIndexOf(colorAt(1).join());
    expect(line.slice(first, last + 1)).toEqual(Array.from({ length: last - first + 1 }, (_, i) => colorAt(i / (last - first)).join())); // prettier-ignore
  });

  it("has viridis's nine points, and colours between them", () => {
    const hex = (share: number) => colorAt(share).map((c) => c.toString(16).padStart(2, "0")).join(""); // prettier-ignore
    expect(Array.from({ length: 9 }, (_, i) => hex(i / 8))).toEqual(["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"]); // prettier-ignore
    expect(colorAt(1 / 16)).toEqual([70, 23, 104]);
    expect(() => colorAt(NaN)).toThrow("colorAt: needs a number, got NaN");
  });
});

describe("colorRange", () => {
  it("is that of the scores, widened about its middle to half a level", () => {
    expect(colorRange(CROPS.scores)).toEqual({ low: 1, high: 4 });
    expect(colorRange([{ top: 0, left: 0, quality: 3 }])).toEqual({ low: 2.75, high: 3.25 });
  });
});

describe("colorAt", () => {
  it("goes from dark to light, ever lighter, and stops at its ends", () => {
    const light = (share: number) =>
      colorAt(share).reduce((sum, c, i) => sum + c * ([0.299, 0.587, 0.114][i] ?? NaN), 0);
    const shares = Array.from({ length: 101 }, (_, i) => i / 100);
    expect(shares.slice(1).every((share) => light(share) > light(share - 0.01))).toBe(true);
    expect([colorAt(-1), colorAt(2)]).toEqual([colorAt(0), colorAt(1)]);
  });
});
