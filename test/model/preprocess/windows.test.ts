import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import { countWindows, evaluationWindows, trainingWindows } from "../../../src/model/preprocess/crops.js";

describe("countWindows", () => {
  it("counts a stride of 32, and of 48 where a side has 1024 pixels", () => {
    expect(countWindows(224, 224)).toBe(1);
    expect(countWindows(255, 256)).toBe(2);
    expect(countWindows(321, 481)).toBe(4 * 9);
    expect(countWindows(768, 1023)).toBe(18 * 25);
    expect(countWindows(768, 1024)).toBe(12 * 17);
    expect(countWindows(1024, 224)).toBe(17);
  });

  it("refuses an image below a window", () => {
    expect(() => countWindows(223, 400)).toThrow("at least 224 pixels on each side, got 400 x 223");
  });
});

describe("evaluationWindows", () => {
  it("takes every floor(n / crops)-th window in row-major order", () => {
    // 4 x 9 = 36 windows, 15 crops: every second one
    const windows = evaluationWindows({ rows: 321, cols: 481 }, 15);
    expect(windows).toHaveLength(15);
    expect(windows.slice(0, 6)).toEqual([
      { top: 0, left: 0 },
      { top: 0, left: 64 },
      { top: 0, left: 128 },
      { top: 0, left: 192 },
      { top: 0, left: 256 },
      { top: 32, left: 32 }, // the tenth, one in from the edge
    ]);
    expect(windows[14]).toEqual({ top: 96, left: 32 }); // the 28th
  });

  it("takes all windows where there are fewer than crops", () => {
    expect(evaluationWindows({ rows: 224, cols: 224 }, 15)).toEqual([{ top: 0, left: 0 }]);
    expect(evaluationWindows({ rows: 256, cols: 256 }, 15)).toEqual([
      { top: 0, left: 0 },
      { top: 0, left: 32 },
      { top: 32, left: 0 },
      { top: 32, left: 32 },
    ]);
  });

  it("refuses no crops", () => {
    expect(() => evaluationWindows({ rows: 300, cols: 300 }, 0)).toThrow(
      "crops must be a whole number of at least 1, got 0",
    );
  });
});

describe("trainingWindows", () => {
  it("draws from the whole grid, with replacement, and nothing else", () => {
    const drawn = trainingWindows({ rows: 256, cols: 1030 }, { crops: 500, random: seededRandom(1) });
    const places = new Set(drawn.map(({ top, left }) => `${top},${left}`));
    expect(places.size).toBe(countWindows(256, 1030));
    for (const { top, left } of drawn) {
      expect([0].includes(top)).toBe(true); // one row of stride 48 fits
      expect(left % 48 === 0 && left + 224 <= 1030).toBe(true);
    }
  });

  it("draws nothing for less than one crop, or for a part of one", () => {
    for (const crops of [0, -1, 1.5, NaN]) {
      expect(() => trainingWindows({ rows: 300, cols: 300 }, { crops, random: seededRandom(1) })).toThrow(
        new RangeError(`trainingWindows: crops must be a whole number of at least 1, got ${crops}; 15 is usual`),
      );
    }
    expect(trainingWindows({ rows: 224, cols: 224 }, { crops: 1, random: seededRandom(1) })).toEqual([
      { top: 0, left: 0 },
    ]);
  });

  it("takes windows of another side", () => {
    const random = seededRandom(2);
    const drawn = trainingWindows({ rows: 100, cols: 132 }, { crops: 100, random, window: 64 });
    expect([...new Set(drawn.map(({ top, left }) => `${top} ${left}`))].sort()).toEqual(
      [0, 32].flatMap((top) => [0, 32, 64].map((left) => `${top} ${left}`)),
    );
  });
});

describe("windows of another side", () => {
  it("are counted and chosen by it", () => {
    expect(countWindows(100, 132, 64)).toBe(6);
    expect(countWindows(95, 64, 64)).toBe(1);
    expect(countWindows(96, 64, 64)).toBe(2);
    expect(countWindows(64, 1023, 64)).toBe(30);
    expect(countWindows(64, 1024, 64)).toBe(21);
    expect(evaluationWindows({ rows: 100, cols: 132 }, 3, 64)).toEqual([
      { top: 0, left: 0 },
      { top: 0, left: 64 },
      { top: 32, left: 32 },
    ]);
    expect(evaluationWindows({ rows: 100, cols: 132 }, 1, 64)).toEqual([{ top: 0, left: 0 }]);
    expect(evaluationWindows({ rows: 100, cols: 132 }, 4, 64)).toHaveLength(4);
  });

  it("are refused of a smaller image, on either side", () => {
    const message = (size: string) =>
      new RangeError(`windows: an image must have at least 64 pixels on each side, got ${size}; enlarge it first`);
    expect(() => countWindows(63, 70, 64)).toThrow(message("70 x 63"));
    expect(() => countWindows(70, 63, 64)).toThrow(message("63 x 70"));
  });
});
