import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import {
  CROP_BYTES,
  cropBytes,
  cutTrainingCrops,
  evaluationCrops,
  trainingWindows,
} from "../../../src/model/preprocess/crops.js";
import { sized } from "../../../src/model/preprocess/image.js";
import { resizeBilinear } from "../../../src/model/preprocess/resize.js";
import { mapImage } from "../../data/images.js";

/** [red, green] of a crop's pixel: the row and the column that it came from. */
function origin(crops: Uint8Array, crop: number, row: number, col: number) {
  const at = crop * CROP_BYTES + (row * 224 + col) * 3;
  return [crops[at], crops[at + 1]];
}

describe("evaluationCrops", () => {
  it("copies each window, pixel for pixel", () => {
    const crops = evaluationCrops(mapImage(250, 256), 15);
    expect(crops).toHaveLength(2 * CROP_BYTES); // one row of windows, two columns
    expect(origin(crops, 0, 0, 0)).toEqual([0, 0]);
    expect(origin(crops, 0, 223, 5)).toEqual([223, 5]);
    expect(origin(crops, 1, 10, 0)).toEqual([10, 32]);
    expect(origin(crops, 1, 0, 223)).toEqual([0, 255]);
  });

  it("refuses an image below a window", () => {
    expect(() => evaluationCrops(mapImage(100, 300), 15)).toThrow("at least 224 pixels");
  });
});

describe("crops of another side", () => {
  it("are cut whole, in the order of their windows", () => {
    const image = mapImage(40, 70, 9);
    const crops = evaluationCrops(image, 15, 32); // 1 row of windows, 2 columns
    const wanted = [0, 32].flatMap((left) =>
      Array.from({ length: 32 }, (_, row) => [
        ...image.pixels.subarray((row * 70 + left) * 3, (row * 70 + left + 32) * 3),
      ]),
    );
    expect([...crops]).toEqual(wanted.flat());
    expect(cropBytes(32)).toBe(3072);
    expect(CROP_BYTES).toBe(150_528);
  });

  it("are cut for training from the image or from its mirror image", () => {
    const image = mapImage(32, 33, 9);
    const lines = (mirrored: boolean, left: number) =>
      Array.from({ length: 32 }, (_, row) => {
        const pixels = Array.from({ length: 32 }, (__, col) => {
          const at = (row * 33 + left + col) * 3;
          return [...image.pixels.subarray(at, at + 3)];
        });
        return (mirrored ? pixels.reverse() : pixels).flat();
      }).flat();
    const seen = new Set<string>();
    for (let key = 0; key < 20; key++) {
      const out = new Uint8Array(cropBytes(32));
      cutTrainingCrops(sized(image), { crops: 1, random: seededRandom(key), window: 32 }, out);
      seen.add([...out].join());
    }
    expect(seen).toEqual(new Set([lines(false, 0), lines(true, 1)].map((bytes) => bytes.join())));
  });
});

describe("cutTrainingCrops", () => {
  const ROWS = 240;
  const COLS = 250; // the grid does not fit evenly: windows of the mirror image lie elsewhere

  it("cuts windows of the image or of its mirror image, each about half the time", () => {
    const image = mapImage(ROWS, COLS);
    let flips = 0;
    for (let key = 0; key < 200; key++) {
      const out = new Uint8Array(CROP_BYTES);
      cutTrainingCrops(sized(image), { crops: 1, random: seededRandom(7, key) }, out);
      const random = seededRandom(7, key);
      const isFlipped = random.uniform() < 0.5;
      const [window] = trainingWindows({ rows: ROWS, cols: COLS }, { crops: 1, random });
      const at = (col: number) => (isFlipped ? COLS - 1 - col : col);
      expect(origin(out, 0, 3, 0)).toEqual([(window?.top ?? NaN) + 3, at(window?.left ?? NaN)]);
      expect(origin(out, 0, 0, 223)).toEqual([window?.top, at((window?.left ?? NaN) + 223)]);
      flips += isFlipped ? 1 : 0;
    }
    expect(flips).toBeGreaterThan(70);
    expect(flips).toBeLessThan(130);
  });

  it("cuts the same from a picture that is still to be resized as from the resized one", () => {
    const source = mapImage(301, 407);
    for (const [rows, cols] of [
      [240, 330],
      [301, 260],
      [250, 407],
      [460, 600],
    ] as const) {
      for (let key = 0; key < 6; key++) {
        const [lazy, whole] = [new Uint8Array(2 * CROP_BYTES), new Uint8Array(2 * CROP_BYTES)];
        const draw = () => ({ crops: 2, random: seededRandom(3, key) });
        cutTrainingCrops({ rows, cols, source }, draw(), lazy);
        cutTrainingCrops(sized(resizeBilinear(source, rows, cols)), draw(), whole);
        expect(Buffer.from(lazy).equals(whole)).toBe(true);
      }
    }
  });

  it("flips all crops of an image or none, and writes nothing beside them", () => {
    const image = mapImage(ROWS, 500);
    const out = new Uint8Array(5 * CROP_BYTES).fill(77);
    cutTrainingCrops(sized(image), { crops: 3, random: seededRandom(1) }, out.subarray(CROP_BYTES));
    const direction = (crop: number) =>
      Math.sign((out[crop * CROP_BYTES + 13] ?? NaN) - (out[crop * CROP_BYTES + 1] ?? NaN));
    expect(new Set([1, 2, 3].map(direction)).size).toBe(1);
    expect(out.subarray(0, CROP_BYTES).every((byte) => byte === 77)).toBe(true);
    expect(out.subarray(4 * CROP_BYTES).every((byte) => byte === 77)).toBe(true);
  });
});
